"""Images and sounds in messages."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import orjson
import pytest
from support import ROOT, ask, endpoint, reply, run, synth, write_rows, yaml_file

from synth import media as module
from synth.errors import InputError, SetupError
from synth.media import check_media
from synth.records import Media, Problem
from synth.sources import open_source
from synth.store.journal import Journal, read_entries
from synth.teachers import Caller, Ledger, Request, Task
from synth.teachers.endpoint import EndpointTeacher
from synth.teachers.media import attach

RED = (ROOT / "synth" / "teachers" / "red.png").read_bytes()
IMAGE = Media(kind="image", uri="red.png")
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\0" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "red.png").write_bytes(RED)
    (tmp_path / "tone.wav").write_bytes(WAV)
    (tmp_path / "text.png").write_bytes(b"this is no image")
    (tmp_path / "empty.png").write_bytes(b"")
    return tmp_path


async def test_files_travel_as_data_and_are_kept_as_hashes(folder: Path):
    messages = ({"role": "system", "content": "s"}, {"role": "user", "content": "What?"})
    messages, files = attach(messages, [IMAGE, Media(kind="audio", uri="tone.wav")], folder)
    request = Request(messages, Task("solve", Problem.root(question="What?")), media=files)

    async def answer(_request, _body):
        return reply("red")

    journal = Journal(folder / "j")
    with endpoint(answer) as (url, seen):
        async with EndpointTeacher("t", base_url=url, model="m") as teacher:
            got = await Caller(Ledger(journal)).ask(teacher, request, unit="u")
    journal.close()
    text, image, sound = seen[0]["messages"][1]["content"]
    assert text == {"type": "text", "text": "What?"}
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(RED).decode()
    assert sound["input_audio"] == {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    ((_, line),) = read_entries(journal.folder)
    row = orjson.loads(line)["body"]
    assert base64.b64encode(RED).decode() not in line.decode()
    assert row["messages"][1]["content"][1]["image_url"]["url"].startswith("sha256:")
    assert got.key == row["key"]


def test_another_content_is_another_key_and_another_place_is_not(folder: Path):
    def key() -> str:
        messages, files = attach(({"role": "user", "content": "?"},), [IMAGE], folder)
        teacher = EndpointTeacher("t", base_url="http://x/v1", model="m")
        return teacher.key(Request(messages, Task("solve", Problem.root(question="?")), media=files))

    first = key()
    moved = folder / "elsewhere"
    moved.mkdir()
    (folder / "red.png").rename(moved / "red.png")
    folder = moved
    assert key() == first
    (folder / "red.png").write_bytes(RED + b"more")
    assert key() != first


@pytest.mark.parametrize(
    ("uri", "said"),
    [("none.png", "No such file"), ("text.png", "no known format"), ("empty.png", "empty"), ("tone.wav", "no known")],
)
def test_what_cannot_be_read_is_told(folder: Path, uri: str, said: str):
    with pytest.raises(InputError, match=said) as caught:
        check_media(Media(kind="image", uri=uri), folder)
    assert uri in str(caught.value)


def test_a_file_that_is_too_large_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="MiB"):
        check_media(IMAGE, folder)


def test_a_url_is_left_to_the_endpoint(folder: Path):
    url = Media(kind="image", uri="https://example.org/a.png")
    assert check_media(url, folder) is None
    (said,), files = attach(({"role": "user", "content": "?"},), [url], folder)
    assert said["content"][1]["image_url"]["url"] == "https://example.org/a.png"
    assert not files


async def test_images_of_problems_come_from_the_input_and_go_to_the_teacher(folder: Path):
    rows = write_rows(
        folder / "in.jsonl",
        [{"question": "Which colour?", "answer": "red", "image": "red.png"}, {"question": "Which?", "answer": "red"}],
    )

    async def answer(_request, _body):
        return reply("The answer is red.")

    with endpoint(answer) as (url, seen):
        able = EndpointTeacher("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(one_step(folder), rows, folder / "run", able)
        assert sorted(type(b["messages"][-1]["content"]).__name__ for b in seen) == ["list", "str"]
        unable = EndpointTeacher("t", base_url=url, model="m", capabilities=frozenset())
        with pytest.raises(SetupError, match="has an image, and teacher t takes none"):
            await run(one_step(folder), rows, folder / "run2", unable)
    first = ask(folder / "run", "SELECT id FROM problems WHERE question = 'Which colour?'")
    (folder / "in.jsonl").rename(folder / "other.jsonl")
    (folder / "red.png").rename(folder / "rouge.png")
    moved = (folder / "other.jsonl").read_text().replace("red.png", "rouge.png")
    (folder / "other.jsonl").write_text(moved)
    with endpoint(answer) as (url, _):
        able = EndpointTeacher("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(one_step(folder), folder / "other.jsonl", folder / "run3", able)
    assert ask(folder / "run3", "SELECT id FROM problems WHERE question = 'Which colour?'") == first


async def test_an_image_that_is_not_there_is_a_bad_row_told_before_any_call(folder: Path):
    rows = write_rows(folder / "in.jsonl", [{"question": "?", "answer": "red", "image": "gone.png"}])
    with pytest.raises(InputError, match=r"line 1: the image 'gone.png' cannot be read"):
        await run(one_step(folder), rows, folder / "run")


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("red.png", [("image", None)]),
        (["red.png", "https://example.org/a.JPG?size=3", "https://example.org/a.wav"], [("image", None), ("image", None), ("audio", None)]),
        ([{"kind": "audio", "uri": "https://example.org/say", "transcript": "hm"}], [("audio", "hm")]),
        ({"uri": "red.png"}, [("image", None)]),
        ([], []),
        (None, []),
    ],
)  # fmt: skip
def test_a_column_of_media_is_read(folder: Path, column, found):
    rows = write_rows(folder / "in.jsonl", [{"question": "Which?", "media": column}])
    ((problem, _),) = open_source(str(rows)).problems()
    assert [(m.kind, m.transcript) for m in problem.media] == found
    assert "media" not in problem.meta
    if column == "red.png":
        assert problem.media[0].sha256


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("https://example.org/x", "cannot be told"),
        ([{"kind": "video", "uri": "red.png"}], "cannot be told"),
        ([3], "is a int"),
        (3, "is a int"),
        ([{"kind": "image"}], "is a dict"),
    ],
)
def test_media_that_cannot_be_read_are_told(folder: Path, column, said: str):
    rows = write_rows(folder / "in.jsonl", [{"question": "Which?", "media": column}])
    assert said in open_source(str(rows)).scan().bad[0].why


def test_a_plan_says_what_it_takes_an_image_for(folder: Path):
    rows = write_rows(folder / "in.jsonl", [{"question": "Which?", "answer": "red", "image": "red.png"}])
    bare = write_rows(folder / "bare.jsonl", [{"question": "Which?", "answer": "red"}])
    words = ["--teacher", "http://localhost:9/v1#model"]
    with_image = synth("plan", one_step(folder), "--input", rows, *words, check=0).stdout
    without = synth("plan", one_step(folder), "--input", bare, *words, check=0).stdout
    assert "1,000 tokens an image or sound" in with_image
    assert "image" not in without.replace("my/images", "")
    read = [int(re.search(r"rationalize.*?model\s+1\s+([\d,]+)", t)[1].replace(",", "")) for t in (with_image, without)]
    assert read[0] - read[1] == 1000


async def test_a_call_with_an_image_is_shown_in_words(folder: Path):
    rows = write_rows(folder / "in.jsonl", [{"question": "Which colour?", "answer": "red", "image": "red.png"}])

    async def answer(_request, _body):
        return reply("<think>it looks\nred</think>The answer is red.")

    with endpoint(answer) as (url, _):
        able = EndpointTeacher("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(one_step(folder), rows, folder / "run", able)
    ((call,),) = ask(folder / "run", "SELECT id FROM calls")
    shown = synth("calls", folder / "run", call, check=0).stdout
    assert "\nWhich colour?" in shown
    assert "[image_url: sha256:" in shown
    assert "{'type'" not in shown
    assert "\nthought\nit looks\nred\n" in shown
    assert shown.rstrip().endswith("reply\nThe answer is red.")


def one_step(folder: Path) -> Path:
    return yaml_file(
        folder / "p.yaml",
        """
        pipeline: my/images
        roles: {teacher: looks}
        steps:
          - {step: rationalize, examples: none}
        """,
    )

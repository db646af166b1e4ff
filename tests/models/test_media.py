"""Images and sounds in messages."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import orjson
import pytest
from support import ROOT, ask, endpoint, reply, run, synth, write_rows, yaml_file

from synth import media as module
from synth.calls import Caller, Ledger
from synth.errors import InputError, SetupError
from synth.media import check_media
from synth.models import Request, Task
from synth.models.endpoint import EndpointModel
from synth.models.media import attach
from synth.reach import Reach
from synth.records import Media, Problem
from synth.sources import open_source, row_media
from synth.store.journal import Journal, read_entries

RED = (ROOT / "synth" / "models" / "red.png").read_bytes()
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
    messages, files = attach(messages, [IMAGE, Media(kind="audio", uri="tone.wav")], Reach(folder))
    request = Request(messages, Task("solve", Problem.root(question="What?")), media=files)

    async def answer(_request, _body):
        return reply("red")

    journal = Journal(folder / "j")
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            got = await Caller(Ledger(journal)).ask(model, request, unit="u")
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
        messages, files = attach(({"role": "user", "content": "?"},), [IMAGE], Reach(folder))
        model = EndpointModel("t", base_url="http://x/v1", model="m")
        return model.key(Request(messages, Task("solve", Problem.root(question="?")), media=files))

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
        check_media(Media(kind="image", uri=uri), Reach(folder))
    assert uri in str(caught.value)


def test_a_file_that_is_too_large_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="MiB"):
        check_media(IMAGE, Reach(folder))


def test_a_url_is_left_to_the_endpoint(folder: Path):
    url = Media(kind="image", uri="https://example.org/a.png")
    assert check_media(url, Reach(folder)) is None
    (said,), files = attach(({"role": "user", "content": "?"},), [url], Reach(folder))
    assert said["content"][1]["image_url"]["url"] == "https://example.org/a.png"
    assert not files


async def test_images_of_problems_come_from_the_input_and_go_to_the_model(folder: Path):
    rows = write_rows(
        folder / "in.jsonl",
        [{"question": "Which colour?", "answer": "red", "image": "red.png"}, {"question": "Which?", "answer": "red"}],
    )

    async def answer(_request, _body):
        return reply("The answer is red.")

    with endpoint(answer) as (url, seen):
        able = EndpointModel("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(one_step(folder), rows, folder / "run", able)
        assert sorted(type(b["messages"][-1]["content"]).__name__ for b in seen) == ["list", "str"]
        unable = EndpointModel("t", base_url=url, model="m", capabilities=frozenset())
        with pytest.raises(SetupError, match="has an image, and model t takes none"):
            await run(one_step(folder), rows, folder / "run2", unable)
    first = ask(folder / "run", "SELECT id FROM problems WHERE question = 'Which colour?'")
    (folder / "in.jsonl").rename(folder / "other.jsonl")
    (folder / "red.png").rename(folder / "rouge.png")
    moved = (folder / "other.jsonl").read_text().replace("red.png", "rouge.png")
    (folder / "other.jsonl").write_text(moved)
    with endpoint(answer) as (url, _):
        able = EndpointModel("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(one_step(folder), folder / "other.jsonl", folder / "run3", able)
    assert ask(folder / "run3", "SELECT id FROM problems WHERE question = 'Which colour?'") == first


PRIVATE = RED + b"passport"


@pytest.fixture
def apart(folder: Path) -> Path:
    """A folder of a data set, beside one that is none of its business."""
    (folder / "home").mkdir()
    (folder / "home" / "pass.png").write_bytes(PRIVATE)
    made = folder / "set"
    made.mkdir()
    (made / "red.png").write_bytes(RED)
    (made / "linked.png").symlink_to("../home/pass.png")
    (made / "linked").symlink_to("../home")
    os.mkfifo(made / "pipe.png")
    (made / "zero.png").symlink_to("/dev/zero")
    return made


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ROOT/home/pass.png", "lies outside"),
        ("../home/pass.png", "lies outside"),
        ("linked.png", r"lies outside .*it is a link to .*pass\.png.*--media-from DIR"),
        ("linked/pass.png", "lies outside"),
        ("/dev/zero", "lies outside"),
        ("zero.png", "lies outside"),
        ("pipe.png", "not a regular file"),
        ("../home", "lies outside"),
        (".", "cannot be read"),
        ("file:///etc/passwd", "is a file: address"),
        ("FILE:red.png", "is a file: address"),
        ("ftp://example.org/a.png", "is a ftp: address"),
        ("data:image/png;base64,iVBORw0KGgo=", "is a data: address"),
        ("a\0b.png", "not the name of a file"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_a_row_names_files_of_its_folder_alone(apart: Path, uri: str, said: str):
    """Every other address is a bad row that says why, and nothing of it is read."""
    rows = write_rows(apart / "in.jsonl", [{"question": "Which?", "image": uri.replace("ROOT", str(apart.parent))}])
    ((line, why),) = open_source(str(rows)).scan().bad
    assert line == 1
    assert re.search(said, why), why


def test_a_folder_that_is_allowed_is_searched(apart: Path):
    """With `media_from` the same rows are good, also by a name relative to it; a row keeps the name that it has."""
    names = ["../home/pass.png", "linked.png", "pass.png", "red.png", str(apart.parent / "home" / "pass.png")]
    rows = write_rows(apart / "in.jsonl", [{"question": f"Which is {n}?", "image": n} for n in names])
    found = [given.problem for given in open_source(str(rows), media_from=[apart.parent / "home"]).problems()]
    assert [p.media[0].uri for p in found] == names
    assert len({p.media[0].sha256 for p in found}) == 2


def test_rows_without_a_folder_name_no_file(apart: Path, monkeypatch: pytest.MonkeyPatch):
    """A data set of the Hub has no folder on this machine: what it names is in none, but in those that are allowed."""
    monkeypatch.chdir(apart)
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list([{"question": "Which?", "image": "red.png"}]).to_parquet("set/train.parquet")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    assert "lies outside" in open_source("hub:set").scan().bad[0].why
    assert open_source("hub:set", media_from=["."]).scan().good == 1


def test_there_are_not_too_many_media(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The number of files of a problem, and their bytes together, are bounded."""
    rows = write_rows(folder / "in.jsonl", [{"question": "Which?", "images": ["red.png"] * 65}, {"question": "What?", "images": ["red.png"] * 64}])  # fmt: skip
    assert [b.why for b in open_source(str(rows)).scan().bad] == [
        "it has 65 images and sounds, and at most 64 are taken"
    ]
    monkeypatch.setattr(row_media, "MOST_MEDIA_BYTES", 2 * len(RED))
    write_rows(
        rows, [{"question": "Which?", "images": ["red.png"] * 3}, {"question": "What?", "images": ["red.png"] * 2}]
    )
    assert [b.line for b in open_source(str(rows)).scan().bad] == [1]


@pytest.mark.parametrize("now", [PRIVATE, b"", None, "pipe", "link"])
async def test_a_file_that_has_changed_is_not_sent(folder: Path, now):
    """What is sent is what the key says: else the call is a failure row that says why, and nothing went out."""
    rows = write_rows(folder / "in.jsonl", [{"question": "Which colour?", "answer": "red", "image": "red.png"}])
    (folder / "home").mkdir()
    (folder / "home" / "pass.png").write_bytes(PRIVATE)

    class Late(EndpointModel):
        def body(self, request: Request):
            (folder / "red.png").unlink(missing_ok=True)
            if now == "pipe":
                os.mkfifo(folder / "red.png")
            elif now == "link":
                (folder / "red.png").symlink_to("home/pass.png")
            elif now is not None:
                (folder / "red.png").write_bytes(now)
            return super().body(request)

    async def answer(_request, _body):
        return reply("The answer is red.")

    with endpoint(answer) as (url, seen):
        able = Late("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        done = await run(one_step(folder), rows, folder / "run", able)
    assert seen == []
    assert done.failures == {"bad_request": 1}
    ((message,),) = ask(folder / "run", "SELECT message FROM failures")
    assert "red.png" in message


async def test_a_file_that_changes_between_two_calls_is_a_failure(folder: Path):
    """A record says which content it has: another one is not taken for it when the next call is made."""
    rows = write_rows(folder / "in.jsonl", [{"question": "Which colour?", "answer": "red", "image": "red.png"}])
    pipeline = yaml_file(
        folder / "p.yaml",
        """
        pipeline: my/images
        roles: {teacher: looks}
        steps:
          - {step: generate, examples: none}
          - {step: generate, name: again, of: input, examples: none}
        """,
    )

    async def answer(_request, _body):
        (folder / "red.png").write_bytes(PRIVATE)
        return reply("The answer is red.")

    with endpoint(answer) as (url, seen):
        able = EndpointModel("t", base_url=url, model="m", capabilities=frozenset({"images"}))
        await run(pipeline, rows, folder / "run", able)
    assert len(seen) == 1
    ((step, message),) = ask(folder / "run", "SELECT step, message FROM failures")
    assert (step, "has changed since the input was read" in message) == ("again", True)


def test_no_path_of_this_machine_is_in_a_record(folder: Path):
    """The command line takes `--media-from`, remembers it, and what it writes has the names of the rows."""
    (folder / "set").mkdir()
    rows = write_rows(
        folder / "set" / "in.jsonl", [{"question": "Which colour?", "answer": "red", "image": "../red.png"}]
    )
    assert "lies outside" in synth("import", rows, "--run", folder / "run", check=2).stderr
    synth("import", rows, "--run", folder / "run", "--media-from", folder, check=0)
    ((media,),) = ask(folder / "run", "SELECT media::VARCHAR FROM problems")
    assert "../red.png" in str(media)
    assert str(folder) not in str(media)
    assert orjson.loads((folder / "run" / "run.json").read_bytes())["words"]["media_from"] == [".."]


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
        ("https://example.org/x", "is not known"),
        ([{"kind": "video", "uri": "red.png"}], "is not known"),
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
    words = ["--model", "http://localhost:9/v1#model"]
    with_image = synth("plan", one_step(folder), "--input", rows, *words, check=0).stdout
    without = synth("plan", one_step(folder), "--input", bare, *words, check=0).stdout
    assert "1,000 tokens an image or sound" in with_image
    assert "image" not in without.replace("my/images", "")
    read = [int(re.search(r"generate.*?model\s+1\s+([\d,]+)", t)[1].replace(",", "")) for t in (with_image, without)]
    assert read[0] - read[1] == 1000


async def test_a_call_with_an_image_is_shown_in_words(folder: Path):
    rows = write_rows(folder / "in.jsonl", [{"question": "Which colour?", "answer": "red", "image": "red.png"}])

    async def answer(_request, _body):
        return reply("<think>it looks\nred</think>The answer is red.")

    with endpoint(answer) as (url, _):
        able = EndpointModel("t", base_url=url, model="m", capabilities=frozenset({"images"}))
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
          - {step: generate, examples: none}
        """,
    )

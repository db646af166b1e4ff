"""`run.json` may be of a stranger, of a later version, or half written: every command ends in words, and a run is taken up."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Counting, StandIn, contents, run, sums, yaml_file

from synth.cli.main import cli
from synth.engine import failed_in
from synth.errors import RunFolderError, SynthError
from synth.models import ScriptedModel, World
from synth.publish.bundle import pipeline_file
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.manifest import FORMAT, Manifest, read_manifest
from synth.store.materialize import materialize
from synth.store.run_folder import RunFolder

PIPELINE = """
    pipeline: my/small
    title: Small
    steps:
      - {step: generate, samples: 1}
      - {step: verify_answer}
    corpus:
      - {step: near_duplicates, target: rationale}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run."""
    folder = tmp_path_factory.mktemp("made")
    asyncio.run(run(yaml_file(folder / "p.yaml", PIPELINE), sums(folder / "in.jsonl", 3), folder / "run"))
    note = folder / "run/run.json"
    words = {
        "pipeline": "../p.yaml",
        "input": "../in.jsonl",
        "map": {},
        "model": ["scripted"],
        "own": [],
        "skip_invalid": False,
    }
    curated = [{"step": "select", "name": "by_hand", "keep": 1, "target": "rationale"}]
    note.write_bytes(orjson.dumps(orjson.loads(note.read_bytes()) | {"words": words, "curated": curated}))
    return folder / "run"


def _commands(folder: Path, out: Path) -> list[list[str]]:
    """All that read a run folder, with what they need."""
    run = str(folder)
    return [
        ["status", run],
        ["sql", run, "FROM pipeline_steps"],
        ["audit", run],
        ["calls", run],
        ["report", run, "--out", str(out / "r.html")],
        ["export", run, "--to", "sft", "--out", str(out), "--card", "--replace"],
        ["retry", run],
        ["curate", run, "--undo"],
    ]


def _ends_in_words(words: list[str]) -> None:
    """Run a command in this process; what it raises is an error of ours, or of the command line."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        try:
            cli.main(words, standalone_mode=False)
        except (SynthError, click.ClickException, click.exceptions.Exit):
            return


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same value with another one at a place; `...` removes it."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = _changed(value[path[0]], path[1:], new)
    return copy


ODD = st.sampled_from(
    [
        ...,
        None,
        True,
        0,
        -1,
        2**63,
        1e300,
        "",
        "x",
        "\0",
        "../../x",
        "\x1b[2J",
        [],
        [1],
        [[]],
        {},
        {"a": 1},
        {"name": 1},
    ]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_run_json_a_command_ends_in_words(made: Path, tmp_path: Path, data: st.DataObject):
    """One or two fields are of another type, absent or odd; every reader reports it or goes on."""
    whole = orjson.loads((made / "run.json").read_bytes())
    said = whole
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from([p for p in _places(said) if p]))
        said = _changed(said, place, data.draw(ODD))
    folder = tmp_path / "run"
    if not folder.exists():
        shutil.copytree(made, folder)
    (folder / "run.json").write_bytes(orjson.dumps(said))
    try:
        manifest = read_manifest(folder)
    except RunFolderError:
        with pytest.raises(RunFolderError):
            open_store(folder)
        return
    pipeline_file(manifest)
    _ends_in_words(data.draw(st.sampled_from(_commands(folder, tmp_path / "out"))))


SHAPES: dict[str, bytes] = {
    "format a word": b'{"format": "1", "pipeline": "p"}',
    "only a format": b'{"format": 2}',
    "described a list": b'{"format": 2, "pipeline": "p", "described": [1]}',
    "introduced a number": b'{"format": 2, "pipeline": "p", "introduced": 7}',
    "a list": b"[1]",
    "null": b"null",
    "true for one": b'{"format": true, "pipeline": "p"}',
    "deep": b'{"format": 2, "pipeline": "p", "x": ' + b"[" * 500 + b"]" * 500 + b"}",
    "deeper": b'{"format": 2, "pipeline": "p", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a name of a file that ends": b'{"format": 2, "pipeline": "p", "words": {"pipeline": "p", "input": "a\\u0000b"}}',
}


@pytest.mark.parametrize("what", SHAPES)
def test_every_command_reports_another_shape(what: str, made: Path, tmp_path: Path):
    """Each shape, in each command; nothing but an error of ours is raised."""
    folder = Path(shutil.copytree(made, tmp_path / "run"))
    (folder / "run.json").write_bytes(SHAPES[what])
    for words in _commands(folder, tmp_path / "out"):
        _ends_in_words(words)
    with pytest.raises(RunFolderError, match="cannot be read"):
        read_manifest(folder)


def test_a_newer_version_is_reported_before_anything_else(made: Path, tmp_path: Path):
    """Also where all else in the file has another shape."""
    folder = Path(shutil.copytree(made, tmp_path / "run"))
    (folder / "run.json").write_bytes(orjson.dumps({"format": FORMAT + 1, "pipeline": {"of": "tomorrow"}}))
    for use in (read_manifest, open_store, failed_in):
        with pytest.raises(RunFolderError, match="newer version of synth"):
            use(folder)


def test_what_a_newer_minor_version_noted_is_kept(made: Path, tmp_path: Path):
    """Fields that this version does not know outlive a session."""
    folder = Path(shutil.copytree(made, tmp_path / "run"))
    said = orjson.loads((folder / "run.json").read_bytes())
    said |= {"of_tomorrow": {"x": [1]}, "source": said["source"] | {"more": True}}
    (folder / "run.json").write_bytes(orjson.dumps(said))
    held = RunFolder(folder, Manifest.of(pipeline="my/small"))
    held.close()
    after = orjson.loads((folder / "run.json").read_bytes())
    assert after["of_tomorrow"] == {"x": [1]}
    assert after["curated"] == said["curated"]
    assert after["pipeline"] == "my/small"


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "large"])
def test_a_manifest_that_is_no_file_of_the_folder(kind: str, made: Path, tmp_path: Path):
    """A pipe is not waited for, a link that leads out is not read, and reading is bounded."""
    folder, path = Path(shutil.copytree(made, tmp_path / "run")), tmp_path / "run/run.json"
    path.rename(tmp_path / "elsewhere.json")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere.json")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**30)
    for use in (read_manifest, open_store, lambda f: RunFolder(f, Manifest.of(pipeline="my/small"))):
        with pytest.raises(RunFolderError):
            use(folder)


LOST: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "empty": lambda _: b"",
    "zeros": lambda c: bytes(len(c)),
    "cut": lambda c: c[: len(c) // 2],
}


@pytest.mark.parametrize("what", LOST)
async def test_a_journal_without_a_manifest_is_taken_up(what: str, tmp_path: Path):
    """The same command asks nothing again, writes the manifest anew and says so; readers say that it is to be given."""
    made, rows, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 3), tmp_path / "run"
    counting = Counting()
    model = ScriptedModel(counting)
    await run(made, rows, folder, model)
    before, asked, path = contents(folder), len(counting.asked), folder / "run.json"
    content = LOST[what](path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunFolderError, match="give the command of the run again"):
        open_store(folder)
    notes: list[str] = []
    await run(made, rows, folder, model, on_note=notes.append)
    assert len(counting.asked) == asked
    assert contents(folder) == before
    assert [n for n in notes if "the journal of the run is taken up" in n]
    assert read_manifest(folder).pipeline == "my/small"
    assert (folder / "run.json.damaged").exists() == (content is not None)
    other = yaml_file(tmp_path / "other.yaml", PIPELINE.replace("my/small", "my/other"))
    path.unlink()
    with pytest.raises(RunFolderError, match="the journal in this folder is of a run of my/small, not of my/other"):
        await run(other, rows, folder, model)


async def test_a_lost_manifest_does_not_let_the_scripted_model_replace_another(tmp_path: Path):
    """What language models were at work stands in the journal too."""
    made, rows, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 2), tmp_path / "run"
    await run(made, rows, folder, StandIn(World()))
    (folder / "run.json").unlink()
    with pytest.raises(RunFolderError, match="made with language models"):
        await run(made, rows, folder, ScriptedModel(World()))


async def test_the_journal_of_another_run_is_not_mixed_in(tmp_path: Path):
    """A segment of a run of another pipeline, copied into a folder, is reported before anything is asked."""
    rows = sums(tmp_path / "in.jsonl", 2)
    for name in ("small", "other"):
        made = yaml_file(tmp_path / f"{name}.yaml", PIPELINE.replace("my/small", f"my/{name}"))
        await run(made, rows, tmp_path / name)
    shutil.copy(tmp_path / "other/journal/000001.jsonl", tmp_path / "small/journal/000002.jsonl")
    with pytest.raises(RunFolderError, match="of a run of my/other, not of my/small"):
        await run(tmp_path / "small.yaml", rows, tmp_path / "small")


def test_a_journal_that_does_not_name_its_pipeline(made: Path, tmp_path: Path):
    """One of an older version, or whose first line is lost, is taken up too."""
    folder = Path(shutil.copytree(made, tmp_path / "run"))
    (folder / "run.json").unlink()
    held = RunFolder(folder, Manifest.of(pipeline="my/any"), later=True)
    assert held.recovered
    held.close()
    journal = Journal(folder / "journal")
    journal.close()
    assert materialize(folder)

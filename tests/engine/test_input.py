"""A run folder keeps the problems it was made with, unless somebody says that others take their place."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import Counting, ask, contents, run, sums, synth, write_rows, yaml_file

from synth.engine import Target, forget
from synth.engine import run as run_it
from synth.errors import InputError, ModelError, RunFolderError
from synth.models import Request, ScriptedModel, World
from synth.store.manifest import read_manifest
from synth.store.run_folder import INPUT

PIPELINE = """
    pipeline: my/input
    steps:
      - {step: generate}
      - {step: verify_answer}
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return yaml_file(tmp_path / "p.yaml", PIPELINE)


def problems(folder: Path) -> int:
    return int(ask(folder, "SELECT count(*) FROM problems")[0][0])


async def test_a_smaller_limit_is_refused_and_changes_nothing(made: Path, tmp_path: Path):
    script, folder, rows = Counting(), tmp_path / "run", sums(tmp_path / "in.jsonl", 20)
    await run(made, rows, folder, ScriptedModel(script))
    before, manifest = contents(folder), read_manifest(folder)
    with pytest.raises(RunFolderError) as caught:
        await run(made, rows, folder, ScriptedModel(script), limit=5)
    for part in (
        "15 of the 20 problems of this run are not in the first 5 problems of ",
        "they would be excluded from the run, and 0 problems would be new. The run was made with ",
        "--replace-input (replace_input=True in Python)",
    ):
        assert part in str(caught.value)
    assert (len(script.asked), contents(folder), read_manifest(folder)) == (20, before, manifest)
    notes: list[str] = []
    await run(made, rows, folder, ScriptedModel(script), limit=5, replace_input=True, on_note=notes.append)
    assert problems(folder) == 5
    assert "15 problems of earlier sessions are not in this input any more and were excluded" in notes[0]
    await run(made, rows, folder, ScriptedModel(script))
    assert problems(folder) == 20
    assert len(script.asked) == 20  # their calls were on record


async def test_another_input_is_refused_and_more_rows_are_not(made: Path, tmp_path: Path):
    script, folder = Counting(), tmp_path / "run"
    rows = sums(tmp_path / "in.jsonl", 10)
    await run(made, rows, folder, ScriptedModel(script), limit=6)
    other = write_rows(tmp_path / "other.jsonl", [{"question": f"What is {i}?", "answer": str(i)} for i in range(4)])
    told = "6 of the 6 problems of this run are not in .*other.jsonl: .* and 4 problems would be new. The run was made with the first 6"
    with pytest.raises(RunFolderError, match=told):
        await run(made, other, folder, ScriptedModel(script))
    assert len(script.asked) == 6
    elsewhere = tmp_path / "elsewhere.jsonl"
    lines = rows.read_text().splitlines(keepends=True)
    elsewhere.write_text("".join(reversed(lines)))  # another path, another order, more rows: none is lost
    await run(made, elsewhere, folder, ScriptedModel(script))
    assert len(script.asked) == problems(folder) == 10
    less = tmp_path / "less.jsonl"
    less.write_text("".join(line for i, line in enumerate(lines) if i != 2))
    with pytest.raises(RunFolderError, match="1 of the 10 problems"):
        await run(made, less, folder)


async def test_a_limit_that_lacks_nothing_done_is_no_loss(made: Path, tmp_path: Path):
    """What counts is what was done, not what the input was."""
    script, folder, rows = Counting(), tmp_path / "run", sums(tmp_path / "in.jsonl", 30)
    await run(made, rows, folder, ScriptedModel(script, concurrency=1), until=Target(3, "kept"))
    await run(made, rows, folder, ScriptedModel(script), limit=10)
    assert problems(folder) == 10
    await run(made, rows, folder, ScriptedModel(script), limit=20)
    assert problems(folder) == len(script.asked) == 20


async def test_problems_whose_replies_were_forgotten_are_not_lost_either(made: Path, tmp_path: Path):
    folder, rows = tmp_path / "run", sums(tmp_path / "in.jsonl", 4)
    await run(made, rows, folder, ScriptedModel(Counting()))
    forget(folder, [c for (c,) in ask(folder, "SELECT id FROM calls")])
    with pytest.raises(RunFolderError, match="2 of the 4 problems"):
        await run(made, rows, folder, ScriptedModel(Counting()), limit=2)


def test_rows_given_from_python_are_not_lost_by_an_input_that_is_refused(made: Path, tmp_path: Path):
    folder = tmp_path / "run"
    rows = [{"question": f"What is {i} and {i}?", "answer": str(2 * i)} for i in range(5)]
    run_it(made, rows, folder, models="scripted", progress=False)
    before = (folder / INPUT).read_bytes()
    with pytest.raises(RunFolderError, match="3 of the 5 problems of this run are not in"):
        run_it(made, rows[:2], folder, models="scripted", progress=False)
    assert (folder / INPUT).read_bytes() == before
    with pytest.raises(InputError):
        run_it(made, [{"question": ""}], folder, models="scripted", progress=False)
    assert (folder / INPUT).read_bytes() == before
    run_it(made, rows[:2], folder, models="scripted", replace_input=True, progress=False)
    assert len((folder / INPUT).read_bytes().splitlines()) == problems(folder) == 2
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(INPUT)) == [INPUT]


def test_on_the_command_line(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 8)
    words = ("rehearse", "star", "--input", rows, "--run", tmp_path / "run")
    synth(*words, check=0)
    done = synth(*words, "--limit", 3, check=2)
    assert "5 of the 8 problems of this run are not in the first 3 problems of " in done.stderr
    assert "--replace-input" in done.stderr
    assert "5 problems of earlier sessions" in synth(*words, "--limit", 3, "--replace-input", check=0).stderr
    assert problems(tmp_path / "run") == 3


async def test_retry_does_what_failed_and_nothing_else(made: Path, tmp_path: Path):
    """A run that was stopped at a yield is not gone on with by `retry`."""
    folder, rows = tmp_path / "run", sums(tmp_path / "in.jsonl", 30)
    broken = True

    def script(request: Request, rng: random.Random) -> str:
        if broken and "Case 1:" in request.task.problem.question:
            raise ModelError("refused", "no")
        return World(solve_rate=1)(request, rng)

    await run(made, rows, folder, ScriptedModel(script, concurrency=1), until=Target(5, "kept"))
    (failed,) = (u for (u,) in ask(folder, "SELECT unit FROM failures"))
    before, broken = problems(folder), False
    await run(made, rows, folder, ScriptedModel(script), again=frozenset([failed]), again_only=True)
    assert problems(folder) == before < 30
    assert ask(folder, "SELECT count(*) FROM failures") == [(0,)]

from __future__ import annotations

from pathlib import Path

import pytest
from support import ask, sums, yaml_file

import synth
from synth.errors import SetupError, Stopped, UserError
from synth.teachers import ScriptedTeacher, World


def test_python_does_what_the_command_does(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 12)
    summary = synth.run("fine-tune-cot", rows, tmp_path / "run", teachers=ScriptedTeacher(World(solve_rate=1)))
    assert dict(summary.funnel)["kept"] == 48
    with synth.open_store(tmp_path / "run") as store:
        assert store.frame("SELECT * FROM kept_rationales").height == 48
    assert synth.export_run(tmp_path / "run", "sft", str(tmp_path / "out")).rows == 48
    again = synth.run("fine-tune-cot", rows, tmp_path / "run", teachers=ScriptedTeacher(World(solve_rate=1)))
    assert again.progress.calls.sent == 0


async def test_it_works_where_a_loop_runs_already(tmp_path: Path):
    summary = synth.run("star", sums(tmp_path / "in.jsonl", 3), tmp_path / "run", teachers="scripted")
    assert summary.progress.done == 3


def test_roles_take_teachers_and_names(tmp_path: Path):
    made = yaml_file(
        tmp_path / "two.yaml",
        """
        pipeline: my/two
        steps:
          - {step: rationalize, name: one, by: first}
          - {step: rationalize, name: two, by: second}
        """,
    )
    teachers = {"first": ScriptedTeacher(World(), name="mine"), "second": "scripted"}
    synth.run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", teachers=teachers)
    assert ask(tmp_path / "run", "SELECT DISTINCT step, teacher FROM rationales ORDER BY 1") == [
        ("one", "mine"),
        ("two", "scripted"),
    ]
    with pytest.raises(SetupError, match="no role 'third'"):
        synth.run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", teachers={"third": "scripted"})
    with pytest.raises(SetupError, match="no role 'third'"):
        synth.run(made, tmp_path / "in.jsonl", tmp_path / "run", teachers={"third": ScriptedTeacher(World())})
    with pytest.raises(UserError, match="names no sample"):
        synth.run(made, teachers="scripted")


def test_what_stops_early_raises_and_goes_on(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 5)
    with pytest.raises(Stopped, match="limit of 3 calls"):
        synth.run("star", rows, tmp_path / "run", teachers="scripted", max_calls=3)
    progress = synth.run("star", rows, tmp_path / "run", teachers="scripted").progress
    assert progress.earlier + progress.done == 5

"""Corpus steps that are added to a run by hand."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from support import ask, contents, run, sums, write_rows, yaml_file

from synth.cli.main import cli
from synth.engine import add_by_hand, by_hand, take_off
from synth.errors import RunFolderError, SynthError, UserError
from synth.store.journal import Journal
from synth.store.run_folder import hold
from synth.teachers import ScriptedTeacher, World

PIPELINE = """
    pipeline: my/p
    steps:
      - {step: rationalize, samples: 2}
    corpus:
      - {step: cap, at_most: 2, per: problem}
"""
ALIKE = PIPELINE.replace("cap, at_most: 2, per: problem", "near_duplicates")


def same_for_all(_request, _rng) -> str:
    return "It is the same for all of them, whatever they ask of it.\nThe answer is 9."


async def test_what_is_added_comes_after_the_pipelines_own_is_judged_anew_and_can_be_taken_off(tmp_path: Path):
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    rows, teacher = sums(tmp_path / "in.jsonl", 8), ScriptedTeacher(same_for_all)
    await run(made, rows, folder, teacher, limit=4)
    plain = contents(folder)
    assert add_by_hand(folder, {"step": "cap", "at_most": 1, "per": "problem"}, print).name == "cap_2"
    add_by_hand(folder, {"step": "near_duplicates"}, print)
    out = "SELECT step, count(*) FROM rejections GROUP BY ALL ORDER BY ALL"
    assert ask(folder, out) == [("cap_2", 4), ("near_duplicates", 3)]
    names = [("rationalize",), ("cap",), ("cap_2",), ("near_duplicates",)]
    assert ask(folder, "SELECT name FROM pipeline_steps ORDER BY position") == names

    before = contents(folder)
    await run(made, rows, folder, teacher, limit=4)  # nothing is new
    assert contents(folder) == before
    await run(made, rows, folder, teacher)
    assert ask(folder, out) == [("cap_2", 8), ("near_duplicates", 7)]
    assert ask(folder, "SELECT name FROM pipeline_steps ORDER BY position") == names

    assert take_off(folder, print) == "near_duplicates"
    assert ask(folder, out) == [("cap_2", 8)]
    assert take_off(folder, print) == "cap_2"
    assert ask(folder, out) == []
    with pytest.raises(UserError, match="no corpus step was added by hand"):
        take_off(folder, print)
    await run(made, rows, folder, teacher, limit=4, replace_input=True)
    assert contents(folder) == plain


async def test_a_run_killed_while_a_step_judged_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The step is noted last: before that, the same command of the run takes back what it put out."""
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    rows, teacher = sums(tmp_path / "in.jsonl", 4), ScriptedTeacher(same_for_all)
    await run(made, rows, folder, teacher)
    plain = contents(folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("synth.store.run_folder.RunFolder.note", killed)
        patch.setattr("synth.store.run_folder.RunFolder.__init__", _held_without_noting)
        with pytest.raises(KeyboardInterrupt):
            add_by_hand(folder, {"step": "near_duplicates"}, print)
    assert ask(folder, "SELECT count(*) FROM rejections") == [(7,)]
    await run(made, rows, folder, teacher)
    assert contents(folder) == plain


async def test_units_of_a_session_that_was_stopped_before_the_corpus_steps_are_judged_by_the_next(tmp_path: Path):
    """Though the session before that had let the steps look at its own."""
    made, folder = yaml_file(tmp_path / "p.yaml", ALIKE), tmp_path / "run"
    rows, teacher = sums(tmp_path / "in.jsonl", 4), ScriptedTeacher(same_for_all)
    await run(made, rows, tmp_path / "whole", teacher)
    await run(made, rows, folder, teacher, limit=2)
    journal = Journal(folder / "journal")
    for line in (tmp_path / "whole/journal/000001.jsonl").read_bytes().splitlines():
        entry = orjson.loads(line)
        if entry["kind"] == "commit" and entry["body"]["owner"].startswith("b2:"):
            journal.append("commit", orjson.dumps(entry["body"]))
    journal.close()
    await run(made, rows, folder, teacher)
    assert contents(folder) == contents(tmp_path / "whole")


def _held_without_noting(self, path: Path, _manifest: object) -> None:
    self.path, self._lock = path, hold(path)


async def test_files_are_read_from_beside_the_working_folder_and_go_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made, place = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "place"
    await run(made, sums(tmp_path / "in.jsonl", 4), place / "run", ScriptedTeacher(World()))
    ((question,),) = ask(place / "run", "SELECT question FROM problems ORDER BY id LIMIT 1")
    write_rows(place / "bench.jsonl", [{"question": question}])
    monkeypatch.chdir(place)
    told = CliRunner().invoke(cli, ["curate", "run", "decontaminate", "--set", "against=[bench.jsonl]"])
    assert told.exit_code == 0, told.output
    assert "decontaminate: 1 problems out, shares 13 words in a row with a benchmark" in told.output
    monkeypatch.chdir(tmp_path)
    moved = place.rename(tmp_path / "elsewhere") / "run"
    (step,) = by_hand(moved)
    assert not list(step.problems_with())
    told = CliRunner().invoke(cli, ["curate", str(moved)])
    assert "decontaminate: 1 problems out" in told.output


async def test_a_mistake_changes_nothing(tmp_path: Path):
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    await run(made, sums(tmp_path / "in.jsonl", 4), folder, ScriptedTeacher(World()))
    plain, note = contents(folder), (folder / "run.json").read_bytes()

    def told(*words: str) -> str:
        done = CliRunner().invoke(cli, ["curate", str(folder), *words])
        assert done.exit_code
        return done.output + str(done.exception)

    assert "Input should be greater than 0" in told("near_duplicates", "--set", "threshold=0")
    assert "did you mean 'near_duplicates'" in told("near_duplicate")
    assert "has no =" in told("cap", "--set", "at_most")
    assert "is not YAML" in told("cap", "--set", "at_most={")
    assert "no step is named" in told("--set", "at_most=1")
    assert "whichever it is" in told("cap", "--undo")
    assert "there is no" in told("decontaminate", "--set", "against=[absent.jsonl]")
    with pytest.raises(SynthError, match="no finite number"):
        add_by_hand(folder, {"step": "band", "of": "rationale.text", "target": "rationale", "lowest": 1}, print)
    lock = hold(folder)
    with pytest.raises(RunFolderError, match="another process"):
        add_by_hand(folder, {"step": "cap", "at_most": 1, "per": "problem"}, print)
    lock.release()
    with pytest.raises(RunFolderError, match="no run"):
        add_by_hand(tmp_path / "absent", {"step": "cap", "at_most": 1, "per": "problem"}, print)
    assert (folder / "run.json").read_bytes() == note
    assert contents(folder) == plain
    assert "no corpus step was added by hand" in CliRunner().invoke(cli, ["curate", str(folder)]).output

"""Corpus steps that are added to a run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from support import ask, contents, run, sums, synth, write_rows, yaml_file

from synth.cli.main import cli
from synth.engine import add_by_hand, by_hand, corpus_is_due, take_off
from synth.errors import RunFolderError, SynthError, UserError
from synth.models import ScriptedModel, World
from synth.store.commits import commit_body
from synth.store.journal import Journal
from synth.store.owners import CORPUS
from synth.store.run_folder import hold

PIPELINE = """
    pipeline: my/p
    steps:
      - {step: generate, samples: 2}
    corpus:
      - {step: limit_per_group, at_most: 2, per: problem}
"""
ALIKE = PIPELINE.replace("limit_per_group, at_most: 2, per: problem", "near_duplicates")


def same_for_all(_request, _rng) -> str:
    return "It is the same for all of them, whatever they ask of it.\nThe answer is 9."


async def test_what_is_added_comes_after_the_pipelines_own_is_judged_again_and_can_be_taken_off(tmp_path: Path):
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    rows, model = sums(tmp_path / "in.jsonl", 8), ScriptedModel(same_for_all)
    await run(made, rows, folder, model, limit=4)
    plain = contents(folder)
    assert (
        add_by_hand(folder, {"step": "limit_per_group", "at_most": 1, "per": "problem"}, print).name
        == "limit_per_group_2"
    )
    add_by_hand(folder, {"step": "near_duplicates"}, print)
    out = "SELECT step, count(*) FROM rejections GROUP BY ALL ORDER BY ALL"
    assert ask(folder, out) == [("limit_per_group_2", 4), ("near_duplicates", 3)]
    names = [("generate",), ("limit_per_group",), ("limit_per_group_2",), ("near_duplicates",)]
    assert ask(folder, "SELECT name FROM pipeline_steps ORDER BY position") == names

    before = contents(folder)
    await run(made, rows, folder, model, limit=4)  # nothing is new
    assert contents(folder) == before
    await run(made, rows, folder, model)
    assert ask(folder, out) == [("limit_per_group_2", 8), ("near_duplicates", 7)]
    assert ask(folder, "SELECT name FROM pipeline_steps ORDER BY position") == names

    assert take_off(folder, print) == "near_duplicates"
    assert ask(folder, out) == [("limit_per_group_2", 8)]
    assert take_off(folder, print) == "limit_per_group_2"
    assert ask(folder, out) == []
    with pytest.raises(UserError, match="no corpus step was added manually"):
        take_off(folder, print)
    await run(made, rows, folder, model, limit=4, replace_input=True)
    assert contents(folder) == plain


async def test_a_run_killed_while_a_step_judged_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The step is noted last: before that, the same command of the run takes back what it put out."""
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    rows, model = sums(tmp_path / "in.jsonl", 4), ScriptedModel(same_for_all)
    await run(made, rows, folder, model)
    plain = contents(folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("synth.store.run_folder.RunFolder.note", killed)
        with pytest.raises(KeyboardInterrupt):
            add_by_hand(folder, {"step": "near_duplicates"}, print)
    assert ask(folder, "SELECT count(*) FROM rejections") == [(7,)]
    await run(made, rows, folder, model)
    assert contents(folder) == plain


async def test_units_of_a_session_that_was_stopped_before_the_corpus_steps_are_judged_by_the_next(tmp_path: Path):
    """Though the session before that had let the steps look at its own."""
    made, folder = yaml_file(tmp_path / "p.yaml", ALIKE), tmp_path / "run"
    rows, model = sums(tmp_path / "in.jsonl", 4), ScriptedModel(same_for_all)
    await run(made, rows, tmp_path / "whole", model)
    await run(made, rows, folder, model, limit=2)
    journal = Journal(folder / "journal")
    for line in (tmp_path / "whole/journal/000001.jsonl").read_bytes().splitlines():
        entry = orjson.loads(line)
        if entry["kind"] == "commit" and entry["body"]["owner"].startswith("b2:"):
            journal.append("commit", orjson.dumps(entry["body"]))
    journal.close()
    await run(made, rows, folder, model)
    assert contents(folder) == contents(tmp_path / "whole")


def test_retry_finishes_what_a_killed_retry_left(tmp_path: Path):
    """A retry that was killed after its units and before the corpus steps has no failed unit left, and is done all the same."""
    made, folder = yaml_file(tmp_path / "p.yaml", ALIKE), tmp_path / "run"
    rows = sums(tmp_path / "in.jsonl", 4)
    synth("run", made, "--input", rows, "--model", "scripted", "--run", folder, "--limit", 2, check=0)
    assert not corpus_is_due(folder)
    assert "nothing to retry" in synth("retry", folder, check=0).stdout
    whole = contents(folder)
    lines = (folder / "journal/000001.jsonl").read_bytes().splitlines()
    journal = Journal(folder / "journal")
    for entry in map(orjson.loads, lines):
        if entry["kind"] == "commit" and entry["body"]["owner"].startswith("b2:"):
            journal.append("commit", orjson.dumps(entry["body"]))
    journal.append("commit", commit_body(CORPUS, "", []))
    journal.close()
    assert corpus_is_due(folder)
    synth("retry", folder, check=0)
    assert not corpus_is_due(folder)
    assert contents(folder) == whole


async def test_files_are_read_from_beside_the_working_folder_and_go_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made, place = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "place"
    await run(made, sums(tmp_path / "in.jsonl", 4), place / "run", ScriptedModel(World()))
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


@pytest.mark.parametrize(
    "step",
    [{"step": "decontaminate", "against": ["../private.jsonl"]}, {"step": "near_duplicates", "index": "../index"}],
)
async def test_what_somebody_else_added_reads_nothing_outside_of_the_run(tmp_path: Path, step: dict[str, Any]):
    """Neither the command that lists them, nor one that adds another, nor a run does; what the user vouches for may."""
    made, rows, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 4), tmp_path / "run"
    model = ScriptedModel(World())
    await run(made, rows, folder, model, limit=2)
    ((question,),) = ask(folder, "SELECT question FROM problems ORDER BY id LIMIT 1")
    write_rows(tmp_path / "private.jsonl", [{"question": question}])
    path = folder / "run.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"curated": [step | {"name": "theirs"}]}))
    before = path.read_bytes(), (folder / "journal" / "000001.jsonl").read_bytes()

    def curate(*words: str) -> str:
        done = CliRunner().invoke(cli, ["curate", str(folder), *words])
        return str(done.exception) if done.exit_code else done.output

    for words in ([], ["limit_per_group", "--set", "at_most=1", "--set", "per=problem"]):
        assert "not by you" in (told := curate(*words))
        assert "theirs: ../" in told
        assert "synth curate RUN --yes" in told
    with pytest.raises(RunFolderError, match="not by you"):
        await run(made, rows, folder, model)
    assert before == (path.read_bytes(), (folder / "journal" / "000001.jsonl").read_bytes())
    assert curate("--undo") == "theirs is removed\n"
    assert by_hand(folder) == ()
    path.write_bytes(before[0])
    if step["step"] == "decontaminate":
        assert (
            "theirs: 1 problems out"
            in curate("--yes", "limit_per_group", "--set", "at_most=1", "--set", "per=problem") + curate()
        )
        await run(made, rows, folder, model)


async def test_a_mistake_changes_nothing(tmp_path: Path):
    made, folder = yaml_file(tmp_path / "p.yaml", PIPELINE), tmp_path / "run"
    await run(made, sums(tmp_path / "in.jsonl", 4), folder, ScriptedModel(World()))
    plain, note = contents(folder), (folder / "run.json").read_bytes()

    def told(*words: str) -> str:
        done = CliRunner().invoke(cli, ["curate", str(folder), *words])
        assert done.exit_code
        return done.output + str(done.exception)

    assert "Input should be greater than 0" in told("near_duplicates", "--set", "threshold=0")
    assert "did you mean 'near_duplicates'" in told("near_duplicate")
    assert "has no =" in told("limit_per_group", "--set", "at_most")
    assert "is not YAML" in told("limit_per_group", "--set", "at_most={")
    assert "no step is named" in told("--set", "at_most=1")
    assert "whichever it is" in told("limit_per_group", "--undo")
    assert "there is no" in told("decontaminate", "--set", "against=[absent.jsonl]")
    with pytest.raises(SynthError, match="no finite number"):
        add_by_hand(folder, {"step": "filter_range", "of": "rationale.text", "target": "rationale", "lowest": 1}, print)
    lock = hold(folder)
    with pytest.raises(RunFolderError, match="another process"):
        add_by_hand(folder, {"step": "limit_per_group", "at_most": 1, "per": "problem"}, print)
    lock.release()
    with pytest.raises(RunFolderError, match="no run"):
        add_by_hand(tmp_path / "absent", {"step": "limit_per_group", "at_most": 1, "per": "problem"}, print)
    assert (folder / "run.json").read_bytes() == note
    assert contents(folder) == plain
    assert "no corpus step was added manually" in CliRunner().invoke(cli, ["curate", str(folder)]).output

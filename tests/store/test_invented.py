"""What the scripted model wrote is called invented wherever it is shown, and is not published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import StandIn, ask, contents, run, sums, synth, yaml_file

from synth.errors import RunFolderError, UserError
from synth.export import export_run
from synth.models import ScriptedModel, World
from synth.publish import push
from synth.render.report import write_report
from synth.store.database import open_store
from synth.store.invented import SCRIPTED, invented_in

TOLD = "invented: the scripted model"
PIPELINE = """
    pipeline: my/invented
    steps:
      - {step: generate, by: writer}
      - {step: verify_answer}
      - {step: review, by: reviewer}
"""


def real(name: str = "gpt") -> StandIn:
    """A language model."""
    return StandIn(World(solve_rate=1), name=name)


def invented(folder: Path) -> str | None:
    with open_store(folder) as store:
        found = invented_in(store)
    return found.sentence if found is not None else None


def test_the_scripted_model_is_known_by_its_endpoint():
    assert ScriptedModel(World(), name="gpt").endpoint.startswith(SCRIPTED)


@pytest.mark.parametrize("command", ["rehearse", "run"])
def test_it_is_said_at_every_place(tmp_path: Path, command: str):
    """Status, report, export, its note, card and audit; a push is refused whatever is asked for."""
    folder, data = tmp_path / "run", tmp_path / "data"
    words = ("--model", "scripted") if command == "run" else ()
    done = synth(command, "fine-tune-cot", "--limit", 8, "--run", folder, *words, check=0)
    assert TOLD in " ".join(done.stderr.split())
    assert TOLD in " ".join(synth("status", folder, check=0).stdout.split())
    assert TOLD in synth("audit", folder).stderr
    done = synth("export", folder, "--to", "sft", "--to", "dpo", "--out", data, "--card", check=0)
    assert done.stderr.count(TOLD) == 1
    noted = json.loads((data / ".synth-export.json").read_text())["exports"]
    assert noted["sft.jsonl"]["invented"] == noted["dpo.jsonl"]["invented"] == ["scripted"]
    assert {json.loads(line)["model"] for line in (data / "sft.jsonl").read_text().splitlines()} == {"scripted"}
    card = (data / "README.md").read_text()
    assert f"# run\n\n**The text of this run is {TOLD}" in card
    assert "\n- invented-text\n" in card
    assert f"- The text of this run is {TOLD}" in card.partition("## Known limits")[2]
    write_report(folder, tmp_path / "r.html")
    assert f'role="note">The text of this run is {TOLD}' in (tmp_path / "r.html").read_text()
    for more in ((), ("--dry-run",), ("--ignore-audits", "--replace", "--public")):
        done = synth("push", folder, "me/x", "--to", "sft", *more, check=2)
        assert f"{TOLD} (scripted)" in done.stderr
        assert "It is not published" in done.stderr
        assert "in a folder of its own" in done.stderr


async def test_a_run_of_language_models_says_nothing(tmp_path: Path):
    folder = tmp_path / "run"
    made = yaml_file(tmp_path / "p.yaml", PIPELINE)
    await run(made, sums(tmp_path / "in.jsonl", 5), folder, {"writer": [real()], "reviewer": [real("judge")]})
    assert invented(folder) is None
    written = export_run(folder, "sft", tmp_path / "data")
    assert not [note for note in written.notes if "invented" in note]
    assert "invented" not in json.loads((tmp_path / "data" / ".synth-export.json").read_text())["exports"]["sft.jsonl"]
    write_report(folder, tmp_path / "r.html")
    assert TOLD not in (tmp_path / "r.html").read_text()


async def test_some_models_may_be_scripted(tmp_path: Path):
    """Reviews that are invented decide what is kept: the run is invented in part."""
    folder = tmp_path / "run"
    made = yaml_file(tmp_path / "p.yaml", PIPELINE)
    models = {"writer": [real()], "reviewer": [ScriptedModel(World(), name="judge")]}
    await run(made, sums(tmp_path / "in.jsonl", 5), folder, models)
    assert "invented: the scripted model (judge) answered 5 of the 10 calls" in (invented(folder) or "")
    with pytest.raises(UserError, match="invented"):
        push(folder, "me/x", "sft")


async def test_a_rehearsal_that_a_language_model_has_replaced_is_none(tmp_path: Path):
    """The scripted calls stay in the ledger, and no record stems from them."""
    folder, rows, made = tmp_path / "run", sums(tmp_path / "in.jsonl", 5), yaml_file(tmp_path / "p.yaml", PIPELINE)
    scripted = ScriptedModel(World(), name="gpt")
    await run(made, rows, folder, {"writer": [scripted], "reviewer": [scripted]})
    assert invented(folder) is not None
    await run(made, rows, folder, {"writer": [real()], "reviewer": [real("judge")]})
    assert ask(folder, "SELECT bool_or(invented) FROM models") == [(True,)]
    assert invented(folder) is None


async def test_a_rehearsal_does_not_replace_what_language_models_wrote(tmp_path: Path):
    """It would cost nothing, and every record would be invented from then on."""
    folder, rows, made = tmp_path / "run", sums(tmp_path / "in.jsonl", 5), yaml_file(tmp_path / "p.yaml", PIPELINE)
    await run(made, rows, folder, {"writer": [real()], "reviewer": [real("judge")]})
    before = contents(folder)
    told = r"made with language models \(gpt, judge\); the scripted model \(scripted\) would replace"
    with pytest.raises(RunFolderError, match=told):
        await run(made, rows, folder, ScriptedModel(World()))
    assert contents(folder) == before


async def test_votes_that_no_record_notes_count_too(tmp_path: Path):
    """A tree notes one of its votes a node: another may be the scripted model's."""
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/votes
        extends: trees/thought-trees
        roles: {first: votes, second: votes}
        override:
          tree: {by: [first, second], votes: 1, justify: false}
          report: null
          verify_answer: null
          pair: null
          right: null
        """,
    )
    rows = tmp_path / "in.jsonl"
    rubric = {"elements": [{"name": "a", "question": "Is it so?"}], "rule": "count"}
    rows.write_text(
        json.dumps({"question": "Mark it.", "context": "It is so.", "rubric": rubric, "answer": "1"}) + "\n"
    )
    voters = {"first": [real()], "second": [ScriptedModel(World(), name="other")]}
    await run(made, rows, tmp_path / "run", voters)
    assert "(other)" in (invented(tmp_path / "run") or "")

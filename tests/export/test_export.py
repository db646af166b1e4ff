from __future__ import annotations

import asyncio
import json
from pathlib import Path

import polars as pl
import pytest
from support import ask, run, sums, write_rows, yaml_file

from synth.errors import UserError
from synth.export import FORMATS, ExportOptions, export_run
from synth.models import ScriptedModel, World


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cot")

    def script(request, rng):
        """States its answers in another form than the gold ones, so that the two cannot be mistaken for each other."""
        return World()(request, rng).replace("The answer is ", "The answer is $")

    asyncio.run(run("distil/fine-tune-cot", sums(path / "in.jsonl", 30), path / "run", ScriptedModel(script)))
    return path / "run"


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_sft_rows_are_the_kept_rationales_with_their_lineage(folder: Path, tmp_path: Path):
    made = export_run(folder, "sft", tmp_path / "out")
    got = rows(made.path)
    kept = {
        r[0]: r
        for r in ask(
            folder,
            "SELECT r.id, c.reply, r.call, p.id, r.answer, p.question FROM kept_rationales r JOIN problems p ON p.id = r.problem "
            "JOIN calls c ON c.id = r.call",
        )
    }
    assert made.rows == len(got) == len(kept) > 50
    for row in got:
        FORMATS["sft"].model_validate(row)
        _, said, call, problem, answer, question = kept[row["record_id"]]
        assert row["messages"] == [
            {"role": "user", "content": question},
            {"role": "assistant", "content": said},
        ]
        assert (row["call_id"], row["problem_id"], row["unit"], row["model"]) == (call, problem, problem, "scripted")
        assert row["answer"] == answer
        assert said.endswith(f"\nThe answer is {answer}.")
        assert json.loads(row["scores"]) == {"correct": 1.0}
    assert ask(folder, f"SELECT count(*) FROM calls WHERE id IN ({', '.join(repr(r['call_id']) for r in got)})") == [
        (len(got),)
    ]


def test_dpo_rows_state_both_answers(folder: Path, tmp_path: Path):
    got = rows(export_run(folder, "dpo", tmp_path / "out").path)
    assert len(got) == ask(folder, "SELECT count(*) FROM kept_pairs")[0][0] > 20
    answers = dict(ask(folder, "SELECT id, answer FROM rationales"))
    for row in got:
        FORMATS["dpo"].model_validate(row)
        assert row["prompt"][-1]["role"] == "user"
        assert row["chosen"][0]["content"].endswith(f"The answer is {answers[row['chosen_id']]}.")
        assert row["rejected"][0]["content"].endswith(f"The answer is {answers[row['rejected_id']]}.")
        assert answers[row["chosen_id"]] != answers[row["rejected_id"]]
        assert answers[row["chosen_id"]].startswith("$")
        assert row["chosen"] != row["rejected"]
        assert row["reason"] == "correctness"


@pytest.mark.parametrize("to", ["sft", "dpo"])
def test_datasets_loads_them_and_both_kinds_of_file_hold_the_same(folder: Path, tmp_path: Path, to: str):
    from datasets import load_dataset

    lines = export_run(folder, to, tmp_path / "a").path
    table = export_run(folder, to, tmp_path / "a", ExportOptions(file_format="parquet")).path
    loaded = load_dataset("json", data_files=str(lines), split="train", cache_dir=str(tmp_path / "c"))
    again = load_dataset("parquet", data_files=str(table), split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.to_list() == again.to_list() == rows(lines)
    assert set(loaded.column_names) == set(FORMATS[to].model_fields) - {"prefix"}  # which is of --prefix
    assert pl.read_parquet(table).height == len(rows(lines))


async def test_choices_are_shown_and_delimiters_are_those_of_the_paper(tmp_path: Path):
    path = write_rows(
        tmp_path / "in.jsonl",
        [{"question": "Which?", "context": "Red is it.", "choices": ["red", "blue"], "answer": "A"}],
    )
    await run("distil/fine-tune-cot", path, tmp_path / "run", ScriptedModel(World(solve_rate=1)))
    (one, *_) = rows(export_run(tmp_path / "run", "sft", tmp_path / "o", ExportOptions(system="Be brief.")).path)
    assert one["messages"][0] == {"role": "system", "content": "Be brief."}
    assert one["messages"][1]["content"] == "Red is it.\n\nWhich?\nA) red\nB) blue"
    assert one["messages"][2]["content"].endswith("\nThe answer is A.")
    (one, *_) = rows(export_run(tmp_path / "run", "sft", tmp_path / "o", ExportOptions(style="delimiter")).path)
    assert one["messages"][0]["content"].endswith("B) blue ###")
    assert one["messages"][1]["content"].endswith(" --> A END")


async def test_nothing_to_export_is_told(tmp_path: Path):
    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}]")
    await run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run")
    with pytest.raises(UserError, match="nothing to export as dpo"):
        export_run(tmp_path / "run", "dpo", tmp_path / "out")
    with pytest.raises(UserError, match="no format 'sfft'"):
        export_run(tmp_path / "run", "sfft", tmp_path / "out")
    assert not (tmp_path / "out").exists()

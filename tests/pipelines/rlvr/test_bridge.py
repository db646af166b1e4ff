"""rlvr/bridge (arXiv:2509.06948): one set of problems as two exports, and what training on both gained."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, sums, write_rows

import synth as package
from synth.export import ExportOptions, export_group, export_run
from synth.models import ScriptedModel, World
from synth.sources import load_mapping

FOLDER = ROOT / "pipelines" / "rlvr" / "bridge"


def exported(folder: Path, out: Path) -> dict[str, dict[str, list[Any]]]:
    """The rows of both exports by split."""
    export_group(folder, {"sft": ExportOptions(), "grpo": ExportOptions()}, out)
    return {
        to: {
            path.name.split(".")[1]: [json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted(out.glob(f"{to}.*.jsonl"))
        }
        for to in ("sft", "grpo")
    }


@pytest.mark.parametrize("p", [0.2, 0.6])
async def test_both_exports_hold_the_same_problems_in_the_same_order(tmp_path: Path, p: float):
    """Of n problems 1 - (1 - p)^k; the ids, answers and questions of the two are the same, split by split."""
    n, k = 200, 4
    made = preset(tmp_path / "p.yaml", "rlvr/bridge", near_duplicates=None)
    await run(made, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(World(solve_rate=p)))
    found = exported(tmp_path / "run", tmp_path / "out")
    assert set(found["sft"]) == set(found["grpo"]) == {"train", "test"}
    for split, rows in found["sft"].items():
        prompts = found["grpo"][split]
        assert [row["problem_id"] for row in rows] == [row["problem_id"] for row in prompts]
        assert [row["answer"] for row in rows] == [row["answer"] for row in prompts]
        assert [row["messages"][:-1] for row in rows] == [row["prompt"] for row in prompts]
    whole = [row for rows in found["grpo"].values() for row in rows]
    assert near(len(whole) / n, 1 - (1 - p) ** k, n)
    assert all(row["right"] >= 1 for row in whole)
    assert {row["problem_id"] for row in found["grpo"]["train"]}.isdisjoint(
        r["problem_id"] for r in found["grpo"]["test"]
    )


async def test_every_trainer_with_rewards_has_the_ids_of_the_demonstrations(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "rlvr/bridge", near_duplicates=None)
    await run(made, sums(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(World(solve_rate=0.3)))
    (sft,) = [
        sorted(r["problem_id"] for rows in exported(tmp_path / "run", tmp_path / "a")["sft"].values() for r in rows)
    ]
    for trainer in ("verl", "openrlhf", "nemo-rl", "verifiers"):
        files = export_run(tmp_path / "run", "grpo", tmp_path / trainer, ExportOptions(trainer=trainer)).files
        rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
        assert sorted(row.get("problem_id") or row["extra_info"]["problem_id"] for row in rows) == sft


async def test_a_problem_whose_demonstrations_are_too_long_is_in_neither(tmp_path: Path):
    def script(request, rng):
        answer = request.task.problem.answer
        words = "so it goes " * (300 if request.task.problem.question.startswith(("Case 1:", "Case 2:")) else 3)
        return f"{words}.\nThe answer is {answer}."

    made = preset(tmp_path / "p.yaml", "rlvr/bridge", split=None)
    await run(made, sums(tmp_path / "in.jsonl", 10), tmp_path / "run", ScriptedModel(script))
    out = export_group(tmp_path / "run", {"sft": ExportOptions(), "grpo": ExportOptions()}, tmp_path / "out")
    for made_file in out.values():
        rows = made_file.path.read_text().splitlines()
        assert len(rows) == 8
        assert not any("Case 1:" in row or "Case 2:" in row for row in rows)


async def test_the_shortest_right_demonstration_is_the_one(tmp_path: Path):
    def script(request, rng):
        return "\n".join(["And so on."] * rng.randrange(1, 9)) + f"\nThe answer is {request.task.problem.answer}."

    await run("rlvr/bridge", sums(tmp_path / "in.jsonl", 10), tmp_path / "run", ScriptedModel(script))
    lengths = "SELECT problem, min(length(response)) FROM {} GROUP BY 1 ORDER BY 1"
    assert ask(tmp_path / "run", lengths.format("kept_rationales")) == ask(
        tmp_path / "run", lengths.format("rationales")
    )
    assert ask(tmp_path / "run", "SELECT count(*), count(DISTINCT problem) FROM kept_rationales") == [(10, 10)]


def results(path: Path, **counts: tuple[int, int, int, int]) -> Path:
    """Results of two models, by bucket: how often both are right, only `both`, only `rl`, none."""
    rows: list[dict[str, Any]] = []
    for bucket, (all_right, gained, lost, none) in counts.items():
        for right_rl, right_both, n in ((1, 1, all_right), (0, 1, gained), (1, 0, lost), (0, 0, none)):
            for i in range(n):
                question = f"Of {bucket}, {right_rl}{right_both}: what is case {i}?"
                for model, right in (("rl", right_rl), ("both", right_both)):
                    said = f"So.\nThe answer is {i if right else -1}."
                    rows.append(
                        {"question": question, "answer": str(i), "model": model, "response": said, "bucket": bucket}
                    )
    return write_rows(path, rows)


def test_the_gain_and_its_exact_test_are_those_of_arithmetic(tmp_path: Path):
    """(8 - 2) / 40, and twice the tail of a binomial of 10: 112 / 1024."""
    rows = results(tmp_path / "in.jsonl", hard=(0, 8, 0, 10), easy=(20, 0, 2, 0))
    mapping = str(FOLDER / "results.yaml")
    made = {"pipeline": "import/test", "imports": load_mapping(mapping).gives()}
    package.run(made, rows, tmp_path / "run", mapping=mapping)
    found = {row[0]: row[1:] for row in ask(tmp_path / "run", (FOLDER / "gain.sql").read_text())}
    assert set(found) == {"hard", "easy", "over all"}
    assert found["over all"] == pytest.approx((40, 6 / 40, 8, 2, 2 * sum(comb(10, i) for i in range(3)) / 2**10))
    assert found["hard"] == pytest.approx((18, 8 / 18, 8, 0, 2 / 2**8))
    assert found["easy"] == pytest.approx((22, -2 / 22, 0, 2, 2 / 2**2))


def test_models_that_do_not_differ_gain_nothing(tmp_path: Path):
    rows = results(tmp_path / "in.jsonl", easy=(5, 3, 3, 5))
    mapping = str(FOLDER / "results.yaml")
    made = {"pipeline": "import/test", "imports": load_mapping(mapping).gives()}
    package.run(made, rows, tmp_path / "run", mapping=mapping)
    assert {row[1:] for row in ask(tmp_path / "run", (FOLDER / "gain.sql").read_text())} == {(16, 0, 3, 3, 1)}


@pytest.mark.data
def test_released_results_of_two_models_are_compared(data: Path, tmp_path: Path):
    """ZeroEval's GSM8K: a model that is better on most problems, counted by hand and by SQL."""
    named = {"openai/gpt-4o-2024-05-13": "both", "google/gemma-2-2b-it": "rl"}
    rows = []
    for line in (data / "zeroeval_gsm.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["generator"] in named:
            said, gold = row["output"][0], row["answer"].strip("# ")
            base = {"question": row["question"], "answer": gold, "bucket": "all"}
            rows.append({**base, "model": named[row["generator"]], "response": _stated(said)})
    mapping = str(FOLDER / "results.yaml")
    made = {"pipeline": "import/test", "imports": load_mapping(mapping).gives()}
    package.run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", mapping=mapping, skip_invalid=True)
    whole = ask(tmp_path / "run", (FOLDER / "gain.sql").read_text())[-1]
    right = dict(
        ask(
            tmp_path / "run",
            "SELECT model, avg(value) FROM rationales r JOIN scores s ON s.target = r.id WHERE name = 'correct' GROUP BY 1",
        )
    )
    assert whole[1] > 140
    assert whole[2] == pytest.approx(right["both"] - right["rl"], abs=0.02)
    assert whole[5] < 1e-6


def _stated(said: str) -> str:
    """The answer of a reply in JSON, in a sentence."""
    answer = said.rpartition('"answer":')[2].strip(' `}"\n')
    return f"{said}\nThe answer is {answer}."

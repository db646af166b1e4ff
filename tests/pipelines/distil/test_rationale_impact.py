"""distil/rationale-impact (arXiv:2505.24147): tries until one is right, and two exports of the same problems."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from methods import near
from support import ask, run, sums, synth, write_rows

from synth.models import ScriptedModel, World
from synth.verify import verify_answer


async def test_a_problem_is_tried_until_an_attempt_is_right(tmp_path: Path):
    """Kept are 1 - (1 - p)^10 of the problems, after (1 - (1 - p)^10) / p attempts each, and each has one rationale."""
    n, p = 250, 0.2
    solved = 1 - (1 - p) ** 10
    assert round(solved, 4) == 0.8926
    await run(
        "distil/rationale-impact", sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(World(solve_rate=p))
    )
    kept, problems = ask(tmp_path / "run", "SELECT count(*), count(DISTINCT problem) FROM kept_rationales")[0]
    assert kept == problems
    assert near(kept / n, solved, n)
    attempts = ask(tmp_path / "run", "SELECT count(*) FROM rationales")[0][0]
    assert near(kept / attempts, p, attempts)  # the attempts end with the first right one
    assert ask(tmp_path / "run", "SELECT max(c) FROM (SELECT count(*) c FROM rationales GROUP BY problem)") == [(10,)]
    assert not ask(
        tmp_path / "run",
        "SELECT 1 FROM kept_rationales WHERE id NOT IN (SELECT target FROM scores WHERE name = 'correct' AND value = 1)",
    )


async def test_the_two_exports_hold_the_same_problems(tmp_path: Path):
    """They differ in what is to be learnt, and in nothing else."""
    await run(
        "distil/rationale-impact",
        sums(tmp_path / "in.jsonl", 30),
        tmp_path / "run",
        ScriptedModel(World(solve_rate=0.1)),
    )
    rows = {}
    for folder, options in (("with", ["--per-problem", "1"]), ("without", ["--target", "answer"])):
        synth("export", tmp_path / "run", "--to", "sft", *options, "--out", tmp_path / folder, check=0)
        files = sorted((tmp_path / folder).glob("sft.*.jsonl"))
        rows[folder] = {
            row["problem_id"]: (file.name, row)
            for file in files
            for row in map(json.loads, file.read_text().splitlines())
        }
    assert 0 < len(rows["with"]) < 30
    assert rows["with"].keys() == rows["without"].keys()
    for problem, (file, row) in rows["with"].items():
        other_file, other = rows["without"][problem]
        assert file == other_file
        assert row["messages"][0]["content"].startswith(other["messages"][0]["content"])
        assert row["answer"] == other["answer"]
        assert "We know that" in row["messages"][1]["content"]
        assert other["messages"][1]["content"] == f"The answer is {row['answer']}."


@pytest.mark.data
async def test_published_answers_of_ten_models_are_tried_in_turn(tmp_path: Path, data: Path):
    """ZeroEval, GSM8K: attempt i is the reply of model i; a problem is kept after the first of them that is right."""
    replies, gold = defaultdict(list), {}
    for row in map(json.loads, (data / "zeroeval_gsm.jsonl").read_text().splitlines()):
        replies[row["question"]].append(row["output"][0])
        gold[row["question"]] = row["answer"].removeprefix("# ")
    replies = {question: texts[::-1] for question, texts in replies.items()}  # the strongest model is first in the file
    assert {len(r) for r in replies.values()} == {10}

    def teacher(request, rng):
        number = int(request.step.partition("_")[2] or 1)
        return replies[request.task.problem.question][number - 1]

    rows = [{"question": q, "answer": a} for q, a in gold.items()]
    await run(
        "distil/rationale-impact", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(teacher)
    )
    firsts = []
    for question, texts in replies.items():
        right = [verify_answer(t, gold[question], kind="number").label == "right" for t in texts]
        firsts.append(right.index(True) + 1 if any(right) else 0)
    assert ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM kept_rationales") == [
        (sum(f > 0 for f in firsts),)
    ]
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(sum(f or 10 for f in firsts),)]

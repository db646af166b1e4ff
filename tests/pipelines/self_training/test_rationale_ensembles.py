"""self_training/rationale-ensembles (arXiv:2207.00747): votes by closed form, orders of examples, replies of real models."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from math import comb
from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel, World

NAME = "self_training/rationale-ensembles"
ORDERS = ["order_1", "order_2", "order_3", "order_4"]


def one_order(path: Path, samples: int, **override) -> Path:
    """The same ensemble with the first order alone: self-consistency."""
    return preset(
        path, NAME, order_1={"samples": samples}, order_2=None, order_3=None, order_4=None, agreed=None, pair=None,
        medoid_score=None, medoid=None, **override,
    )  # fmt: skip


@pytest.mark.parametrize(("k", "expected", "n"), [(5, 0.6826, 120), (15, 0.7869, 60), (41, 0.9035, 40)])
async def test_a_vote_of_two_options_is_as_right_as_condorcet_says(tmp_path: Path, k: int, expected: float, n: int):
    """Samples that are right at 0.6 give majorities that are right at the sum of the upper half of the binomial."""
    assert round(sum(comb(k, i) * 0.6**i * 0.4 ** (k - i) for i in range(k // 2 + 1, k + 1)), 4) == expected
    model = ScriptedModel(World(solve_rate=0.6, lucky_rate=0))
    await run(one_order(tmp_path / "p.yaml", k), choices(tmp_path / "in.jsonl", n, 2), tmp_path / "run", model)
    labels = ask(
        tmp_path / "run",
        "SELECT DISTINCT r.problem, r.answer = p.answer FROM rationales r JOIN problems p ON p.id = r.problem "
        "JOIN scores s ON s.target = r.id WHERE s.name = 'vote' AND s.label = 'majority'",
    )
    assert len(labels) == n  # k is odd: no ties
    assert near(sum(right for _, right in labels) / n, expected, n)


@pytest.mark.parametrize(("orders", "right"), [(1, 0.25), (4, 1.0)])
async def test_four_orders_take_away_the_lean_to_the_first_example(tmp_path: Path, orders: int, right: float):
    """A model copies the label of the first example in 6 of 10 samples. In one order the copy wins, 24 to 16; in four each
    label gets 6 copies, and the right one 16 votes more.
    """
    n = 12

    def script(request, rng):
        first = next(m["content"] for m in request.messages if m["role"] == "assistant")
        copied, gold = first.splitlines()[-1], f"The answer is {request.task.problem.answer}."
        return f"So.\n{copied if request.sample % 10 < 6 else gold}"

    made = preset(tmp_path / "p.yaml", NAME, agreed={"keep": 'label.vote == "majority"'})
    if orders == 1:
        made = one_order(tmp_path / "p.yaml", 40)
    rows = [
        {"question": f"Which is it in case {i}?", "choices": [f"w{j}x{i}" for j in range(4)], "answer": "ABCD"[i % 4]}
        for i in range(n)
    ]
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    found = ask(
        tmp_path / "run",
        "SELECT DISTINCT r.problem, r.answer = p.answer FROM rationales r JOIN problems p ON p.id = r.problem "
        "JOIN scores s ON s.target = r.id WHERE s.name = 'vote' AND s.label = 'majority'",
    )
    assert sum(ok for _, ok in found) == right * n


async def test_labels_below_the_threshold_are_left_out_and_pairs_prefer_the_majority(tmp_path: Path):
    """40 votes in one ballot over the four orders; a label is kept from 0.6 on, one rationale for it, and no tie can be."""
    shares = {0: 24, 1: 23, 2: 20}  # votes for B of 40; the others are for A

    def script(request, rng):
        row = int(request.task.problem.question.split()[-1].rstrip("?"))
        number = ORDERS.index(request.step) * 10 + request.sample
        return f"Line {number % 3}.\nThe answer is {'B' if number < shares[row] else 'A'}."

    rows = [{"question": f"Which is case {i}?", "choices": ["x", "y"]} for i in shares]  # no gold answers
    await run(NAME, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    kept = ask(
        tmp_path / "run",
        "SELECT p.question, r.answer, s.value FROM kept_rationales r JOIN problems p ON p.id = r.problem "
        "JOIN scores s ON s.target = r.id AND s.name = 'vote'",
    )
    assert kept == [("Which is case 0?", "B", 0.6)]
    pairs = ask(
        tmp_path / "run",
        "SELECT p.question, a.answer, b.answer FROM pairs x JOIN problems p ON p.id = x.problem "
        "JOIN rationales a ON a.id = x.chosen JOIN rationales b ON b.id = x.rejected",
    )
    assert Counter(pairs) == {(f"Which is case {i}?", "B", "A"): 3 for i in (0, 1)}  # a tie prefers nothing


def replayed(texts: list[list[str]]) -> ScriptedModel:
    """A model that writes what others wrote, by the column `row` of the problem."""

    def script(request, rng):
        number = ORDERS.index(request.step) * 10 + request.sample
        return texts[request.task.problem.meta["row"]][number]

    return ScriptedModel(script)


@pytest.mark.data
async def test_replies_of_nine_models_are_voted_as_their_answers_say(data: Path, tmp_path: Path):
    """MMLU-Pro: the share of each vote is that of the letters that the data name, and the vote beats the mean model."""
    rows = [json.loads(line) for line in (data / "mmlu_pro_outputs.jsonl").read_text().splitlines()]
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["question_id"]].append(row)
    complete = [rs for rs in grouped.values() if len(rs) == 9 and all(r["pred"] for r in rs)]
    chosen = list({rs[0]["question"].casefold(): rs for rs in complete}.values())
    problems = [
        {"question": rs[0]["question"], "choices": rs[0]["options"], "answer": rs[0]["answer"], "row": i}
        for i, rs in enumerate(chosen)
    ]
    model = replayed([[r["model_outputs"] for r in rs] for rs in chosen])
    path = write_rows(tmp_path / "in.jsonl", problems)
    await run(one_order(tmp_path / "p.yaml", 9), path, tmp_path / "run", model)
    found = ask(
        tmp_path / "run",
        "SELECT CAST(p.meta->>'row' AS INT), r.sample, r.answer, s.value, s.label FROM rationales r "
        "JOIN problems p ON p.id = r.problem JOIN scores s ON s.target = r.id AND s.name = 'vote'",
    )
    letters = [[r["pred"] for r in rs] for rs in chosen]
    otherwise = [i for i, sample, answer, _, _ in found if letters[i][sample] != answer]
    assert len(otherwise) <= 0.05 * len(
        found
    )  # the data read some letters differently, or out of a text that states none
    misread = set(otherwise)
    assert all(v == letters[i].count(a) / 9 for i, _, a, v, _ in found if i not in misread)
    gold = [rs[0]["answer"] for rs in chosen]
    voted = {i: (answer, value) for i, _, answer, value, label in found if label == "majority"}
    mean = sum(letter == gold[i] for i, said in enumerate(letters) for letter in said) / (9 * len(chosen))
    right = {i for i, (answer, _) in voted.items() if answer == gold[i]}
    sure = {i for i, (_, value) in voted.items() if value >= 0.6}
    assert mean + 0.05 < len(right) / len(chosen) < len(right & sure) / len(sure) - 0.1


@pytest.mark.data
async def test_forty_samples_of_one_model_agree_with_its_published_majority(data: Path, tmp_path: Path):
    """Dates, 40 completions each: the label that is kept is the majority answer that the data name."""
    rows = [json.loads(line) for line in (data / "date_40_samples.jsonl").read_text().splitlines()[:20]]
    problems = [{"question": r["question"], "row": i} for i, r in enumerate(rows)]
    model = replayed([r["completions"] for r in rows])
    await run(NAME, write_rows(tmp_path / "in.jsonl", problems), tmp_path / "run", model)
    kept = ask(
        tmp_path / "run",
        "SELECT CAST(p.meta->>'row' AS INT), r.answer FROM kept_rationales r JOIN problems p ON p.id = r.problem",
    )
    assert len(kept) >= 18
    assert all(rows[i]["pred"] == answer for i, answer in kept)

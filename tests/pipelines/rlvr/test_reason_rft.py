"""rlvr/reason-rft (arXiv:2503.20752): a cold start, and rewards of answers that are right in part."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path

import pytest
from support import ROOT, ask, run, write_rows

from synth.models import ScriptedModel
from synth.rewards import numeric_smooth, set_match

NAME = "rlvr/reason-rft"
TABLE = (("100", 1), ("104", 1), ("105", 1), ("112.5", 0.5), ("120", 0), ("121", 0))
CHANGES = ["move(cube, left)", "paint(ball, red)", "remove(cone)"]


def saying(*answers: str) -> ScriptedModel:
    """Says the answers in the order of the samples."""
    return ScriptedModel(lambda request, rng: f"I look at it.\nThe answer is {answers[request.sample % len(answers)]}.")


@pytest.mark.parametrize("gold", ["100", "-100"])
def test_the_table_of_the_paper(gold: str):
    sign = gold.removesuffix("100")
    for said, value in TABLE:
        assert numeric_smooth([f"The answer is {sign}{said}."], answer=[gold]) == [pytest.approx(value)]
    between = [numeric_smooth([f"\\boxed{{{sign}{100 + e}}}"], answer=[gold])[0] for e in range(5, 21)]
    exact = [0.5 * (math.cos(math.pi * (e - 5) / 15) + 1) for e in range(5, 21)]
    assert between == pytest.approx(exact)


def test_numbers_with_signs_of_their_own():
    assert numeric_smooth(["The answer is 1,234."] * 2, answer=["1234", "1,234"]) == [1, 1]
    assert numeric_smooth(["The answer is 0.", "The answer is 0.2."], answer=["0", "0"]) == [1, 0]
    assert numeric_smooth(["The answer is 150."], answer=["100"], low=0.1, high=0.9) == [pytest.approx(0.5)]


def test_lists_of_changes():
    """The gold list has 1 in any order, one half with every member twice; parts of a change have a part of its worth."""
    gold = [json.dumps(CHANGES)]

    def worth(*said: str) -> float:
        return set_match([f"<answer>{json.dumps(said)}</answer>"], answer=gold)[0]

    assert {worth(*order) for order in permutations(CHANGES)} == {1.0}
    assert worth(*CHANGES, *CHANGES) == pytest.approx(0.5)
    assert worth(*CHANGES[:2]) == pytest.approx(2 / 3)
    assert worth(*CHANGES, "move(ball, left)") == pytest.approx(3 / 4)
    assert worth("move(cube, right)", *CHANGES[1:]) == pytest.approx((2 + 0.5) / 3)
    assert worth("move(ball, left)", *CHANGES[1:]) == pytest.approx((2 + 0.5) / 3)
    assert worth("move(ball, right)", *CHANGES[1:]) == pytest.approx((2 + 0.25) / 3)
    assert worth("turn(cube, left)") == worth() == 0
    assert set_match(["The answer is []."], answer=["[]"]) == [1]
    assert set_match(['The answer is ["move(cube, left)"].'], answer=["[]"]) == [0]


async def test_a_cold_start_of_right_answers_and_grades_of_all(tmp_path: Path):
    """The second sample is within 5 %: it is kept; the grade of each is the reward of its reply."""
    rows = write_rows(
        tmp_path / "in.jsonl",
        [{"question": f"How high is bar {i}?", "answer": "100", "answer_kind": "number"} for i in range(6)],
    )
    await run(NAME, rows, tmp_path / "run", saying("112.5", "104"))
    found = ask(
        tmp_path / "run",
        "SELECT r.answer, c.value, g.value, r.id IN (SELECT id FROM kept_rationales), r.response FROM rationales r "
        "JOIN scores c ON c.target = r.id AND c.name = 'correct' JOIN scores g ON g.target = r.id AND g.name = 'grade'",
    )
    assert len(found) == 12
    for answer, right, grade, kept, response in found:
        assert (answer, right, kept) in {("112.5", 0, False), ("104", 1, True)}
        assert grade == pytest.approx({"112.5": 0.5, "104": 1}[answer])
        assert numeric_smooth([response], answer=["100"]) == [pytest.approx(grade)]


async def test_the_sample_names_the_reward_of_each_row(tmp_path: Path):
    model = ScriptedModel(lambda request, rng: f"Hm.\nThe answer is {request.task.problem.answer}.")
    await run(NAME, ROOT / "samples" / "figures.jsonl", tmp_path / "run", model)
    kinds = ask(
        tmp_path / "run", "SELECT answer_kind, reward->>'name', count(*) FROM kept_problems GROUP BY ALL ORDER BY 1"
    )
    assert kinds == [("number", "numeric_smooth", 12), ("set", "set_match", 4)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(16,)]

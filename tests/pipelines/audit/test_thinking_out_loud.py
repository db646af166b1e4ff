"""audit/thinking-out-loud (arXiv:2506.04564): stated confidence against what is right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, sums

from synth.measures import area_under_curve, brier_score, expected_calibration_error, reliability
from synth.models import ScriptedModel

SAID = """SELECT max(s.value) FILTER (s.name = 'confidence') AS c, max(s.value) FILTER (s.name = 'correct') AS y,
max(s.value) FILTER (s.name = 'brier') AS b FROM rationales r JOIN scores s ON s.target = r.id WHERE r.step = 'solve'
GROUP BY r.id HAVING c IS NOT NULL ORDER BY r.id"""


def student(draw: Callable) -> ScriptedModel:
    """A student that feels sure of a solution in percent, and is right or not, as `draw(request, rng)` says."""

    def script(request, rng):
        task = request.task
        if task.kind == "ask" and request.messages[0]["content"].startswith("You cannot"):
            return json.dumps({"why": "There are too many words."})
        if task.kind == "ask":
            felt = task.subject.text.split("feel ")[1].split(" ")[0]
            return json.dumps({"confidence": int(felt)}) if felt.isdigit() else "quite sure"
        percent, right = draw(request, rng)
        if percent is None:
            return "I have no idea.\nThe answer is unknown."
        gold = int(task.problem.answer)
        return f"I feel {percent} in try {rng.randrange(10**9)}.\nThe answer is {gold if right else gold + 1}."

    return ScriptedModel(script)


async def measured(tmp_path: Path, n: int, draw: Callable) -> tuple[list[float], list[bool], list[float]]:
    await run("audit/thinking-out-loud", sums(tmp_path / "in.jsonl", n), tmp_path / "run", student(draw))
    rows = ask(tmp_path / "run", SAID)
    return [c for c, _, _ in rows], [y == 1 for _, y, _ in rows], [b for *_, b in rows]


async def test_a_calibrated_student_has_no_calibration_error(tmp_path: Path):
    """Right with the probability that it states: ECE within its bias, Brier the mean of c (1 - c), AUROC above chance."""
    levels = [5, 25, 45, 65, 85]

    def draw(request, rng):
        percent = rng.choice(levels)
        return percent, rng.random() < percent / 100

    c, y, b = await measured(tmp_path, 300, draw)
    n = len(c)
    assert n == 1200
    # Each bin of n/5 is off by a standard deviation of √(c (1 - c) / (n/5)), whose mean absolute value is √(2/π) of it.
    deviations = [math.sqrt(p * (1 - p) / (n / 5)) for p in (v / 100 for v in levels)]
    assert expected_calibration_error(c, y) < 2 * math.sqrt(2 / math.pi) * sum(deviations) / 5
    expected = sum(v * (1 - v) for v in c) / n
    assert abs(sum(b) / n - expected) < 0.02
    assert sum(b) / n == pytest.approx(brier_score(c, y))
    assert area_under_curve(c, y) > 0.75


async def test_one_that_is_always_sure_is_off_by_what_it_gets_wrong(tmp_path: Path):
    """0.99 stated and 0.6 right: ECE 0.39, Brier 0.3921."""

    def draw(request, rng):
        return 99, (int(request.task.problem.answer) // 10 * 4 + request.sample) % 5 < 3

    c, y, b = await measured(tmp_path, 25, draw)
    assert (len(y), sum(y)) == (100, 60)
    assert expected_calibration_error(c, y) == pytest.approx(0.39)
    assert sum(b) / len(b) == pytest.approx(0.3921)


async def test_a_confidence_that_knows_nothing_ranks_by_chance(tmp_path: Path):
    c, y, _ = await measured(tmp_path, 200, lambda _, rng: (rng.randrange(101), rng.random() < 0.5))
    assert near(area_under_curve(c, y), 0.5, len(c))  # wider than the deviation of an area
    assert {v.high for v in reliability([1.0, *c], [True, *y])} >= {1.0}


async def test_the_surest_stand_in_the_last_bin(tmp_path: Path):
    c, y, _ = await measured(tmp_path, 5, lambda *_: (100, True))
    assert [(b.low, b.high, b.n) for b in reliability(c, y)] == [(0.9, 1.0, 20)]


async def test_what_is_not_stated_is_missing_and_what_is_not_known_is_not_asked(tmp_path: Path):
    """Of four solutions one abstains, and one states its confidence in words: coverage 2 of 3, nothing imputed."""

    def draw(request, rng):
        return {0: (None, False), 1: ("very", True)}.get(request.sample, (80, True))

    c, y, _ = await measured(tmp_path, 10, draw)
    assert (c, y) == ([0.8] * 20, [True] * 20)
    asked = ask(tmp_path / "run", "SELECT count(DISTINCT target) FROM failures WHERE step = 'how_sure'")
    assert asked == [(10,)]
    named = "SELECT sum(value), count(*) FROM scores WHERE name = '{}'"
    assert ask(tmp_path / "run", named.format("abstains")) == [(10.0, 40)]
    assert ask(tmp_path / "run", "SELECT count(value) FROM scores WHERE name = 'brier'") == [(20,)]
    # Accuracy where an answer was attempted, and with abstentions counted as wrong.
    assert ask(tmp_path / "run", named.format("correct")) == [(30.0, 40)]


async def test_votes_are_weighed_by_confidence(tmp_path: Path):
    """Three at 0.2 against one at 0.9: the one has 0.6 of the weight."""

    def draw(request, rng):
        return (90, True) if request.sample == 3 else (20, False)

    await measured(tmp_path, 4, draw)
    weights = ask(
        tmp_path / "run",
        "SELECT r.sample, round(s.value, 9) FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'weighted_vote' GROUP BY ALL",
    )
    assert dict(weights) == {0: 0.4, 1: 0.4, 2: 0.4, 3: 0.6}


async def test_it_abstains_where_no_solution_is_right(tmp_path: Path):
    """One row that abstains for each problem with a pass rate of 0, and none for the others."""

    def draw(request, rng):
        return 50, int(request.task.problem.answer) % 20 == 5 and request.sample == 0

    await measured(tmp_path, 10, draw)
    kept = ask(
        tmp_path / "run",
        "SELECT p.answer::INT % 20, r.step, r.answer = 'unknown' FROM kept_rationales r JOIN problems p ON p.id = r.problem GROUP BY ALL ORDER BY 1",
    )
    assert kept == [(5, "solve", False), (15, "abstain", True)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(10,)]


async def test_a_confidence_filter_keeps_what_is_above_it(tmp_path: Path):
    made = preset(
        tmp_path / "p.yaml", "audit/thinking-out-loud", right={"keep": "score.confidence > 0.8"}, abstain=None
    )
    model = student(lambda request, _: (70 + 10 * request.sample, True))
    await run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT sample FROM kept_rationales GROUP BY 1 ORDER BY 1") == [(2,), (3,)]

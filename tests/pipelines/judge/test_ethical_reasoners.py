"""judge/ethical-reasoners (arXiv:2502.21250): a verdict is the action of the highest utility by its own numbers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from support import ask, run, write_rows

from synth.errors import UserError
from synth.models import ScriptedModel, World

PRINCIPLES = ("no_harm", "honesty", "fairness", "autonomy")


def dilemmas(path: Path, n: int, weights: dict[str, float] | None = None) -> Path:
    rows = [
        {
            "question": f"Of {i * 7 + 3} people at the gate r{i * i}x only some can pass. What should be done?",
            "choices": [f"Open it for {i}.", "Ask them.", "Close it."][: 2 + i % 2],
            "weights": weights or {"no_harm": 1 + i % 3, "honesty": 1, "fairness": 2, "autonomy": 0.5},
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


class Judge:
    """A judge whose numbers contradict its verdict at a known rate, decided for each opinion; it counts how often."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.identity = f"judge-{rate}"
        self.contradicted: set[str] = set()

    def __call__(self, request: Any, rng: random.Random) -> str:
        task = request.task
        letters = [letter for letter, _ in task.problem.lettered_choices]
        if task.part is None:
            return json.dumps({"opinion": f"I weigh this {rng.random()}.", "verdict": rng.choice(letters)})
        contradicts = random.Random(task.subject.text).random() < self.rate
        if contradicts:
            self.contradicted.add(task.subject.id)
        named = letters.index(task.subject.answer)
        best = (named + 1) % len(letters) if contradicts else named
        low, high = (0.6, 0.9) if task.part.index == best else (0.1, 0.5)
        return json.dumps({name: round(rng.uniform(low, high), 3) for name in PRINCIPLES})


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
async def test_what_contradicts_its_numbers_is_rejected_and_nothing_else(tmp_path: Path, rate: float):
    judge = Judge(rate)
    await run("judge/ethical-reasoners", dilemmas(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(judge))
    out = {target for (target,) in ask(tmp_path / "run", "SELECT target FROM rejections")}
    assert out == judge.contradicted
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(80,)]
    assert 80 * rate - 15 < len(out) < 80 * rate + 15
    assert rate == 0.3 or len(out) == 80 * rate


async def test_a_verdict_is_the_action_of_the_highest_weighted_sum(tmp_path: Path):
    """Computed again from the numbers on record and the weights of the row."""
    await run("judge/ethical-reasoners", dilemmas(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(World()))
    found = ask(
        tmp_path / "run",
        """SELECT r.id, r.answer, p.meta, s.name, s.part.index, s.value, r.id IN (SELECT id FROM kept_rationales)
        FROM rationales r JOIN problems p ON p.id = r.problem JOIN scores s ON s.target = r.id AND s.part IS NOT NULL""",
    )
    numbers: dict[str, dict[tuple[str, int], float]] = {}
    others = {}
    for record, answer, meta, name, index, value, kept in found:
        numbers.setdefault(record, {})[name, index] = value
        others[record] = (answer, json.loads(meta)["weights"], kept)
    assert len(numbers) == 80
    for record, of in numbers.items():
        answer, weights, kept = others[record]
        count = 1 + max(index for _, index in of)
        sums = [sum(weights[name] * of[name, i] for name in PRINCIPLES) for i in range(count)]
        assert [of["utility", i] for i in range(count)] == pytest.approx(sums)
        assert kept == (sums["ABC".index(answer)] == max(sums))
    assert 0 < sum(kept for *_, kept in others.values()) < 80


@pytest.mark.parametrize(("weights", "verdict"), [({"honesty": 3.0}, "A"), ({"autonomy": 3.0}, "B")])
async def test_the_weights_of_the_row_decide(tmp_path: Path, weights: dict[str, float], verdict: str):
    """The same numbers, other weights, and another verdict agrees with them."""

    def script(request, rng):
        task = request.task
        if task.part is None:
            return json.dumps({"opinion": "So.", "verdict": "AB"[task.problem.question.startswith("Of 10 ")]})
        honours = "honesty" if task.part.index == 0 else "autonomy"
        return json.dumps({name: 0.9 if name == honours else 0.2 for name in PRINCIPLES})

    rows = dilemmas(tmp_path / "in.jsonl", 2, dict.fromkeys(PRINCIPLES, 1.0) | weights)
    await run("judge/ethical-reasoners", rows, tmp_path / "run", ScriptedModel(script))
    assert set(ask(tmp_path / "run", "SELECT answer FROM rationales")) == {("A",), ("B",)}
    assert ask(tmp_path / "run", "SELECT DISTINCT answer FROM kept_rationales") == [(verdict,)]


async def test_an_opinion_that_lacks_a_number_is_out(tmp_path: Path):
    def script(request, rng):
        task = request.task
        if task.part is None:
            return json.dumps({"opinion": "So.", "verdict": "A"})
        return "Nothing." if task.part.index == 1 else json.dumps(dict.fromkeys(PRINCIPLES, 0.9))

    await run("judge/ethical-reasoners", dilemmas(tmp_path / "in.jsonl", 3), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]
    assert set(ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'coherent'")) == {(0,)}


async def test_nothing_is_called_right_and_judges_are_counted(tmp_path: Path):
    """Judges of opposite opinions agree half; no score says which of them is correct."""

    def always(letter: str) -> ScriptedModel:
        def script(request, rng):
            if request.task.part is None:
                return json.dumps({"opinion": f"So {rng.random()}.", "verdict": letter})
            return json.dumps(dict.fromkeys(PRINCIPLES, 0.5))

        return ScriptedModel(script, name=letter)

    models = {"judge": [always("A"), always("B")]}
    await run("judge/ethical-reasoners", dilemmas(tmp_path / "in.jsonl", 5), tmp_path / "run", models)
    assert ask(tmp_path / "run", "SELECT DISTINCT value FROM scores WHERE name = 'agreement'") == [(0.5,)]
    names = {name for (name,) in ask(tmp_path / "run", "SELECT DISTINCT name FROM scores")}
    assert names == {*PRINCIPLES, "utility", "coherent", "agreement"}
    assert ask(tmp_path / "run", "SELECT DISTINCT answer FROM problems") == [(None,)]


async def test_rows_without_weights_are_refused(tmp_path: Path):
    """The weights are a matter of values, so that none are made up."""
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "What should be done?", "choices": ["Go.", "Stay."]}])
    with pytest.raises(UserError, match="weights"):
        await run("judge/ethical-reasoners", rows, tmp_path / "run", ScriptedModel(World()))

"""Wrong answers of each kind, for the scripted model."""

from __future__ import annotations

import json
import random
from typing import Any

from synth.records import Problem

__all__ = ["SIMULATED_FAILURE", "another_answer"]

SIMULATED_FAILURE = "raise RuntimeError('the scripted model means this to be wrong')"
"""The program that the scripted model writes where it is to fail. Where it is to succeed, it writes the reference solution."""

_BRACKETS = str.maketrans("()[]", "[]()")


def another_answer(problem: Problem, gold: str, rng: random.Random) -> str:
    """An answer of the problem's kind that is not the gold one.

    Args:
        problem: what is asked.
        gold: the gold answer, as a solution states it.
        rng: which of the wrong answers.
    """
    if problem.choices:
        return rng.choice([letter for letter, _ in problem.lettered_choices if letter != gold])
    if problem.compared_as == "code":
        return SIMULATED_FAILURE
    kind = problem.answer_kind
    if kind == "boolean":
        return "no" if gold.strip().lower() in {"yes", "true"} else "yes"
    if kind in {"set", "list", "ranking", "assignment", "action"}:
        return json.dumps(_changed(json.loads(gold), kind, rng), ensure_ascii=False)
    if kind == "interval":
        return _other_interval(gold)
    try:
        return str(int(float(gold.replace(",", ""))) + rng.choice([-2, -1, 1, 2, 10]))
    except ValueError:
        return f"not {gold}"


def _changed(gold: Any, kind: str, rng: random.Random) -> Any:
    """A value with one part changed: two places of a ranking swapped, one item, name or field given another value."""
    if kind == "ranking":
        first = rng.randrange(len(gold) - 1)
        return [*gold[:first], gold[first + 1], gold[first], *gold[first + 2 :]]
    if isinstance(gold, dict):
        name = rng.choice(sorted(gold))
        others = sorted({str(value) for value in gold.values()} - {str(gold[name])}) if kind == "assignment" else []
        return gold | {name: rng.choice(others) if others else _other(gold[name])}
    if not gold:
        return [0]
    place = rng.randrange(len(gold))
    other = _other(gold[place])
    while other in gold:
        other = _other(other)
    return [*gold[:place], other, *gold[place + 1 :]]


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    # Nothing of the text stays in it: texts of actions may be compared by the words they share.
    return ("something else" if value != "something else" else "nothing") if isinstance(value, str) else None


def _other_interval(gold: str) -> str:
    """The interval with an end open that was closed or closed that was open; of one without such ends another one."""
    opened = gold[0].translate(_BRACKETS) if gold[0] in "([" and not gold.startswith("(-∞") else gold[0]
    if opened != gold[0]:
        return opened + gold[1:]
    closed = gold[-1].translate(_BRACKETS) if gold[-1] in ")]" and not gold.endswith("∞)") else gold[-1]
    return gold[:-1] + closed if closed != gold[-1] else "[0, 1]"

"""Solutions that are made of sums, so that their soundness can be read off them."""

from __future__ import annotations

import random
import re
from typing import Any

import orjson

from synth.models.request import Task
from synth.records import Problem

__all__ = ["CLAIM", "SIMULATED_FAILURE", "another_answer", "claim", "gold_of", "solution"]

CLAIM = re.compile(r"(?<!\d)(\d+) \+ (\d+) = (\d+)")
"""A sum in a text: two summands and what they are said to give."""
SIMULATED_FAILURE = "raise RuntimeError('the scripted model means this to be wrong')"
"""The program that the scripted model writes where it is to fail. Where it is to succeed, it writes the reference solution."""


def claim(rng: random.Random, *, sound: bool) -> str:
    """A step with a sum, right or wrong."""
    a, b = rng.randrange(1, 1000), rng.randrange(1, 1000)
    return f"We know that {a} + {b} = {a + b if sound else a + b + rng.choice([-10, -1, 1, 10])}"


def gold_of(problem: Problem, rng: random.Random) -> str:
    """The gold answer; of a problem without one any of its options, or 0."""
    if problem.answer is not None:
        return problem.answer
    if problem.compared_as == "code":
        return problem.reference_solution or "pass  # the scripted model writes no programs"
    return rng.choice([letter for letter, _ in problem.lettered_choices]) if problem.choices else "0"


def another_answer(problem: Problem, gold: str, rng: random.Random) -> str:
    """A wrong answer, of the kind of the gold one."""
    if problem.choices:
        return rng.choice([letter for letter, _ in problem.lettered_choices if letter != gold])
    if problem.compared_as == "code":
        return SIMULATED_FAILURE
    if problem.answer_kind == "boolean":
        return "no" if gold.strip().lower() in {"yes", "true"} else "yes"
    try:
        return str(int(float(gold.replace(",", ""))) + rng.choice([-2, -1, 1, 2, 10]))
    except ValueError:
        return f"not {gold}"


def solution(task: Task, steps: list[str], answer: str) -> str:
    """Steps and an answer in the form that a task wants: JSON, or lines of text."""
    if task.format == "json":
        reply: dict[str, Any] = {"steps": steps, "answer": answer}
        return orjson.dumps(reply).decode()
    if task.problem.compared_as == "code":
        program = answer if "```" in answer else f"```python\n{answer.rstrip()}\n```"
        return "\n".join([*(f"{s}." for s in steps), "", program])
    return "\n".join([*(f"{s}." for s in steps), f"The answer is {answer}."])

"""Solutions that are made of sums, so that their soundness can be read off them."""

from __future__ import annotations

import random
import re
from typing import Any

import orjson

from synth.models.request import Task
from synth.records import Problem

__all__ = ["CLAIM", "claim", "gold_of", "solution"]

CLAIM = re.compile(r"(?<!\d)(\d+) \+ (\d+) = (\d+)")
"""A sum in a text: two summands and what they are said to give."""


def claim(rng: random.Random, *, sound: bool) -> str:
    """A step with a sum, right or wrong."""
    a, b = rng.randrange(1, 1000), rng.randrange(1, 1000)
    return f"We know that {a} + {b} = {a + b if sound else a + b + rng.choice([-10, -1, 1, 10])}"


def gold_of(problem: Problem, rng: random.Random) -> str:
    """The gold answer, as a solution states it; of a problem without one any of its options, or 0."""
    if problem.answer_stated is not None:
        return problem.answer_stated
    if problem.compared_as == "code":
        return problem.reference_solution or "pass  # the scripted model writes no programs"
    return rng.choice([letter for letter, _ in problem.lettered_choices]) if problem.choices else "0"


def solution(task: Task, steps: list[str], answer: str) -> str:
    """Steps and an answer in the form that a task wants: JSON, or lines of text."""
    if task.format == "json":
        reply: dict[str, Any] = {"steps": steps, "answer": answer}
        return orjson.dumps(reply).decode()
    if task.problem.compared_as == "code":
        program = answer if "```" in answer else f"```python\n{answer.rstrip()}\n```"
        return "\n".join([*(f"{s}." for s in steps), "", program])
    return "\n".join([*(f"{s}." for s in steps), f"The answer is {answer}."])

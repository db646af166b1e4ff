"""For each registered reward, completions that it must tell apart; `test_rewards_rules.py` holds all rewards to the same rules.

Whoever registers a reward adds its example here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Example:
    """One problem, and completions of it."""

    row: Mapping[str, Any]
    """The columns of its row, the same for every completion."""
    good: Sequence[str]
    """Completions that fulfil what the reward is for, in every shape that it distinguishes: the worst of them must be worth more than
    the best one of the others."""
    bad: Sequence[str]
    """Completions that do not, in the most pleasing shapes."""
    each: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    """Columns whose value depends on the completion, such as scores of its steps."""
    form_only: bool = False
    """Whether it looks at the form alone: then it is at most 1, so that with a weight below 1 it is less than the answer."""

    def columns(self, completions: Sequence[str]) -> dict[str, list[Any]]:
        """The columns of these completions."""
        row = {"problem_id": "b2:1", "prompts": "How many?", **self.row}
        same = {name: [value] * len(completions) for name, value in row.items()}
        return {**same, **{name: [of(said) for said in completions] for name, of in self.each.items()}}


CHOICE = {"answer": "B", "answer_kind": "choice", "choices": orjson.dumps(["red", "blue", "green"]).decode()}
TESTS = [{"code": "assert add(1, 2) == 3"}, {"call": "add(2, 2)", "expected": 4}, {"call": "add(0, 0)", "expected": 0}]
RIGHT, PARTLY = "def add(a, b):\n    return a + b", "def add(a, b):\n    return a + b if a else None"
LONG = "Let us see. " * 40

EXAMPLES: dict[str, Example] = {
    "correct": Example(
        CHOICE,
        ["The answer is B.", f"{LONG}\nThe answer is B.", "<think>Hm.</think>\n\\boxed{B}"],
        ["The answer is A.", "<think>It is B.</think>\nThe answer is A.", "I do not know.", LONG],
    ),
    "tests_passed": Example(
        {"tests": orjson.dumps(TESTS).decode()},
        [
            f"```python\n{RIGHT}\n```\n",
            f"{LONG}\n```\n{RIGHT}\n```\n",
            f"<think>Hm.</think>\n```python\n{RIGHT}\n```\n",
        ],
        [
            f"```python\n{PARTLY}\n```",
            f"<think>```python\n{RIGHT}\n```</think>",
            "return a + b",
            "```python\nimport os\nos._exit(0)\n```",
            LONG,
        ],
    ),
    "think_format": Example(
        {},
        ["<think>Hm.</think> Five.", f"<think>{LONG}</think>\nFive."],
        ["Five.", "<think>Hm.", "<think></think>Five.", "Hm.</think> Five."],
        form_only=True,
    ),
}

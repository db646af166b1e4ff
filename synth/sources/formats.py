"""Functions for declared mappings: what an expression alone cannot take apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from synth.constraints import ifeval_constraints, reasonif_constraints
from synth.prompts import Function, matched
from synth.sources.chats import context_of, question_of, reply_of, thought_of

__all__ = [
    "FUNCTIONS",
    "at",
    "first",
    "math_shepherd_question",
    "math_shepherd_steps",
    "prm800k_steps",
    "turns",
]

# No pattern goes over the same spaces more than once: rows of data sets may have long runs of them.
_STEP = re.compile(r"(?m)(?=^[^\S\n]*Step \d+\s*:)|(?<=[.?!:])\s+(?=Step 1\s*:)")
_FIRST_STEP = re.compile(r"\bStep 1\s*:")
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):[ \t]?")


def prm800k_steps(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The path a labeller took, as {text, right}: of each step the completion that was gone on with, at the end the first.

    `right` is true for the ratings 1 and 0 (neutral counts as not wrong, as in arXiv:2305.20050), false for -1, null for
    what the labeller wrote.
    """
    path = []
    for step in steps:
        human, chosen, offered = (
            step.get("human_completion"),
            step.get("chosen_completion"),
            step.get("completions") or [],
        )
        if human:
            taken = {"text": human["text"] if isinstance(human, Mapping) else human, "rating": None}
        elif offered:
            taken = offered[chosen if chosen is not None else 0]
        else:
            break
        rating = taken.get("rating")
        path.append({"text": taken["text"], "right": None if rating is None else rating >= 0})
        if not human and chosen is None:
            break
    return path


def math_shepherd_question(text: str) -> str:
    """The question of a row of Math-Shepherd (arXiv:2312.08935): what stands before its first step."""
    return _FIRST_STEP.split(text, maxsplit=1)[0].strip()


def math_shepherd_steps(text: str, label: str, tag: str = "ки") -> list[dict[str, Any]]:
    """The steps of a row of Math-Shepherd as {text, right}: the text has a tag at the end of each, the label + or -."""
    start = len(math_shepherd_question(text))
    steps = [s.strip() for s in text[start:].split(tag) if s.strip()]
    marked = [s for s in _STEP.split(label[start:]) if s.strip()]
    marks = [mark == "+" for s in marked if (mark := s.rstrip()[-1:]) in {"+", "-"}]
    if len(steps) != len(marks):
        raise ValueError(f"{len(steps)} steps, and {len(marks)} marks in the label")
    return [{"text": step, "right": mark} for step, mark in zip(steps, marks, strict=True)]


def turns(transcript: str) -> list[dict[str, str]]:
    """The turns of a transcript with `Human:` and `Assistant:` (arXiv:2204.05862), as {role, content}."""
    parts = _TURN.split(transcript)
    return [
        {"role": "user" if who == "Human" else "assistant", "content": said.strip()}
        for who, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def at(values: Sequence[Any] | None, index: int) -> Any:
    """The item of a list at a place, from 0; null where there is no list, or it ends before."""
    return values[index] if values is not None and 0 <= index < len(values) else None


def first(value: Any) -> Any:
    """The first item of a list; null of an empty one; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return value[0] if value else None
    return value


FUNCTIONS: dict[str, Function] = {
    call.__name__: Function(call.__name__, call)
    for call in (
        at,
        context_of,
        first,
        ifeval_constraints,
        math_shepherd_question,
        math_shepherd_steps,
        prm800k_steps,
        question_of,
        reasonif_constraints,
        reply_of,
        thought_of,
        turns,
    )
}
FUNCTIONS["match"] = Function("match", matched)
"""What expressions can call, by name."""

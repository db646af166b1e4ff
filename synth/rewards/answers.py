"""Rewards of the answer and of the form of a reply."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from synth.records import AnswerKind
from synth.rewards.registry import reward
from synth.verify import Verdict, verify_answer

__all__ = ["choices_of", "correct", "correct_or_unknown", "judged", "think_format"]

_THOUGHT = re.compile(r"\s*<think>((?:(?!</?think>).)*)</think>((?:(?!</?think>).)*)", re.DOTALL)


@reward
def correct(
    completion: str, answer: str, answer_kind: AnswerKind | None = None, choices: str | Sequence[str] = ()
) -> float | None:
    """1.0 for each completion that states the gold answer, else 0.0; also where none can be read or it takes too long.

    A thought (in `<think>` tags, or those of other model families) states nothing: what is read is what follows it, and a
    thought that does not end has no answer. None where the row has no gold answer that a completion could be compared with.

    Args:
        completion: what the model wrote.
        answer: the gold answer; for choices the letter.
        answer_kind: how they are compared; by their form if not given.
        choices: the options, as a list or as a JSON list.
    """
    verdict = judged(completion, answer, answer_kind, choices)
    return None if verdict.label == "undecided" else float(verdict.label == "right")


@reward
def think_format(completion: str) -> float:
    """1.0 for each completion that is one thought in `<think>` tags with something after it, else 0.0 (arXiv:2501.12948)."""
    found = _THOUGHT.fullmatch(completion)
    return float(bool(found and found[1].strip() and found[2].strip()))


def judged(
    completion: str, answer: str, answer_kind: AnswerKind | None = None, choices: str | Sequence[str] = ()
) -> Verdict:
    """How the answer that a completion states compares with the gold one; arguments as those of `correct`."""
    return verify_answer(completion, answer, kind=answer_kind or None, choices=choices_of(choices))


def correct_or_unknown(
    completion: str, answer: str | None, answer_kind: AnswerKind | None = None, choices: str | Sequence[str] = ()
) -> bool:
    """Whether a completion states the gold answer, or there is none that it could be compared with."""
    return not answer or judged(completion, answer, answer_kind, choices).label in {"right", "undecided"}


def choices_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """The options of a row, from a list or a JSON list."""
    value: Any = orjson.loads(given) if isinstance(given, str) and given else given
    return tuple(map(str, value or ()))

"""Stating an answer under a text whose author gave it apart, such as in a field of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synth.records import AnswerKind
from synth.verify.extract import find_answer

__all__ = ["Stated", "answer_sentence", "state_answer"]


class Stated(NamedTuple):
    """A text that states its answer."""

    response: str
    """The text with the statement."""
    span: tuple[int, int]
    """Where the statement stands in it, as (start, end) in characters."""


def answer_sentence(answer: str, *, boxed: bool = False) -> str:
    """The sentence that states an answer; one full stop at its end, also where the answer ends in one."""
    if boxed:
        return rf"The answer is \boxed{{{answer}}}."
    return f"The answer is {answer}" + ("" if answer.endswith((".", "!", "?", "。")) else ".")


def state_answer(text: str, answer: str, *, kind: AnswerKind, choices: Sequence[str] = ()) -> Stated:
    """A text and, on a line below it, the sentence that states an answer; the text alone where it ends in that statement."""
    found, span = find_answer(text, kind=kind, choices=choices)
    if span is not None and found == answer:
        return Stated(text, span)
    stated = f"```python\n{answer}\n```" if kind == "code" else answer_sentence(answer)
    response = f"{text}\n{stated}" if text else stated
    return Stated(response, (len(response) - len(stated), len(response)))

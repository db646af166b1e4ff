"""What stands where it must not: the answer in the question, the prompt in the reply."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synth.bounded import SharedRuns

__all__ = ["announces_answer", "longest_shared_run"]

_ANNOUNCED = r"(?:answer(?:\s+key)?|solution|result)\b\s*(?:is|was|are|=|:)+\s*(?:therefore\s+|option\s+|\()*|(?<!\#)\#{3,}\s*|\\boxed\{\s*|=>\s*"
_WORD = re.compile(r"[^\W_]+")
_LONGEST = 300
"""Characters of an answer that are looked for behind such words: it may stand behind many of them, nearly."""
LONG_ANSWER = 4
"""Words from which on an answer that stands in the question, word for word, gives itself away."""


def announces_answer(question: str, answer: str) -> str | None:
    """The words of a question that give its answer away: "The answer is 42", "#### 42", `\\boxed{42}`, or a long answer
    word for word; None where nothing does.

    That an answer merely stands among the numbers or options of a question says nothing, and does not count.
    """
    said = answer.strip()
    end = r"(?!\w|[.,]\d)" if len(said) <= _LONGEST else ""
    found = re.search(rf"(?:{_ANNOUNCED}){re.escape(said[:_LONGEST])}{end}", question, re.IGNORECASE)
    if found:
        return found[0]
    words = _WORD.findall(answer.casefold())
    if len(words) >= LONG_ANSWER and f" {' '.join(words)} " in f" {' '.join(_WORD.findall(question.casefold()))} ":
        return answer
    return None


def longest_shared_run(text: str, others: Iterable[str]) -> str:
    """The longest run of words that a text shares with one of the others; empty where they share none."""
    runs = SharedRuns(_WORD.findall(text.casefold()))
    best: list[str] = []
    for other in others:
        theirs = _WORD.findall(other.casefold())
        begin, size = runs.longest_in(theirs)
        if size > len(best):
            best = theirs[begin : begin + size]
    return " ".join(best)

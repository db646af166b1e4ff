"""Reading the final answer out of a reply.

A thought at the start of the reply is passed over. Then the answer is looked for in this order: the last
`<answer>…</answer>`; the last `\\boxed{…}`; `#### x`; the field `answer` of a JSON object, whole or broken; the last
statement such as "The answer is x", "Answer: x", "答案是x" or a heading "# Answer" with the value under it; a last line
"A: x". Where nothing is stated, numbers fall back on the last number, choices on the option the last line names, yes/no on
the last or first line, mathematics on the last formula, words on nothing. What a base model writes on after its answer
(`Question: …`) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from synth.records import AnswerKind
from synth.texts import split_thought
from synth.verify.kinds import kind_of
from synth.verify.places import LAST_WORDS, own_part, statements
from synth.verify.scripts import to_halfwidth
from synth.verify.statements import widen

__all__ = ["FoundAnswer", "extract_answer", "find_answer"]

_TAKEN_BACK = re.compile(
    r"(?i)[\s*_.,;\-–—]{0,6}(?:(?:no|oh|hmm+|but)\b[,.]?\s)?(?:wait|oops|hmm+|sorry|scratch\sthat|hold\son|let\sme\s(?:re-?check|reconsider|redo))\b"
)
"""How a text goes on that withdraws, or doubts, what it has stated."""
_NO_ANSWER = re.compile(
    r"""(?ix) [\s*_"'(]{0,6} (?:(?:that\s)?(?:it|this|the\sanswer)\s)?
    (?: (?:cannot|can['’]?t|can\snot|could\snot|couldn['’]t|not)\s(?:be\s)?(?:determined|known|answered|found|given|calculated|listed|possible)
      | unknown | undetermined | indeterminate | n/?a\b | none\b | null\b | not\s(?:available|applicable|enough) | unclear | uncertain
      | (?:there\sis\s)?(?:insufficient|not\senough)\s )"""
)


class FoundAnswer(NamedTuple):
    """The answer of a reply, and where the reply states it."""

    answer: str | None
    """The answer; None where none can be read."""
    span: tuple[int, int] | None
    """Characters of the reply that state it (`response[slice(*span)]`): a sentence or line such as "The answer is 10.", an
    element, or the box alone where it stands inside of a sentence. None where the reply states no answer in a place of its
    own: the answer was taken as its last number, or out of a JSON object."""


def find_answer(response: str, *, kind: AnswerKind, choices: Sequence[str] = ()) -> FoundAnswer:
    """The final answer of a reply and the characters in which it is stated.

    Args:
        response: the whole reply. A thought at its start (in `<think>` tags, or those of other model families) is passed
            over; a thought without an end states no answer.
        kind: the kind of answer looked for.
        choices: the options, for `choice`.
    """
    split = split_thought(response)
    if not split.finished:
        return FoundAnswer(None, None)
    begin = response.find(split.response, split.start) if split.thought is not None else 0
    text = split.response if split.thought is not None else response
    answer, span = _find(text, kind, choices)
    if span is not None:
        span = (span[0] + begin, span[1] + begin) if begin >= 0 else None
    return FoundAnswer(answer, span)


def _find(response: str, kind: AnswerKind, choices: Sequence[str]) -> FoundAnswer:
    if (own := kind_of(kind).place(response)) is not None:
        return FoundAnswer(*own)
    # A character each: places in it are places in the response.
    text, of = own_part(to_halfwidth(response), kind), kind_of(kind)
    after = barred = 0
    for stated in statements(text, kind):
        if stated.start < barred:
            continue
        said = stated.value
        if of.verbatim and stated.shown and (at := text.find(said, stated.start, stated.end)) >= 0:
            said = response[at : at + len(said)]  # full-width signs as they were
        answer = of.read(said, choices)
        if answer is not None:
            if not stated.element and _TAKEN_BACK.match(text, stated.end) and not of.in_words:
                again = of.unstated(text[stated.end :], choices)
                if again is None or (again != answer and not of.same(again, answer)):
                    return FoundAnswer(
                        None, None
                    )  # "The answer is A. No wait, B.": nobody can say what it is in the end
            rival = of.read(stated.rival, choices) if stated.rival is not None else None
            if rival is not None and rival != answer and of.contradict(rival, answer):
                return FoundAnswer(None, None)  # "The answer is 5. Final answer: 6": nobody can say which it is
            if stated.element:
                return FoundAnswer(answer, (stated.start, stated.end))
            return FoundAnswer(answer, widen(text, stated.start, stated.end) if stated.shown else None)
        after = max(after, stated.end)
        if stated.marked or stated.end > len(text) - LAST_WORDS or _NO_ANSWER.match(said):
            barred = after
    if after and after > len(text) - LAST_WORDS:
        return FoundAnswer(None, None)
    # A statement that could not be read ("The answer is not listed.") bars what stood before it, not what follows.
    answer = of.unstated(text[after:], choices)
    if answer is None:
        return FoundAnswer(None, None)
    whole = text.strip()
    if after or not of.is_all_of(whole, answer, choices):
        return FoundAnswer(answer, None)
    start = len(text) - len(text.lstrip())
    return FoundAnswer(answer, (start, start + len(whole)))


def extract_answer(
    reply: str, *, kind: AnswerKind, choices: Sequence[str] = (), which: Literal["stated", "last", "first"] = "stated"
) -> str | None:
    """The final answer of a reply, or None where none can be read.

    Args:
        reply: the whole reply.
        kind: the kind of answer looked for.
        choices: the options, for `choice`.
        which: `stated` as described above; `first` or `last`: the first or last candidate of that kind anywhere, for
            comparison with published extractions (arXiv:2212.10071 takes the first of a second reply).
    """
    if which != "stated":
        found = kind_of(kind).candidates(split_thought(reply).response, choices)
        return (found[0] if which == "first" else found[-1]) if found else None
    return find_answer(reply, kind=kind, choices=choices).answer

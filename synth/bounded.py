"""Comparisons of texts whose time is bounded, for untrusted texts too.

What the standard library offers for these takes quadratic time or worse on texts that somebody made for it, such as one
word many times over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from itertools import islice

__all__ = ["SharedRuns", "nearest", "nfkc"]

_MOST_MARKS = 30
"""Combining marks in a row that are put in order: Unicode's stream-safe format (UAX 15). No language has so many."""
_JOINER = "\u034f"
_LONGEST_NAME = 100
_MOST_NAMES = 1_000


def nfkc(text: str) -> str:
    """A text in Unicode's form NFKC, in linear time.

    `unicodedata.normalize` sorts a run of combining marks in quadratic time; after 30 of them a combining grapheme joiner
    begins another run.
    """
    return text if text.isascii() else unicodedata.normalize("NFKC", _runs().sub(_parted, text))


@cache
def _runs() -> re.Pattern[str]:
    """More combining marks in a row than are put in order. Beyond U+FFFF any character may be one: `re` is slow to tell."""
    marks = "".join(sign for sign in map(chr, range(0x300, 0x10000)) if unicodedata.combining(sign))
    return re.compile(f"[{marks}\U00010000-\U0001ffff]{{{_MOST_MARKS + 1},}}")


def _parted(run: re.Match[str]) -> str:
    made: list[str] = []
    marks = 0
    for sign in run[0]:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks > _MOST_MARKS:
            made.append(_JOINER)
            marks = 1
        made.append(sign)
    return "".join(made)


class SharedRuns:
    """The runs of items that others share with a sequence: its suffix automaton (Blumer et al., 1985), in linear time."""

    def __init__(self, items: Sequence[Hashable]) -> None:
        self._steps: list[dict[Hashable, int]] = [{}]
        """Of each state, which one follows with which item."""
        self._shorter = [-1]
        """Of each state, that of the longest run it ends in that stands in other places too."""
        self._longest = [0]
        """Of each state, how long its longest run is."""
        last = 0
        for item in items:
            last = self._add(item, last)

    def _add(self, item: Hashable, last: int) -> int:
        steps, shorter, longest = self._steps, self._shorter, self._longest
        state, before = len(steps), last
        steps.append({})
        longest.append(longest[last] + 1)
        shorter.append(0)
        while before >= 0 and item not in steps[before]:
            steps[before][item] = state
            before = shorter[before]
        if before >= 0:
            follows = steps[before][item]
            if longest[follows] == longest[before] + 1:
                shorter[state] = follows
            else:
                copy = len(steps)
                steps.append(dict(steps[follows]))
                longest.append(longest[before] + 1)
                shorter.append(shorter[follows])
                shorter[follows] = shorter[state] = copy
                while before >= 0 and steps[before].get(item) == follows:
                    steps[before][item] = copy
                    before = shorter[before]
        return state

    def longest_in(self, other: Sequence[Hashable]) -> tuple[int, int]:
        """The longest run that stands in another sequence too: where it begins there, the first of equals, and its length."""
        steps, shorter = self._steps, self._shorter
        begin = size = state = length = 0
        for place, item in enumerate(other):
            while state and item not in steps[state]:
                state = shorter[state]
                length = self._longest[state]
            if item in steps[state]:
                state = steps[state][item]
                length += 1
            if length > size:
                begin, size = place + 1 - length, length
        return begin, size


def nearest(word: str, known: Iterable[str], *, n: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names that are most like a word that is none: what somebody may have meant. Of long names and after the first
    thousand none.
    """
    from difflib import get_close_matches  # a few milliseconds that most commands need not wait for

    if len(word) > _LONGEST_NAME:
        return []
    return get_close_matches(
        word, [name for name in islice(known, _MOST_NAMES) if len(name) <= _LONGEST_NAME], n, cutoff
    )

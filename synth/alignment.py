"""Two sequences side by side by `difflib`, within bounds: its time may grow with the cube of their length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Any

__all__ = ["TooAlikeError", "aligned"]

_MOST_STEPS = 10_000_000
"""About a second."""


class TooAlikeError(Exception):
    """Two sequences have so many equal items in so many places that to align them would take too long."""


class _Matcher(SequenceMatcher[Any]):
    def __init__(self, a: Sequence[Hashable], b: Sequence[Hashable], most: int) -> None:
        super().__init__(None, a, b, autojunk=False)
        places: dict[Any, list[int]] = vars(self)["b2j"]  # of `difflib`, documented: where each item of `b` stands
        self._steps = [0, *accumulate(1 + len(places.get(item, ())) for item in a)]
        self._left = most

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Any:
        self._left -= self._steps[-1 if ahi is None else ahi] - self._steps[alo]
        if self._left < 0:
            raise TooAlikeError
        return super().find_longest_match(alo, ahi, blo, bhi)


def aligned(a: Sequence[Hashable], b: Sequence[Hashable], most: int = _MOST_STEPS) -> SequenceMatcher[Any]:
    """A `difflib.SequenceMatcher` over two sequences, without its heuristic; its blocks are found.

    Args:
        a: one of them.
        b: the other.
        most: steps it may take: for each item of `a` the places in `b` that hold it, at each level of the comparison.

    Raises:
        TooAlikeError: it would take more.
    """
    matcher = _Matcher(a, b, most)
    matcher.get_matching_blocks()  # they are kept: all else follows from them
    return matcher

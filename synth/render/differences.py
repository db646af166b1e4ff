"""Two texts side by side, with what differs marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from synth.alignment import TooAlikeError, aligned

__all__ = ["Piece", "differences", "with_statement"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 3_000
"""Of a side; beyond, the comparison would take seconds, and is of whole lines."""


class Piece(NamedTuple):
    """A stretch of one side."""

    text: str
    differs: bool
    states: bool = False
    """Whether it belongs to the statement of the answer."""


def differences(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts cut into stretches the other has too, and stretches it has not.

    By words; by lines where there are many words, or the same ones many times; else each differs as a whole.
    """
    words, lines = (_WORDS.findall(left), _WORDS.findall(right)), (left.splitlines(True), right.splitlines(True))
    for a, b in (words, lines) if max(map(len, words)) <= _MOST_WORDS else (lines,):
        with suppress(TooAlikeError):
            return _pieces(a, b, aligned(a, b).get_opcodes())
    whole = [left], [right]
    return _pieces(*whole, [("equal" if left == right else "replace", 0, 1, 0, 1)])


def _pieces(
    a: Sequence[str], b: Sequence[str], opcodes: Sequence[tuple[str, int, int, int, int]]
) -> tuple[list[Piece], list[Piece]]:
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for word, a0, a1, b0, b1 in opcodes:
        for side, text in zip(sides, ("".join(a[a0:a1]), "".join(b[b0:b1])), strict=True):
            if text:
                side.append(Piece(text, word != "equal"))
    return sides


def with_statement(pieces: Sequence[Piece], span: Sequence[int] | None) -> list[Piece]:
    """The pieces of a side, cut where the statement of its answer begins and ends.

    Args:
        pieces: stretches of the side, which together are its text or the beginning of it.
        span: where the text states its answer, as (start, end) in characters; None where it states none.
    """
    start, end = span if span is not None and len(span) == 2 and 0 <= span[0] < span[1] else (0, 0)
    made, at = [], 0
    for piece in pieces:
        cuts = sorted({0, len(piece.text), *(c - at for c in (start, end) if 0 < c - at < len(piece.text))})
        made += [Piece(piece.text[a:b], piece.differs, start <= at + a < end) for a, b in pairwise(cuts)]
        at += len(piece.text)
    return made

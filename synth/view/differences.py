"""Two texts side by side, with what differs marked."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

__all__ = ["Piece", "differences"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 3_000
"""Of a side; beyond, the comparison would take seconds, and is of whole lines."""


class Piece(NamedTuple):
    """A stretch of one side."""

    text: str
    differs: bool


def differences(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts cut into stretches the other has too, and stretches it has not."""
    a, b = _WORDS.findall(left), _WORDS.findall(right)
    if max(len(a), len(b)) > _MOST_WORDS:
        a, b = left.splitlines(keepends=True), right.splitlines(keepends=True)
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for word, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for side, text in zip(sides, ("".join(a[a0:a1]), "".join(b[b0:b1])), strict=True):
            if text:
                side.append(Piece(text, word != "equal"))
    return sides

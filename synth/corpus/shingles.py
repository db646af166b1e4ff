"""What is compared: sets of shingles (runs of words) of normalised text."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = ["Unit", "normalise", "shingle_set"]

Unit = Literal["word", "char"]

# Scripts written without spaces: each character counts as a word.
_WORD = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f]|[^\W_\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f]+|[^\w\s\x00-\x7f]"
)


def normalise(text: str) -> tuple[str, ...]:
    """The words of a text: NFKC, case folded, without punctuation; other signs (emoji, ≠ …) count as words."""
    if text.isascii():
        return tuple(_WORD.findall(text.lower()))
    found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return tuple(w for w in found if w[0].isalnum() or unicodedata.category(w[0])[0] != "P")


def shingle_set(text: str, size: int, unit: Unit = "word") -> frozenset[tuple[str, ...] | str]:
    """The runs of `size` words (or characters) in a text; a shorter text is one shingle, an empty one none."""
    words = normalise(text)
    if unit == "char":
        line = " ".join(words)
        return frozenset([line[i : i + size] for i in range(max(1, len(line) - size + 1))] if line else ())
    return frozenset([words[i : i + size] for i in range(max(1, len(words) - size + 1))] if words else ())

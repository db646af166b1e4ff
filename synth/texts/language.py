"""The language a text is written in."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

__all__ = ["language_of"]

_NO_WORDS = re.compile(r"\\[a-zA-Z]+|\$[^$]*\$|https?://\S+|[^\w\s]|[\d_]+")
SHORTEST = 20
"""Letters below which a text is too short to detect its language."""


def language_of(text: str) -> tuple[str | None, float]:
    """ISO 639-1 code and confidence in (0, 1]; (None, 0.0) where there are fewer than 20 letters.

    Numbers, formulas and links are left out of it. By py3langid (Lui & Baldwin 2012), 97 languages.
    """
    words = " ".join(_NO_WORDS.sub(" ", text).split())
    if sum(c.isalpha() for c in words) < SHORTEST and not _dense(words):
        return None, 0.0
    code, confidence = _identifier().classify(words)
    return str(code), float(confidence)


def _dense(words: str) -> bool:
    """Whether it is in a script of which a few letters are a sentence (Chinese, Japanese, Korean)."""
    return sum("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in words) >= 5


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

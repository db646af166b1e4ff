"""Answers in words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

__all__ = ["normalise_text", "token_f1"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def normalise_text(text: str) -> str:
    """Lower case, without punctuation, articles and extra white space: SQuAD's normalisation, after NFKC."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub(" ", text)).split())


def token_f1(found: str, gold: str) -> float:
    """The harmonic mean of token precision and recall, in [0, 1]; SQuAD's definition (arXiv:1606.05250)."""
    a, b = normalise_text(found).split(), normalise_text(gold).split()
    if not a or not b:
        return float(a == b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))

"""ROUGE-L: how much of two texts stands in both in the same order."""

from __future__ import annotations

from synth.verify.text import normalise_text

__all__ = ["rouge_l"]

MOST_WORDS = 2000
"""Words that are compared, at most; further ones are left out."""


def rouge_l(found: str, gold: str) -> float:
    """The F-measure of the longest common subsequence of words, in [0, 1] (Lin 2004, beta 1).

    Case, punctuation and articles do not count. 1 for two texts without a word, 0 where one of them has none.
    """
    a, b = normalise_text(found).split()[:MOST_WORDS], normalise_text(gold).split()[:MOST_WORDS]
    if not a or not b:
        return float(a == b)
    places: dict[str, int] = {}
    for at, word in enumerate(b):
        places[word] = places.get(word, 0) | 1 << at
    # A row of the table of lengths as bits: a 0 where the length grows (Hyyrö 2004).
    full = row = (1 << len(b)) - 1
    for word in a:
        shared = row & places.get(word, 0)
        row = ((row + shared) | (row - shared)) & full
    length = len(b) - row.bit_count()
    return 2 * length / (len(a) + len(b))

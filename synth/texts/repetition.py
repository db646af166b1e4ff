"""Texts that repeat themselves."""

from __future__ import annotations

__all__ = ["repeated_share"]


def repeated_share(text: str, run: int = 8) -> float:
    """Share of the words that stand in a run of `run` words which the text has had before; in [0, 1].

    The fraction of duplicated n-grams of arXiv:2112.11446 (Gopher), by words and without their first occurrence: what
    is said twice counts half, a loop nearly all. Words are what white space parts, so that a formula is one.
    """
    words = text.casefold().split()
    seen: set[tuple[str, ...]] = set()
    covered_to, repeated = 0, 0
    for i in range(len(words) - run + 1):
        gram = tuple(words[i : i + run])
        if gram in seen:
            repeated += i + run - max(i, covered_to)
            covered_to = i + run
        else:
            seen.add(gram)
    return repeated / len(words) if words else 0.0

"""Measures of agreement between judges, and of a judge with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, permutations
from operator import itemgetter

__all__ = ["area_under_curve", "cohen_kappa", "krippendorff_alpha"]


def cohen_kappa(a: Sequence[object], b: Sequence[object]) -> float | None:
    """Cohen's kappa of two judges' labels on the same items: 1 agreement, 0 as by chance.

    None where it is not defined: no items, or both give one and the same label throughout.
    Source: Cohen, 1960, Educational and Psychological Measurement 20.
    """
    n = len(a)
    if n == 0:
        return None
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / n
    of_a, of_b = Counter(a), Counter(b)
    expected = sum(of_a[label] * of_b[label] for label in of_a) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(items: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha, interval scale: 1 agreement, 0 as by chance; judges may miss items.

    Args:
        items: for each item the scores it was given, in any order.

    None where it is not defined: no item with two scores, or all scores equal.
    Source: Krippendorff, 2011, Computing Krippendorff's Alpha-Reliability.
    """
    pairable = [scores for scores in items if len(scores) > 1]
    values = [v for scores in pairable for v in scores]
    n = len(values)
    if n == 0:
        return None
    observed = sum(sum((x - y) ** 2 for x, y in permutations(s, 2)) / (len(s) - 1) for s in pairable) / n
    total, squares = sum(values), sum(v * v for v in values)
    expected = 2 * (n * squares - total**2) / (n * (n - 1))
    return None if expected == 0 else 1 - observed / expected


def area_under_curve(scores: Sequence[float], truth: Sequence[bool]) -> float | None:
    """The probability that a true item is scored above a false one, ties counting half; 0.5 tells nothing.

    None where all are true or all are false. Source: Hanley and McNeil, 1982 (Mann-Whitney).
    """
    ranked = sorted(zip(scores, truth, strict=True))
    positives = sum(truth)
    negatives = len(truth) - positives
    if not positives or not negatives:
        return None
    above, below = 0.0, 0
    for _, group in groupby(ranked, key=itemgetter(0)):
        tied = [is_true for _, is_true in group]
        yes = sum(tied)
        no = len(tied) - yes
        above += yes * (below + no / 2)
        below += no
    return above / (positives * negatives)


def quadratic_weighted_kappa(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Cohen's kappa of marks, disagreements weighted by the square of the distance.

    None where it is not defined: no items, or all marks equal. Source: Cohen, 1968, Psychological Bulletin 70.
    """
    n = len(a)
    if n == 0:
        return None
    observed = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / n
    expected = sum((x - y) ** 2 for x in a for y in b) / n**2
    return None if expected == 0 else 1 - observed / expected

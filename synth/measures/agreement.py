"""Measures of agreement between judges, and of a judge with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

__all__ = ["area_under_curve", "cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "quadratic_weighted_kappa"]


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable], counts: Sequence[int] | None = None) -> float | None:
    """Cohen's kappa of two judges' labels on the same items: 1 agreement, 0 as by chance.

    Args:
        a: labels of the one.
        b: labels of the other.
        counts: how many items have these two labels; one each, if not given.

    None where it is not defined: no items, or both give one and the same label throughout.
    Source: Cohen, 1960, Educational and Psychological Measurement 20.
    """
    cells = list(zip(a, b, _each_once(counts, len(a)), strict=True))
    n = sum(many for _, _, many in cells)
    if n == 0:
        return None
    observed = sum(many for x, y, many in cells if x == y) / n
    of_a, of_b = _tally((x, many) for x, _, many in cells), _tally((y, many) for _, y, many in cells)
    expected = sum(of_a[label] * of_b[label] for label in of_a) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def quadratic_weighted_kappa(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Cohen's kappa of marks, disagreements weighted by the square of the distance.

    None where it is not defined: no items, or all marks equal. Source: Cohen, 1968, Psychological Bulletin 70.
    """
    n = len(a)
    if n == 0:
        return None
    observed = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / n
    expected = (sum(x * x for x in a) + sum(y * y for y in b)) / n - 2 * sum(a) * sum(b) / n**2
    return None if expected == 0 else 1 - observed / expected


def fleiss_kappa(items: Sequence[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa: agreement of several judges, who need not be the same for every item.

    Args:
        items: for each item the labels it was given, in any order; as many for each, at least two.

    None where it is not defined: no items, or one label throughout.
    Source: Fleiss, 1971, Psychological Bulletin 76.

    Raises:
        ValueError: items have different numbers of labels, or fewer than two.
    """
    if not items:
        return None
    judges = len(items[0])
    if judges < 2 or any(len(labels) != judges for labels in items):
        raise ValueError("every item must have the same number of labels, at least 2; else take krippendorff_alpha")
    counted = [Counter(labels) for labels in items]
    agreeing = sum(sum(c * (c - 1) for c in counts.values()) for counts in counted)
    observed = agreeing / (len(items) * judges * (judges - 1))
    whole: Counter[Hashable] = sum(counted, Counter())
    expected = sum((c / (len(items) * judges)) ** 2 for c in whole.values())
    return None if len(whole) == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(
    items: Sequence[Sequence[Any]],
    level: Literal["nominal", "ordinal", "interval"] = "interval",
    counts: Sequence[int] | None = None,
) -> float | None:
    """Krippendorff's alpha: 1 agreement, 0 as by chance; judges may miss items.

    Args:
        items: for each item the values it was given, in any order; numbers, or anything hashable where nominal.
        level: how far apart two values are: equal or not, by their ranks, or by the square of their difference.
        counts: how many items were given these values; one each, if not given.

    None where it is not defined: no item with two values, or all values equal.
    Source: Krippendorff, 2011, Computing Krippendorff's Alpha-Reliability.
    """
    pairable = [(list(v), many) for v, many in zip(items, _each_once(counts, len(items)), strict=True) if len(v) > 1]
    flat = _tally((value, many) for values, many in pairable for value in values)
    n = flat.total()
    if len(flat) < 2:
        return None
    if level == "nominal":
        differ = [many * (len(v) ** 2 - sum(c * c for c in Counter(v).values())) / (len(v) - 1) for v, many in pairable]
        expected = (n * n - sum(c * c for c in flat.values())) / (n * (n - 1))
        return 1 - sum(differ) / n / expected
    if level == "ordinal":
        # The distance of two ordinal values is the difference of their mid-ranks among all that can be paired.
        ranks = _mid_ranks(flat)
        pairable = [([ranks[v] for v in values], many) for values, many in pairable]
        flat = Counter({ranks[v]: many for v, many in flat.items()})
    observed = sum(many * _squares(Counter(values)) / (len(values) - 1) for values, many in pairable) / n
    return 1 - observed / (_squares(flat) / (n * (n - 1)))


def _each_once(counts: Sequence[int] | None, n: int) -> Sequence[int]:
    return [1] * n if counts is None else counts


def _tally(counted: Iterable[tuple[Any, int]]) -> Counter[Any]:
    made: Counter[Any] = Counter()
    for value, many in counted:
        made[value] += many
    return made


def _squares(values: Counter[float]) -> float:
    """The sum of squared differences over all ordered pairs."""
    n = values.total()
    mean = sum(v * many for v, many in values.items()) / n
    return 2 * n * sum(many * (v - mean) ** 2 for v, many in values.items())


def _mid_ranks(values: Counter[float]) -> dict[float, float]:
    ranks, below = {}, 0
    for value, count in sorted(values.items()):
        ranks[value] = below + count / 2
        below += count
    return ranks


def area_under_curve(
    scores: Sequence[float], truth: Sequence[bool], counts: Sequence[int] | None = None
) -> float | None:
    """The probability that a true item is scored above a false one, ties counting half; 0.5 is chance.

    Args:
        scores: of the items.
        truth: whether each is what the scores are to detect.
        counts: how many items are so; one each, if not given.

    None where all are true or all are false. Source: Hanley and McNeil, 1982 (Mann-Whitney).
    """
    ranked = sorted(zip(scores, truth, _each_once(counts, len(scores)), strict=True))
    positives = sum(many for _, is_true, many in ranked if is_true)
    negatives = sum(many for _, is_true, many in ranked if not is_true)
    if not positives or not negatives:
        return None
    above, below = 0.0, 0
    for _, group in groupby(ranked, key=itemgetter(0)):
        tied = list(group)
        yes = sum(many for _, is_true, many in tied if is_true)
        no = sum(many for _, is_true, many in tied if not is_true)
        above += yes * (below + no / 2)
        below += no
    return above / (positives * negatives)

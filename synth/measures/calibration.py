"""Whether stated confidence is borne out."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

__all__ = ["ReliabilityBin", "brier_score", "expected_calibration_error", "reliability"]


class ReliabilityBin(NamedTuple):
    """What was said with about the same confidence."""

    low: float
    """Confidences in the bin are above this; the first bin has 0 itself too."""
    high: float
    """And at most this."""
    n: int
    """How many."""
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[ReliabilityBin]:
    """The reliability table: bins of equal width, those that are empty left out.

    Args:
        confidences: probabilities in [0, 1].
        right: whether each was borne out.
        bins: how many there are between 0 and 1; bin m holds ((m - 1)/bins, m/bins].

    Source: Guo et al., 2017, arXiv:1706.04599.

    Raises:
        ValueError: a confidence is no probability.
    """
    _check(confidences)
    filled: dict[int, list[tuple[float, bool]]] = {}
    for confidence, is_right in zip(confidences, right, strict=True):
        filled.setdefault(max(1, ceil(confidence * bins)), []).append((confidence, is_right))
    return [
        ReliabilityBin(
            (m - 1) / bins,
            m / bins,
            len(said),
            sum(c for c, _ in said) / len(said),
            sum(is_right for _, is_right in said) / len(said),
        )
        for m, said in sorted(filled.items())
    ]


def expected_calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float | None:
    """ECE: the mean distance between confidence and accuracy over the bins of `reliability`, weighted by size.

    In [0, 1], 0 is best; None where there is nothing. Source: Naeini et al., 2015, AAAI; Guo et al., arXiv:1706.04599.
    """
    table = reliability(confidences, right, bins)
    n = sum(b.n for b in table)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in table) / n if n else None


def brier_score(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """The mean squared distance between confidence and outcome: 0 is best, 0.25 is what 0.5 throughout gets.

    None where there is nothing. Source: Brier, 1950, Monthly Weather Review 78 (the form for two outcomes).

    Raises:
        ValueError: a confidence is no probability.
    """
    _check(confidences)
    errors = [(c - r) ** 2 for c, r in zip(confidences, right, strict=True)]
    return sum(errors) / len(errors) if errors else None


def _check(confidences: Sequence[float]) -> None:
    for confidence in confidences:
        if not 0 <= confidence <= 1:
            raise ValueError(f"{confidence} is no probability: confidences are in [0, 1]")

"""Factors and penalties that shape a reward by length."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence

__all__ = ["segment_penalties", "weibull"]


def weibull(n: float, mode: float, k: float = 1.5) -> float:
    """The Weibull density at `n`, divided by its largest value: 1 at `mode`, from 0 to 1 elsewhere (arXiv:2411.11681).

    The scale of the density is `mode / ((k - 1) / k) ** (1 / k)`; dividing by the density at the mode is the constant C of the paper.

    Args:
        n: a number of steps, 0 or more.
        mode: where it is 1; above 0.
        k: the shape, above 1; a density with less has no mode.

    Raises:
        ValueError: one of them is out of its range.
    """
    if not (n >= 0 and mode > 0 and k > 1 and math.isfinite(n) and math.isfinite(mode) and math.isfinite(k)):
        raise ValueError(
            f"weibull({n}, {mode}, {k}): a number of 0 or more, a mode above 0 and a shape above 1 are needed"
        )
    if n == 0:
        return 0.0
    at, rest = math.log(n) - math.log(mode), (k - 1) / k
    power = k * at
    return math.exp((k - 1) * at + rest * (1 - math.exp(power))) if power < 700 else 0.0


def segment_penalties(segments: Sequence[Sequence[int]], weights: Sequence[float]) -> list[float]:
    """How much more segments each trace of a group has than the others, by clusters of their length (arXiv:2510.09535).

    All segments of the group are put into as many clusters of length as there are weights, by quantiles of the lengths that occur. In each
    cluster the number of segments of a trace is standardised over the group (0 where all have the same number), and the penalty is the
    weighted sum.

    Args:
        segments: of each trace, the lengths of its segments.
        weights: of each cluster, from the shortest segments to the longest. Descending ones penalise short segments more.

    Returns:
        Of each trace its penalty, positive where it has more segments than the others. They sum to 0, also in each cluster.
    """
    pooled = sorted({length for trace in segments for length in trace})
    if not pooled:
        return [0.0] * len(segments)
    # The last length of each cluster but the last. Each length counts once, so that one more segment does not move the others.
    ends = [pooled[max(0, math.ceil(len(pooled) * (i + 1) / len(weights)) - 1)] for i in range(len(weights) - 1)]
    penalties = [0.0] * len(segments)
    for cluster, weight in enumerate(weights):
        counts = [sum(bisect.bisect_left(ends, length) == cluster for length in trace) for trace in segments]
        deviation = statistics.pstdev(counts)
        if deviation == 0:
            continue
        mean = statistics.fmean(counts)
        penalties = [p + weight * (n - mean) / deviation for p, n in zip(penalties, counts, strict=True)]
    return penalties

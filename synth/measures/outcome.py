"""What right answers are worth: wrong reasoning behind them, wrong ones among what was kept, and how sure a share is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

__all__ = ["Purity", "purity", "trace_error", "wilson"]


def wilson(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval in which the true rate lies, as (low, high) in [0, 1]. Source: Wilson, 1927.

    Args:
        successes: how many of the trials succeeded, 0 to n.
        n: how many trials there were, at least 1.
        level: the confidence, above 0 and below 1.

    Raises:
        ValueError: an argument is outside of its range.
    """
    if not (n >= 1 and 0 <= successes <= n and 0 < level < 1):
        raise ValueError(
            f"{successes} of {n} at {level}: of at least 1, 0 to all succeed, and the level is between 0 and 1"
        )
    share, z2 = successes / n, _quantile(level) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2) * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the two ends the bound is the share itself, which rounding must not move.
    return (0.0 if share == 0 else max(0.0, middle - half)), (1.0 if share == 1 else min(1.0, middle + half))


@lru_cache(maxsize=64)
def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def trace_error(final_right: Sequence[bool], steps_right: Sequence[Sequence[bool]]) -> float | None:
    """Of solutions that reach the right answer, the share with a wrong step.

    None where none reaches it. Source: Uesato et al., 2022, arXiv:2211.14275.

    Args:
        final_right: whether each solution ends in the right answer.
        steps_right: for each solution whether each of its steps is right.
    """
    lucky = [not all(steps) for right, steps in zip(final_right, steps_right, strict=True) if right]
    return sum(lucky) / len(lucky) if lucky else None


class Purity(NamedTuple):
    """How well what was kept is what is right."""

    kept: int
    purity: float
    """Of what was kept, the share that is right by the gold label."""
    low: float
    """Lower end of its 95 % interval (Wilson, 1927)."""
    high: float
    """Upper end."""
    recall: float | None
    """Of what is right, the share that was kept; None where nothing is."""


def purity(kept: Sequence[bool], right: Sequence[bool]) -> Purity | None:
    """What was kept against gold labels; None where nothing was kept.

    Args:
        kept: whether each item was kept.
        right: whether each is right, by people or by construction.
    """
    n = sum(kept)
    if not n:
        return None
    both = sum(k and r for k, r in zip(kept, right, strict=True))
    low, high = wilson(both, n)
    return Purity(n, both / n, low, high, both / sum(right) if any(right) else None)

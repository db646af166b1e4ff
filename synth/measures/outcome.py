"""What right answers are worth: wrong reasoning behind them, and wrong ones among what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

__all__ = ["Purity", "purity", "trace_error", "wilson"]

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


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


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927), as (low, high) in [0, 1].

    Args:
        successes: how many of the trials succeeded.
        n: how many trials there were, at least 1.
    """
    share, z2 = successes / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)

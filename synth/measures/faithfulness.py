"""Whether an answer depends on the evidence given for it: ERASER's comprehensiveness and sufficiency, arXiv:1911.03429.

All rest on the probability that the answering model gives to the answer it gave to the whole input: from log-probabilities,
or from how often it gives that answer. Leaving words out makes inputs unlike those it knows; compare with evidence drawn
at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

__all__ = ["BINS", "Faithfulness", "comprehensiveness", "faithfulness", "sufficiency"]

BINS = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the tokens, ERASER's."""


class Faithfulness(NamedTuple):
    """Areas over the perturbation curve (AOPC)."""

    comprehensiveness: float
    """Mean fall of the probability when the highest tokens are taken out; high is good."""
    sufficiency: float
    """Mean fall when nothing but these is left; low is good."""


def comprehensiveness(full: float, without: float) -> float:
    """p(answer | input) - p(answer | input without the evidence): high where the evidence was needed."""
    return full - without


def sufficiency(full: float, alone: float) -> float:
    """p(answer | input) - p(answer | the evidence alone): low where the evidence suffices."""
    return full - alone


def faithfulness(
    probability: Callable[[Sequence[bool]], float], scores: Sequence[float], bins: Sequence[float] = BINS
) -> Faithfulness:
    """Both, for soft evidence: the mean over the highest 1, 5, 10, 20 and 50 % of the tokens.

    The mean is over `bins`; the paper's sum also counts the empty rationale. Of tied tokens the earlier counts as higher.

    Args:
        probability: of the answer that was given to the whole input, for an input of which the tokens marked True stay.
        scores: how important each token is said to be, one a token.
        bins: shares of the tokens, each in (0, 1]; at least one token is taken.

    Raises:
        ValueError: there are no tokens, or no bins.
    """
    n = len(scores)
    if not n or not bins:
        raise ValueError("there must be a token and a bin")
    order = sorted(range(n), key=lambda i: -scores[i])
    full = probability([True] * n)
    needed = enough = 0.0
    for share in bins:
        # 0.07 of 100 tokens are 7, not 8: the product is a little above.
        top = set(order[: max(1, ceil(share * n - 1e-9))])
        needed += comprehensiveness(full, probability([i not in top for i in range(n)]))
        enough += sufficiency(full, probability([i in top for i in range(n)]))
    return Faithfulness(needed / len(bins), enough / len(bins))

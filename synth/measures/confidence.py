"""How sure a model was of what it wrote, from the log-probabilities of its tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

__all__ = ["TokenConfidence", "token_confidence", "token_divergence"]


class TokenConfidence(NamedTuple):
    """What the tokens of a text come to."""

    mean: float
    """Mean probability of a token, in [0, 1]."""
    minimum: float
    """The lowest probability of a token, in [0, 1]."""
    first: float
    """Mean probability of the first tokens, in [0, 1]: how sure the model was of the way that it took here."""
    divergence: float
    """How uneven the probabilities are: `token_divergence`, at least 0."""
    leco: float
    """`mean + first - divergence`, at most 2."""
    logprob: float
    """Mean log-probability of a token (natural logarithm), at most 0."""
    perplexity: float | None
    """`exp(-logprob)`, at least 1; None where it is beyond the numbers of a float."""
    tokens: int
    """How many tokens there are."""


def token_divergence(probabilities: Sequence[float]) -> float:
    """How far the probabilities of successive tokens are from being all alike: `ln(KL(p / sum p, uniform) ** (1/3) + 1)`.

    0 where all are equal, where there is one token, and where all are 0; at most `ln(ln(n) ** (1/3) + 1)` for n tokens.
    Source: arXiv:2403.19094 (LeCo), with the logarithm, root and sum of its code.
    """
    total = math.fsum(probabilities)
    if not total > 0:
        return 0.0
    shares = [p / total for p in probabilities]
    distance = math.fsum(s * math.log(s * len(shares)) for s in shares if s > 0)
    return math.log(max(0.0, distance) ** (1 / 3) + 1)


def token_confidence(logprobs: Sequence[float], *, first: int = 5, skip: int = 0) -> TokenConfidence | None:
    """The figures of a step, or of any other run of tokens; None of no tokens.

    Args:
        logprobs: the log-probability of each token, in order; what is above 0 counts as 0.
        first: how many tokens count as the first ones, at least 1.
        skip: how many stand before these, such as those of a header "Step 1:". Of a text with no further tokens the first ones are
            taken from its beginning.

    Source: the confidence of a step in arXiv:2403.19094 (LeCo), whose code takes 1 or 5 first tokens, and skips 3 after "Step".
    """
    if not logprobs:
        return None
    logs = [min(0.0, value) for value in logprobs]
    probabilities = [math.exp(value) for value in logs]
    begun = probabilities[skip : skip + first] or probabilities[:first]
    mean, transition, divergence = fmean(probabilities), fmean(begun), token_divergence(probabilities)
    logprob = fmean(logs)
    return TokenConfidence(
        mean=mean,
        minimum=min(probabilities),
        first=transition,
        divergence=divergence,
        leco=mean + transition - divergence,
        logprob=logprob,
        perplexity=math.exp(-logprob) if logprob > -_MOST_EXPONENT else None,
        tokens=len(logs),
    )


_MOST_EXPONENT = 700.0
"""`exp` of more is beyond the numbers of a float."""

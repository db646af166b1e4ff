"""A yes or no as a number: how probable the yes was."""

from __future__ import annotations

import math

from synth.models import Completion

__all__ = ["YES_OR_NO", "probability_of_yes"]

YES_OR_NO = {"max_tokens": 8, "stop": ["\n", ".", ","], "logprobs": True, "top_logprobs": 20}
"""Sampling parameters: a word and its alternatives; 20 is the most the OpenAI API gives."""


def probability_of_yes(reply: Completion) -> float | None:
    """Of the first token of a reply, the probability of a yes among yes and no; None where neither is among its alternatives."""
    listed = ((reply.logprobs or {}).get("content") or [{}])[0].get("top_logprobs") or []
    share = {"yes": 0.0, "no": 0.0}
    for alternative in listed:
        word = str(alternative["token"]).strip().lower()
        if word in share:
            share[word] += math.exp(alternative["logprob"])
    total = sum(share.values())
    return share["yes"] / total if total else None

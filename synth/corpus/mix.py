"""`mix`: records of several kinds in given shares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synth.corpus.step import CorpusRecord, CorpusStep, CorpusView
from synth.records import Rejection, content_id

__all__ = ["Mix"]


class Mix(CorpusStep):
    """Keep records of several kinds in given shares, as many as there are to be had; the surplus is chosen at random.

    The shares hold within rounding; a kind of which there is none is left out of them. Records of kinds that are not named
    stay. Source: the mix of preference pairs of arXiv:2411.06387 (lambda = 0.6 of pairs by consistency).
    """

    step: Literal["mix"] = "mix"
    target: Literal["problem", "rationale", "pair"] = "pair"
    """What is mixed."""
    by: Literal["step", "teacher", "source", "answer"] = "step"
    """What tells the kinds apart: who made them, the input file, or the gold answer (letters, yes and no)."""
    shares: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=2)] | Literal["equal"]
    """By kind: what part of the whole its records are; brought to a sum of 1. `equal`: as many of each kind there is."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """Records to keep in all, of those named."""
    seed: int = 0
    """Another seed chooses others."""

    def run(self, view: CorpusView) -> list[Rejection]:
        records = view.kept("chosen" if self.target == "pair" else self.target)
        of: dict[str, list[CorpusRecord]] = {}
        for record in records:
            of.setdefault(record.shared(self.by), []).append(record)
        shares = dict.fromkeys(sorted(of), 1.0) if self.shares == "equal" else self.shares
        shares = {name: share for name, share in shares.items() if of.get(name)}
        whole = sum(shares.values())
        total = min((len(of[name]) / (share / whole) for name, share in shares.items()), default=0)
        if self.at_most is not None:
            total = min(total, self.at_most)
        rejections = []
        for name, share in shares.items():
            keep = round(total * share / whole)
            at_random = sorted(of[name], key=lambda r: content_id([self.seed, r.id]))
            observed = {"kept": keep, "of": len(of[name])}
            rejections += [self.reject(r, f"{share / whole:.0%} of {name}", observed) for r in at_random[keep:]]
        return rejections

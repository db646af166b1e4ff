"""`rebalance`: records of several kinds in given shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from synth.corpus.choose import ranked
from synth.corpus.step import FIELDS, CorpusStep, CorpusView, Target, expression_mistakes, kinds_of
from synth.records import Rejection

__all__ = ["Rebalance", "Shares"]


def _words(value: Any) -> Any:
    """What YAML makes of `yes: 1` and `2: 1`, back to words."""
    if not isinstance(value, Mapping):
        return value
    return {("yes" if k else "no") if isinstance(k, bool) else str(k): v for k, v in value.items()}


Shares = Annotated[
    dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=2), BeforeValidator(_words)
]
"""By name what part of the whole it has; brought to a sum of 1."""


class Rebalance(CorpusStep):
    """Keep records of several kinds in given shares, as many as there are to be had; of a kind the best stay, or some at random.

    The shares hold but for less than a record; a kind of which there is none is left out of them, and that is reported. Records
    of kinds that are not named stay. Sources: the mix of preference pairs of arXiv:2411.06387 (lambda = 0.6 of pairs by
    consistency); a batch to label of 80 % convincing wrong solutions, arXiv:2305.20050.
    """

    version: ClassVar[int] = 2

    step: Literal["rebalance"] = "rebalance"
    target: Literal["problem", "rationale", "pair"] = "pair"
    """What is mixed."""
    by: str = "step"
    """What defines the kinds: `step`, `model`, `source` (the input file), `answer` (the gold one), `problem`, `unit`,
    or an expression, such as `label.correct` or `problem.meta.topic`; true and false are `yes` and `no`, no value `none`."""
    shares: Shares | Literal["equal"]
    """By kind: what part of the whole its records are; brought to a sum of 1. `equal`: as many of each kind there is."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """Records to keep in all, of those named."""
    best: str | None = None
    """A score, `length`, or an expression, of which the highest of a kind stay; at random if not given."""
    seed: int = 0
    """Another seed chooses others."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        yield from expression_mistakes("by", self.by, FIELDS)
        if self.best is not None:
            yield from expression_mistakes("best", self.best)

    def sources(self) -> Iterable[tuple[str, str]]:
        yield from [("by", self.by)] if not self.by.isidentifier() else []
        yield from [("best", self.best)] if self.best is not None else []

    def run(self, view: CorpusView) -> list[Rejection | str]:
        target: Target = "chosen" if self.target == "pair" else self.target
        records = view.kept(target)
        of: dict[str, list[int]] = {}
        for i, kind in enumerate(kinds_of(view, target, self.by, self)):
            of.setdefault(kind, []).append(i)
        asked = dict.fromkeys(sorted(of), 1.0) if self.shares == "equal" else self.shares
        shares = {name: share for name, share in asked.items() if name in of}
        if not shares:
            return [f"no {self.target} is of a kind that is named; there are {_counted(of)}"] if records else []
        whole = sum(shares.values())
        scarcest = min(shares, key=lambda name: len(of[name]) / shares[name])
        possible = len(of[scarcest]) * whole / shares[scarcest]
        total = min(int(possible + 1e-9), self.at_most or len(records))
        made: list[Rejection | str] = []
        if len(shares) < len(asked):
            gone = ", ".join(name for name in asked if name not in of)
            made.append(
                f"no {self.target} is {gone}; the shares of the others hold among them (there are {_counted(of)})"
            )
        if self.at_most is not None and total < self.at_most:
            share = shares[scarcest] / whole
            made.append(
                f"{total:,} of the {self.at_most:,} asked for: only {len(of[scarcest]):,} are {scarcest}, which is to have {share:.0%}"
            )
        rank, value = ranked(self, target, records, view, self.best)
        for name, keep in zip(shares, _apportioned(total, [s / whole for s in shares.values()]), strict=True):
            best = sorted(of[name], key=rank.__getitem__)
            observed = {"kept": keep, "of": len(best)}
            rule = f"{shares[name] / whole:.0%} of {name}"
            made += [self.reject(records[i], rule, observed | value(i)) for i in best[keep:]]
        return made


def _apportioned(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `total`, none a whole one away from its share: by largest remainder, the earlier first."""
    exact = [total * share for share in shares]
    parts = [int(e + 1e-9) for e in exact]
    order = sorted(range(len(parts)), key=lambda k: (parts[k] - exact[k], k))
    for k in order[: total - sum(parts)]:
        parts[k] += 1
    return parts


def _counted(of: Mapping[str, Sequence[int]]) -> str:
    """The kinds there are, the largest first; of many a few."""
    sizes = sorted(((-len(some), name) for name, some in of.items()))
    shown = ", ".join(f"{name[:40]} {-n:,}" for n, name in sizes[:8])
    return shown + (f" and {len(sizes) - 8:,} more" if len(sizes) > 8 else "")

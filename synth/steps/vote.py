"""`vote`: how much of the rationales of a problem agree on each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from math import fsum, isclose, isfinite
from typing import ClassVar, Literal

from synth.errors import UserError
from synth.prompts import Expression
from synth.records import Rationale, Score, UnitRecord
from synth.steps.make import Expr
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit
from synth.verify import answer_clusters

__all__ = ["Vote"]


class Vote(Step):
    """Score each rationale by the share of the rationales of its problem that reach the same answer.

    The label is `majority` for the answer with most votes (all of them, where several have most), else `minority`;
    a rationale without an answer gets `unparsed` and 0, and counts in the share. Source: self-consistency,
    arXiv:2203.11171. With `weight` votes count by a score, such as that of a reward model (arXiv:2206.02336, arXiv:2211.14275).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["vote"] = "vote"
    score: ScoreName = "vote"
    """Name of the score."""
    weight: Expr | None = None
    """How much each vote counts: an expression about the rationale, 0 or more, such as `score.reward` or `steps.step_value | min`. Where it
    has no value the vote does not count. Without it each counts 1, which a weight that is the same for all gives, too. Where no vote
    counts there is no share: the label is `no_weight`."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    def expressions(self) -> Mapping[str, str]:
        return {} if self.weight is None else {"weight": self.weight}

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        weights = {record.id: self._weight(record, unit) for record in records}
        made: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in records):
            voters = [r for r in records if r.problem == problem]
            made += await asyncio.to_thread(self._count, voters, weights, unit)
        return made

    def _weight(self, voter: Rationale, unit: Unit) -> float:
        if self.weight is None:
            return 1.0
        value = Expression(self.weight).value(unit.variables(voter), f"step {self.name}, {voter.id}")
        if value is None:
            return 0.0
        if not isinstance(value, (int, float)) or not isfinite(value) or value < 0:
            what = f"weight: {self.weight} is {value!r}, and a vote counts 0 or more"
            fix = "bring it to 0 or more: a share, a rank, or softmax over the group"
            raise UserError(what, where=f"step {self.name}, {voter.id}", fix=fix)
        return float(value)

    def _count(self, voters: Sequence[Rationale], weights: Mapping[str, float], unit: Unit) -> list[Score]:
        problem = unit.problem_of(voters[0])
        of_voter = answer_clusters([v.answer for v in voters], kind=problem.compared_as, choices=problem.choices)
        camps: dict[int, list[Rationale]] = {}
        for voter, cluster in zip(voters, of_voter, strict=True):
            if cluster is not None:
                camps.setdefault(cluster, []).append(voter)
        total = fsum(weights[v.id] for v in voters)
        heaviest = [(fsum(weights[v.id] for v in camp), camp) for camp in camps.values()]
        most = max((votes for votes, _ in heaviest), default=0.0)
        of = {v.id: (votes, len(camp)) for votes, camp in heaviest for v in camp}
        scores = []
        for voter in voters:
            votes, size = of.get(voter.id, (0.0, 0))
            leads = isclose(votes, most, rel_tol=1e-9)
            label = "unparsed" if not size else "no_weight" if not total else "majority" if leads else "minority"
            counted = "" if self.weight is None else f", with {votes:.4g} of {total:.4g} in weight"
            scores.append(
                self.derive(
                    Score,
                    voters,
                    target=voter.id,
                    name=self.score,
                    value=votes / total if total else None,
                    label=label,
                    judge="vote/1",
                    reason=f"{size} of {len(voters)} agree{counted}",
                )
            )
        return scores

"""`vote`: how much of the rationales of a problem agree on each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit
from synth.verify import compare_answers

__all__ = ["Vote"]


class Vote(Step):
    """Score each rationale by the share of the rationales of its problem that reach the same answer.

    The label is `majority` for the answer with most votes (all of them, where several have most), else `minority`;
    a rationale without an answer gets `unparsed` and 0, and counts in the share. Source: self-consistency,
    arXiv:2203.11171.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["vote"] = "vote"
    score: ScoreName = "vote"
    """Name of the score."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in records):
            made += await asyncio.to_thread(self._count, [r for r in records if r.problem == problem], unit)
        return made

    def _count(self, voters: Sequence[Rationale], unit: Unit) -> list[Score]:
        problem = unit.problem_of(voters[0])
        camps: list[tuple[str, list[Rationale]]] = []
        for voter in voters:
            if voter.answer is None:
                continue
            for answer, camp in camps:
                same = voter.answer == answer or (
                    compare_answers(voter.answer, answer, kind=problem.compared_as, choices=problem.choices).label
                    == "right"
                )
                if same:
                    camp.append(voter)
                    break
            else:
                camps.append((voter.answer, [voter]))
        most = max((len(camp) for _, camp in camps), default=0)
        size = {v.id: len(camp) for _, camp in camps for v in camp}
        scores = []
        for voter in voters:
            votes = size.get(voter.id, 0)
            label = "unparsed" if votes == 0 else "majority" if votes == most else "minority"
            scores.append(
                self.derive(
                    Score,
                    voters,
                    target=voter.id,
                    name=self.score,
                    value=votes / len(voters),
                    label=label,
                    judge="vote/1",
                    reason=f"{votes} of {len(voters)} agree",
                )
            )
        return scores

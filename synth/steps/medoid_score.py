"""`medoid_score`: how much a rationale says what the others say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import ClassVar, Literal

from synth.records import Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit
from synth.verify import token_f1

__all__ = ["MedoidScore"]


class MedoidScore(Step):
    """Score each rationale by its mean token F1 with the others of its problem; the one with the highest is the medoid.

    Run it on those that reach one answer (after a `vote` and a filter): 1 where all are alike, 0 for a lone one. Source:
    voting over the text of rationales as in arXiv:2311.14109, which does so over the logits of one model; this is the
    counterpart for samples, and ours.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["medoid_score"] = "medoid_score"
    score: ScoreName = "consensus"
    """Name of the score."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in records):
            mine = [r for r in records if r.problem == problem]
            for one in mine:
                shared = [token_f1(one.reasoning, other.reasoning) for other in mine if other.id != one.id]
                made.append(
                    self.derive(
                        Score,
                        mine,
                        target=one.id,
                        name=self.score,
                        value=fmean(shared) if shared else 0.0,
                        judge="token_f1/1",
                        reason=f"among {len(mine)}",
                    )
                )
        return made

"""`verify_answer`: is a rationale right?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Rationale, Score, UnitRecord
from synth.steps.step import ScoreName
from synth.steps.unit import Unit
from synth.steps.verifying import VerifyingStep

__all__ = ["VerifyAnswer"]


class VerifyAnswer(VerifyingStep):
    """Score each rationale 1 (`right`) or 0 (`wrong`, `unparsed`, `timeout`) against the gold answer, or by another verifier; null where
    the verifier cannot say, or there is no gold answer (`undecided`).

    How answers are compared follows the problem's kind of answer: as numbers, choices, mathematics, words or yes/no.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["verify_answer"] = "verify_answer"
    score: ScoreName = "correct"
    """Name of the score."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        return [self.verdict(rationale, await self.verify(rationale, unit), self.score) for rationale in records]

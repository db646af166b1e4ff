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

    How answers are compared follows the problem's kind of answer: as numbers, choices, mathematics, words, yes/no, sets, lists, intervals,
    assignments, actions or rankings. A grade says how much of a wrong answer is right.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["verify_answer"] = "verify_answer"
    score: ScoreName = "correct"
    """Name of the score."""
    grade: ScoreName | None = None
    """Name of a second score, the grade in [0, 1]: 1 where the answer is right, else the part of it that is right, such as the share of the
    names of an assignment; null where that is not decided. Not written if not given."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,) if self.grade is None else (self.score, self.grade)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for rationale in records:
            verdict = await self.verify(rationale, unit)
            made.append(self.verdict(rationale, verdict, self.score))
            if self.grade is not None:
                made.append(self.verdict(rationale, verdict, self.grade, graded=True))
        return made

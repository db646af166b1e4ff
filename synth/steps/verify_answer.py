"""`verify_answer`: is the final answer of a rationale the gold answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit
from synth.verify import Verdict, compare_answers

__all__ = ["VerifyAnswer"]


class VerifyAnswer(Step):
    """Score each rationale 1 (`right`) or 0 (`wrong`, `unparsed`, `timeout`) against the gold answer.

    How answers are compared follows the problem's kind of answer: as numbers, choices, mathematics, words or yes/no.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)
    needs: ClassVar[frozenset[str]] = frozenset({"answer"})

    step: Literal["verify_answer"] = "verify_answer"
    score: ScoreName = "correct"
    """Name of the score."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Relative error that still counts as right for numbers; exact if not given."""
    f1: Annotated[float, Field(gt=0, le=1)] | None = None
    """Token F1 from which on words count as right; they must be equal (normalised) if not given."""
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds one comparison may take."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        return [self._score(r, await self._compare(r, unit)) for r in records]

    async def _compare(self, rationale: Rationale, unit: Unit) -> Verdict:
        problem = unit.problem_of(rationale)
        assert problem.answer is not None
        kind = problem.compared_as

        def compare() -> Verdict:
            return compare_answers(
                rationale.answer,
                problem.answer or "",
                kind=kind,
                choices=problem.choices,
                tolerance=self.tolerance,
                timeout=self.timeout,
                f1_threshold=self.f1,
            )

        # Mathematics may take as long as the time-out; the others take microseconds.
        return await asyncio.to_thread(compare) if kind == "math" else compare()

    def _score(self, rationale: Rationale, verdict: Verdict) -> Score:
        return self.derive(
            Score,
            [rationale],
            target=rationale.id,
            name=self.score,
            value=1.0 if verdict.label == "right" else 0.0,
            label=verdict.label,
            judge=verdict.method,
            reason=verdict.detail,
        )

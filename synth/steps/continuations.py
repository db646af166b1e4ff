"""What comes of continuations: how many are right, how many wrong, and how many never came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synth.measures import wilson
from synth.models import Completion, Model, Request
from synth.records import Problem, Rationale, UnitRecord
from synth.steps.continuing import Beginning, ContinuingStep
from synth.steps.unit import Unit
from synth.steps.verifying import VerifyingStep
from synth.verify import Verdict

__all__ = ["Continuations", "ValuingStep"]


class Continuations(NamedTuple):
    """What came of the continuations of one beginning."""

    verified: tuple[tuple[Rationale, Verdict], ...]
    missing: int
    """Continuations that did not come, or whose verifier did not decide: neither right nor wrong."""

    def plus(self, other: Continuations) -> Continuations:
        """These and others of the same beginning."""
        return Continuations(self.verified + other.verified, self.missing + other.missing)

    @property
    def right(self) -> int:
        """How many are right."""
        return sum(verdict.label == "right" for _, verdict in self.verified)

    @property
    def value(self) -> float | None:
        """The share of right ones; None where none is known."""
        return self.right / len(self.verified) if self.verified else None

    @property
    def reason(self) -> str:
        """The counts, in words."""
        known = len(self.verified)
        lost = f", {self.missing} missing" if self.missing else ""
        if not known:
            return f"no continuation is known{lost}"
        low, high = wilson(self.right, known)
        return f"{self.right} of {known} right{lost}, 95 % interval {low:.2f} to {high:.2f}"


class ValuingStep(ContinuingStep, VerifyingStep):
    """A step that values the beginnings of solutions by how often continuations of them are right."""

    async def outcomes(
        self,
        problem: Problem,
        beginning: Beginning | None,
        asked: Sequence[tuple[Model, Request, UnitRecord]],
        replies: Sequence[Completion | None],
        unit: Unit,
    ) -> Continuations:
        """What came of continuations that were asked for.

        Args:
            problem: the problem.
            beginning: what was continued; None for the bare question.
            asked: the questions.
            replies: the replies to them, in the same order; None where none came.
            unit: the unit.
        """
        verified: list[tuple[Rationale, Verdict]] = []
        for (model, request, _), reply in zip(asked, replies, strict=True):
            if reply is None:
                continue
            rationale = self.read_on(problem, beginning, model, request, reply)
            verdict = await self.verify(rationale, unit)
            if verdict.decided:
                verified.append((rationale, verdict))
        return Continuations(tuple(verified), len(asked) - len(verified))

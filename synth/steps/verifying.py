"""What the steps share that verify solutions: which verifier, and how answers are compared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from synth.models import Model
from synth.records import Rationale
from synth.steps.step import Step
from synth.steps.unit import Unit
from synth.verify import ANSWER, Verdict, Verifier, all_verifiers, as_verdict, verify_by_answer

__all__ = ["VerifyingStep"]


class VerifyingStep(Step):
    """A step that asks a verifier whether solutions are right."""

    verifier: str = ANSWER
    """What says whether a solution is right: `answer` compares its final answer with the gold one; or the name of a verifier in the
    pipeline's `code`, or of another package (entry point `synth.verifiers`)."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Relative error that still counts as right for numbers; exact if not given."""
    f1: Annotated[float, Field(gt=0, le=1)] | None = None
    """Token F1 from which on words count as right; they must be equal (normalised) if not given."""
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds one comparison may take."""
    verifiers: Annotated[SkipJsonSchema[InstanceOf[dict] | None], Field(exclude=True, repr=False)] = None  # type: ignore[type-arg]
    """Set by the loader: verifiers of the pipeline's own Python, by name."""

    def needed(self) -> frozenset[str]:
        return super().needed() | ({"answer"} if self.verifier == ANSWER else frozenset())

    def known_verifiers(self) -> Mapping[str, Verifier]:
        """The verifiers it can name."""
        return {**all_verifiers(), **(self.verifiers or {})}

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        known = self.known_verifiers()
        if self.verifier not in known:
            yield "verifier", f"there is no verifier {self.verifier!r}", f"name one of {', '.join(known)}"

    async def verify(self, rationale: Rationale, unit: Unit) -> Verdict:
        """Whether a rationale is right. A verifier that takes longer than `timeout` has the label `timeout`."""
        problem = unit.problem_of(rationale)
        if self.verifier == ANSWER:
            options: dict[str, Any] = {"tolerance": self.tolerance, "timeout": self.timeout, "f1_threshold": self.f1}
            if (
                problem.compared_as != "math"
            ):  # mathematics may take as long as the time-out, the others take microseconds
                return verify_by_answer(rationale, problem, **options)
            return await asyncio.to_thread(verify_by_answer, rationale, problem, **options)
        verifier = self.known_verifiers()[self.verifier]
        try:
            async with asyncio.timeout(self.timeout):
                said = await asyncio.to_thread(verifier, rationale, problem)
        except TimeoutError:
            what = f"{self.verifier}: not decided within {self.timeout:g} s"
            return Verdict("timeout", rationale.answer, problem.answer or "", self.verifier, what)
        return as_verdict(self.verifier, said, rationale, problem)

"""`generate`: models write rationales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.models import Model, Request
from synth.records import Problem, Rationale, UnitRecord
from synth.steps.continuing import BeginningStep
from synth.steps.unit import Unit

__all__ = ["Generate"]


class Generate(BeginningStep):
    """Models solve the problem and show their work; each sample is a rationale.

    A problem with a beginning (`begun`) is continued from it: by a model that takes the beginning of its reply (`prefill` in its profile) so, by
    others in words. The rationale begins with it, byte for byte; `given` is how many leading steps are not the model's own.

    Source: zero-shot and few-shot chain of thought as in arXiv:2212.10071 (k samples of a model); with `hint: answer`
    the rationalization of arXiv:2203.14465 (the solver is given the gold answer; the hint never enters the record).
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["generate"] = "generate"
    prompt: str = "rationale/solve"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Rationales to ask of each model for each problem."""
    hint: Literal["none", "answer"] = "none"
    """Whether the model is shown the gold answer. The stored question never holds it."""

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        yield from self.equal_samples(self.samples, models)

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        asked = [pair for problem in records for pair in self.requests(problem, unit.models(self.by))]
        return await self.write(asked, unit)

    def requests(self, problem: Problem, models: Sequence[Model]) -> list[tuple[Model, Request]]:
        """All there is to ask of these models for a problem."""
        hint = problem.answer_stated if self.hint == "answer" else None
        asked: list[tuple[Model, Request]] = []
        for model in models:
            asked += [(model, request) for request in self.going_on(problem, None, model, self.samples, hint=hint)]
        return asked

    async def write(self, asked: Sequence[tuple[Model, Request]], unit: Unit) -> list[Rationale]:
        """The rationales that came back."""
        replies = await self.ask_all([(model, request, request.task.problem) for model, request in asked], unit)
        return [
            self.read_on(request.task.problem, None, model, request, reply)
            for (model, request), reply in zip(asked, replies, strict=True)
            if reply is not None
        ]

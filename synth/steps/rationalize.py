"""`rationalize`: teachers write rationales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Problem, Rationale, UnitRecord, record_fields
from synth.steps.step import Flow
from synth.steps.unit import Unit
from synth.steps.writing import WritingStep
from synth.teachers import Request, Task, Teacher

__all__ = ["Rationalize"]


class Rationalize(WritingStep):
    """Teachers solve the problem and show their work; each sample is a rationale.

    Source: zero-shot and few-shot chain of thought as in arXiv:2212.10071 (k samples of a teacher); with `hint: answer`
    the rationalization of arXiv:2203.14465 (the solver is told the gold answer; the hint never enters the record).
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["rationalize"] = "rationalize"
    prompt: str = "rationale/solve"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Rationales to ask of each teacher for each problem."""
    hint: Literal["none", "answer"] = "none"
    """Whether the teacher is shown the gold answer. The stored question never holds it."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        fields = record_fields(Problem)
        return {"problem": fields, "hint": None, "format": None, "examples": None}

    def problems_with(
        self, teachers: Mapping[str, Sequence[Teacher]], authors: Sequence[Teacher]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(teachers, authors)
        if self.samples > 1 and any(self.is_greedy(t) for role in self.roles() for t in teachers.get(role, ())):
            what = f"{self.samples} samples at temperature 0 are {self.samples} times the same reply"
            yield "samples", what, "set temperature above 0, or samples: 1"

    def flow(self, teachers: int) -> Flow:
        n = self.samples * teachers
        return Flow(calls=n, records=n)

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        asked = [pair for problem in records for pair in self.requests(problem, unit.teachers(self.by))]
        return await self.write(asked, unit)

    def requests(self, problem: Problem, teachers: Sequence[Teacher]) -> list[tuple[Teacher, Request]]:
        """All there is to ask of these teachers for a problem."""
        hint = problem.answer if self.hint == "answer" else None
        asked: list[tuple[Teacher, Request]] = []
        for teacher in teachers:
            task = Task("solve", problem, hint=hint, format=self.form_for(teacher))
            first = self.writing(problem, teacher, task, {"hint": hint})
            asked += [(teacher, first if i == 0 else first._replace(sample=i)) for i in range(self.samples)]
        return asked

    async def write(self, asked: Sequence[tuple[Teacher, Request]], unit: Unit) -> list[Rationale]:
        """The rationales that came back."""
        replies = await self.ask_all([(teacher, request, request.task.problem) for teacher, request in asked], unit)
        return [
            self.read(request.task.problem, teacher, request, reply)
            for (teacher, request), reply in zip(asked, replies, strict=True)
            if reply is not None
        ]

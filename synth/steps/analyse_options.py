"""`analyse_options`: rationales that draw out the premises of a passage and analyse every option in their light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.models import Capability, Model, Request, Task
from synth.records import Problem, Rationale, UnitRecord, record_fields
from synth.steps.analysis import analysis_shape, write_analysis
from synth.steps.step import ModelStep
from synth.steps.unit import Unit
from synth.verify import state_answer

__all__ = ["AnalyseOptions"]


class AnalyseOptions(ModelStep):
    """Models list the premises of the passage, say what they mean for each option, and conclude.

    An option is supported, contradicted, unrelated or mixed.
    The gold answer is never shown. `parts` of the rationale has premises and options with the premises each cites; its
    text is written from them in one layout. A reply without one block an option, or that cites premises that are not
    there, is a failure. Source: option-wise rationales of arXiv:2409.14495; layout and fields are ours.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)
    needs: ClassVar[frozenset[str]] = frozenset({"context", "choices"})

    step: Literal["analyse_options"] = "analyse_options"
    prompt: str = "options/analyse"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Analyses to ask of each model for each problem."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        return {"problem": record_fields(Problem), "format": None}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.samples > 1 and any(self.is_greedy(t) for role in self.roles() for t in models.get(role, ())):
            what = f"{self.samples} samples at temperature 0 are {self.samples} times the same reply"
            yield "samples", what, "set temperature above 0, or samples: 1"

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        asked: list[tuple[Model, Request, UnitRecord]] = []
        for problem in records:
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                task = Task("analyse", problem, format=form)
                shape = analysis_shape(len(problem.choices))
                first = self.request(self.load(), {"problem": problem, "format": form}, task, shape=shape)
                asked += [(model, request, problem) for request in self.samples_of(first, self.samples)]
        made = []
        for (model, request, _), reply in zip(asked, await self.ask_all(asked, unit), strict=True):
            if reply is None:
                continue
            problem = request.task.problem
            text, steps = write_analysis(reply.value)
            response, span = state_answer(text, reply.value.answer, kind="choice", choices=problem.choices)
            made.append(
                self.derive(
                    Rationale,
                    [problem],
                    replies=[reply.key],
                    problem=problem.id,
                    author="teacher",
                    model=model.name,
                    style="options",
                    thought=reply.thought,
                    thought_kind=reply.thought_kind,
                    response=response,
                    answer_span=span,
                    steps=steps,
                    segmenter="options/1",
                    answer=reply.value.answer,
                    parts=reply.value.model_dump(mode="json"),
                    sample=request.sample,
                    tokens=reply.completion_tokens,
                    call=reply.call,
                )
            )
        return made

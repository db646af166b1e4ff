"""`critique`: models explain the mistake in a rationale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from synth.models import Capability, Model, Reply, Task
from synth.records import Critique as CritiqueRecord
from synth.records import Part, Problem, Rationale, UnitRecord, record_fields
from synth.steps.step import ModelStep
from synth.steps.unit import Unit

__all__ = ["Critique"]


def _number_in(value: Any) -> Any:
    """`Step 2` is 2, and `none` is 0."""
    if isinstance(value, str):
        found = re.search(r"\d+", value)
        return int(found[0]) if found else 0
    return value


class _Diagnosis(Reply):
    """What a critic is to write."""

    explanation: Annotated[str, Field(min_length=1)]
    first_wrong_step: Annotated[int, BeforeValidator(_number_in)] = 0
    kind: str = ""
    correction: str = ""


class Critique(ModelStep):
    """Each model explains what is wrong in a rationale: which step errs first, how, and what it should have been.

    The critic is not told who wrote it. A step number that the rationale does not have is passed over; the explanation
    stays. Source: mistake-aware feedback of arXiv:2410.03663, whose models see the gold answer.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (CritiqueRecord,)

    step: Literal["critique"] = "critique"
    prompt: str = "critique/explain"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    show_gold: bool = True
    """Whether the critic is shown the gold answer, and the reference solution where there is one."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        shown = {"problem": record_fields(Problem), "rationale": record_fields(Rationale)}
        return {**shown, "gold": None, "solution": None, "format": None}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        asked = []
        for rationale in records:
            problem = unit.problem_of(rationale)
            shown = {
                "problem": problem,
                "rationale": rationale,
                "gold": problem.answer_shown if self.show_gold else None,
                "solution": problem.reference_solution if self.show_gold else None,
            }
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                task = Task(
                    "critique", problem, subject=rationale, hint=problem.answer if self.show_gold else None, format=form
                )
                request = self.request(self.load(), {**shown, "format": form}, task, shape=_Diagnosis)
                asked.append((model, request, rationale))
        replies = await self.ask_all(asked, unit)
        made = []
        for (model, _, rationale), reply in zip(asked, replies, strict=True):
            if reply is None:
                continue
            said: _Diagnosis = reply.value
            place = said.first_wrong_step - 1
            made.append(
                self.derive(
                    CritiqueRecord,
                    [rationale],
                    replies=[reply.key],
                    target=rationale.id,
                    part=Part(kind="step", index=place) if 0 <= place < len(rationale.steps) else None,
                    mistake=said.kind or None,
                    explanation=said.explanation,
                    correction=said.correction or None,
                    critic=model.name,
                    call=reply.call,
                )
            )
        return made

"""`revise`: models write a rationale again, with what its critics said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from synth.models import Task
from synth.records import Problem, Rationale, UnitRecord, record_fields
from synth.steps.unit import Unit
from synth.steps.writing import WritingStep

__all__ = ["Revise"]


class Revise(WritingStep):
    """Each model writes a rationale again, seeing it and the live critiques of it; the revision names it as its parent.

    Verify the revision like any rationale; `pair` with `reason: revision` then prefers it to its parent.
    Source: feedback and refinement as in arXiv:2303.17651 (Self-Refine).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["revise"] = "revise"
    prompt: str = "critique/revise"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    examples: str = "none"
    """Worked examples shown first; see `generate`."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        shown = {"problem": record_fields(Problem), "rationale": record_fields(Rationale)}
        return {**shown, "critiques": None, "format": None, "examples": None}

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        asked = []
        for rationale in records:
            problem = unit.problem_of(rationale)
            shown = {"rationale": rationale, "critiques": unit.critiques_of(rationale)}
            for model in unit.models(self.by):
                task = Task("revise", problem, subject=rationale, format=self.form_for(model))
                asked.append((model, self.writing(problem, model, task, shown), rationale))
        replies = await self.ask_all(asked, unit)
        return [
            self.read(unit.problem_of(rationale), model, request, reply, parent=rationale.id)
            for (model, request, rationale), reply in zip(asked, replies, strict=True)
            if reply is not None
        ]

"""`segment`: cut rationales into steps by another definition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Rationale, UnitRecord
from synth.steps.segmentation import Part, Segmenter, cut
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Segment"]


class Segment(Step):
    """Cut rationales into steps by one definition. The rationale it replaces is rejected with the rule `superseded`.

    Steps of the thought of a reasoning model can be judged and exported like those of its response.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["segment"] = "segment"
    into: Segmenter = "steps"
    """The definition of "step"."""
    part: Part | None = None
    """Which part is cut; if not given the response, or where that holds no reasoning the thought. Rationales without a thought
    are left alone by `thought`."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made: list[UnitRecord] = []
        for old in records:
            if self.part == "thought" and not old.thought:
                continue
            steps, segmenter = cut(old.thought, old.response, old.answer_span, self.into, self.part)
            fields = {k: getattr(old, k) for k in Rationale.model_fields if k not in {"id", "unit", "step"}}
            changed = fields | {"steps": steps, "segmenter": segmenter, "parent": old.id}
            new = self.derive(Rationale, [old], **changed)
            made += [new, self.reject(old, "superseded", new.id)]
        return made

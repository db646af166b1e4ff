"""`segment`: cut rationales into steps anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Rationale, UnitRecord
from synth.steps.rejection import reject
from synth.steps.segmentation import Segmenter, segment
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Segment"]


class Segment(Step):
    """Cut rationales into steps by one definition. The rationale it replaces is put out with the rule `superseded`."""

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["segment"] = "segment"
    into: Segmenter = "steps"
    """The definition of "step"."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made: list[UnitRecord] = []
        for old in records:
            steps, segmenter = segment(old.text, self.into)
            fields = {k: getattr(old, k) for k in Rationale.model_fields if k not in {"id", "unit", "step"}}
            because = [self.version, old.id, segmenter]
            changed = fields | {"steps": steps, "segmenter": segmenter, "parent": old.id}
            new = Rationale.make(unit=old.unit, step=self.name, because=because, **changed)
            made += [new, reject(old, self.name, "superseded", new.id)]
        return made

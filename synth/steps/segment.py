"""`segment`: cut rationales into steps by another definition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Rationale, UnitRecord
from synth.steps.segmentation import Part, Segmenter, cut
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Segment", "replaced"]


class Segment(Step):
    """Cut rationales into steps by one definition. The rationale it replaces is rejected with the rule `superseded`.

    Steps of the thought of a reasoning model can be judged and exported like those of its response.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["segment"] = "segment"
    into: Segmenter = "steps"
    """The definition of "step": `steps`, `lines`, `sentences`, `paragraphs`, `numbered`, `code`, `pieces:N`, `markers:WORD,WORD` or
    `regex:PATTERN`."""
    part: Part | None = None
    """Which part is cut; if not given the response, or where that holds no reasoning the thought. Rationales without a thought
    are left alone by `thought`."""
    merge_short: Annotated[int, Field(ge=0, le=10_000)] = 0
    """A step of fewer characters is joined with the next; the last one with the one before."""
    most: Annotated[int, Field(ge=1)] | None = None
    """At most so many steps: the rest is joined with the last. No step reaches over the statement of the answer, so that a text with
    reasoning on both sides of it has two at least."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made: list[UnitRecord] = []
        for old in records:
            if self.part == "thought" and not old.thought:
                continue
            steps, segmenter = cut(
                old.thought,
                old.response,
                old.answer_span,
                self.into,
                self.part,
                merge_short=self.merge_short,
                most=self.most,
            )
            made += replaced(self, old, steps, segmenter)
        return made


def replaced(
    step: Step, old: Rationale, steps: tuple[str, ...], segmenter: str, *, replies: Sequence[str] = ()
) -> list[UnitRecord]:
    """A rationale with other steps, and the rejection of the one it replaces.

    Args:
        step: the step that cuts.
        old: the rationale as it was.
        steps: the new steps.
        segmenter: the name and version of their definition.
        replies: replay keys of what a model said of the cut.
    """
    fields = {k: getattr(old, k) for k in Rationale.model_fields if k not in {"id", "unit", "step"}}
    changed = fields | {"steps": steps, "segmenter": segmenter, "parent": old.id}
    new = step.derive(Rationale, [old], replies=replies, **changed)
    return [new, step.reject(old, "superseded", new.id)]

"""`segment`: cut rationales into steps by another definition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Rationale, UnitRecord
from synth.records.parts import BLANKS
from synth.steps.segmentation import Part, Segmenter, Uncut, name_of, spans, uncut
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Segment", "replaced", "text_to_cut"]


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
            found = text_to_cut(old, self.part)
            if found is not None:
                steps = spans(found.text, self.into, merge_short=self.merge_short, most=self.most, apart=found.apart)
                name = name_of(self.into, merge_short=self.merge_short, most=self.most)
                made += replaced(self, old, found, steps, name)
        return made


def text_to_cut(old: Rationale, part: Part | None) -> Uncut | None:
    """The text of a rationale that is to be cut. None where the rationale is left alone: it has no thought, and that is to be cut; or
    its first steps were given, and it is not known where in the text they end.
    """
    if part == "thought" and not old.thought:
        return None
    found = uncut(old.thought, old.response, old.answer_span, part)
    if not old.given or found.of_thought != old.steps_of_thought:
        return found
    where = old.step_spans
    if where is None or len(where) < old.given:
        return None
    end = where[old.given - 1][1]
    if (
        not found.of_thought
    ):  # the text is the response without blanks at its ends and perhaps the statement of the answer
        before = old.answer_span is None or end <= old.answer_span[0]
        blanks = len(old.response) - len(old.response.lstrip(BLANKS))
        end = end - blanks if before else len(found.text) - (len(old.response.rstrip(BLANKS)) - end)
    return found._replace(apart=(*found.apart, end), given=end)


def replaced(
    step: Step,
    old: Rationale,
    found: Uncut,
    steps: Sequence[tuple[int, int]],
    name: str,
    *,
    replies: Sequence[str] = (),
) -> list[UnitRecord]:
    """A rationale with other steps, and the rejection of the one it replaces.

    Args:
        step: the step that cuts.
        old: the rationale as it was.
        found: the text that was cut.
        steps: where the new steps stand in it.
        name: the name and version of their definition.
        replies: replay keys of what a model said of the cut.
    """
    fields = {k: getattr(old, k) for k in Rationale.model_fields if k not in {"id", "unit", "step"}}
    changed = fields | {
        "steps": tuple(found.text[a:b] for a, b in steps),
        "segmenter": f"thought {name}" if found.of_thought else name,
        "given": sum(end <= found.given for _, end in steps),
        "parent": old.id,
    }
    new = step.derive(Rationale, [old], replies=replies, **changed)
    return [new, step.reject(old, "superseded", new.id)]

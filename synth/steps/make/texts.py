"""Rationales and nodes made of a reply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from synth.prompts import Lazy
from synth.records import (
    Node,
    Rationale,
    UnitRecord,
)
from synth.steps.make.entry import Expr, Make, Source, part_key
from synth.steps.segmentation import Segmenter, cut
from synth.verify import find_answer

__all__ = ["MakeNode", "MakeRationale"]


class MakeRationale(Make):
    """A rationale of the problem. Its parent is the rationale over which the step runs, if it runs over one."""

    makes: ClassVar[type[UnitRecord]] = Rationale
    one: ClassVar[str] = "rationale"

    rationale: Expr
    """The response, with the statement of its answer."""
    answer: Expr | None = None
    """Its answer; read from the response if not given."""
    steps: Expr | None = None
    """Its steps, a list of texts; cut by `segment` if not given."""
    segment: Segmenter = "steps"
    """The definition of "step"."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        record, problem = source.subject.record, source.subject.problem
        response = self._needed("rationale", source, seen)
        answer, span = find_answer(response, kind=problem.compared_as, choices=problem.choices)
        if self.answer is not None:
            given = self._text("answer", source, seen)
            answer, span = given, span if given == answer else None
        steps, segmenter = self._list("steps", source, seen), "given/1"
        if steps is None:
            steps, segmenter = cut(source.thought, response, span, self.segment)
        part = source.subject.part
        yield source.step.derive(
            Rationale,
            [record],
            replies=source.replies,
            key=[*key, part_key(part)],
            problem=problem.id,
            author=source.author,
            model=source.model,
            thought=source.thought,
            thought_kind=source.thought_kind,
            response=response,
            answer=answer,
            answer_span=span,
            steps=steps,
            segmenter=segmenter,
            hinted=source.hinted,
            sample=source.sample,
            tokens=source.tokens,
            parent=record.id if isinstance(record, Rationale) else None,
            call=source.call,
        )


class MakeNode(Make):
    """A node of a thought tree, below the node over which the step runs, if it runs over one."""

    makes: ClassVar[type[UnitRecord]] = Node
    one: ClassVar[str] = "node"

    node: Expr
    """The thought."""
    answer: Expr | None = None
    """The answer reached; the tree then ends here."""
    decision: Expr | None = None
    """What is decided here."""
    reason: Expr | None = None
    """Why it is decided so."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        above = source.subject.record if isinstance(source.subject.record, Node) else None
        answer = self._text("answer", source, seen)
        part = source.subject.part
        yield source.step.derive(
            Node,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(part)],
            problem=source.subject.problem.id,
            parent=None if above is None else above.id,
            depth=0 if above is None else above.depth + 1,
            text=self._needed("node", source, seen),
            decision=self._text("decision", source, seen),
            reason=self._text("reason", source, seen),
            terminal=answer is not None,
            answer=answer,
            model=source.model,
            call=source.call,
        )

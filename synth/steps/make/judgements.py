"""Scores, critiques and rejections made of a reply."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, ClassVar

from synth.prompts import Lazy
from synth.records import (
    Critique,
    Part,
    Rejection,
    Score,
    UnitRecord,
)
from synth.steps.make.entry import Expr, Make, Source, Unmakeable, part_key
from synth.steps.step import ScoreName

__all__ = ["MakeCritique", "MakeReject", "MakeScore"]


class _OnPart(Make):
    """An entry that may be about a part."""

    step: Expr | None = None
    """The step it is about, from 0; of a rationale. If not given, the part over which the step runs."""
    option: Expr | None = None
    """The option it is about, by letter or from 0."""

    def _part(self, source: Source, seen: Lazy) -> Part | None:
        record, problem = source.subject.record, source.subject.problem
        for kind, expression in (("step", self.step), ("option", self.option)):
            if expression is None:
                continue
            value = self._value(expression, source, seen)
            letters = [letter for letter, _ in problem.lettered_choices]
            if kind == "option" and isinstance(value, str) and value.strip().upper() in letters:
                value = letters.index(value.strip().upper())
            count = len(problem.choices) if kind == "option" else len(getattr(record, "steps", ()))
            if (
                value is None
                or not isinstance(value, (int, float))
                or isinstance(value, bool)
                or not 0 <= value < count
                or value != int(value)
            ):
                raise Unmakeable(f"there is no {kind} {value!r}: the record has {count}, counted from 0")
            return Part(kind="step" if kind == "step" else "option", index=int(value))
        return source.subject.part


class MakeScore(_OnPart):
    """A score of the record, or of a part of it."""

    makes: ClassVar[type[UnitRecord]] = Score
    one: ClassVar[str] = "score"

    score: ScoreName
    """Its name."""
    value: Expr | None = None
    """Its value: a number, or yes and no as 1 and 0. No value where the expression has none."""
    label: Expr | None = None
    """Its label, a word; it sees `value`."""
    reason: Expr | None = None
    """Why, in words; it sees `value`."""

    def scores(self) -> tuple[str, ...]:
        return (self.score,)

    def expressions(self) -> dict[str, str]:
        return {name: source for name, source in super().expressions().items() if name != "score"}

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        part = self._part(source, seen)
        value = None if self.value is None else self._value(self.value, source, seen)
        if value is not None and not isinstance(value, (int, float)):
            raise Unmakeable(f"the score {self.score} is to be a number, and {self.value} is a {type(value).__name__}")
        try:
            value = None if value is None else float(value)
        except OverflowError as error:
            raise Unmakeable(f"the score {self.score} is too large a number") from error
        if value is not None and not isfinite(value):
            raise Unmakeable(f"the score {self.score} is {value}")
        seen = seen.beside({"value": value})
        yield source.step.derive(
            Score,
            [source.subject.record],
            replies=source.replies,
            key=[*key, self.score, part_key(part)],
            target=source.subject.record.id,
            part=part,
            name=self.score,
            value=value,
            label=self._text("label", source, seen),
            judge=source.judge,
            reason=self._text("reason", source, seen),
            call=source.call,
        )


class MakeCritique(_OnPart):
    """A critique of the record; of a step of it where `step` says which. A step that there is not is passed over."""

    makes: ClassVar[type[UnitRecord]] = Critique
    one: ClassVar[str] = "critique"

    critique: Expr
    """What is wrong and why."""
    mistake: Expr | None = None
    """The kind of mistake."""
    correction: Expr | None = None
    """How it should have been."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        try:
            part = self._part(source, seen)
        except Unmakeable:
            part = None
        yield source.step.derive(
            Critique,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(source.subject.part)],
            target=source.subject.record.id,
            part=part,
            mistake=self._text("mistake", source, seen) or None,
            explanation=self._needed("critique", source, seen),
            correction=self._text("correction", source, seen) or None,
            critic=source.judge,
            call=source.call,
        )


class MakeReject(Make):
    """The rejection of the record, where an expression is true."""

    makes: ClassVar[type[UnitRecord]] = Rejection
    one: ClassVar[str] = "reject"

    reject: Expr
    """The record is rejected where this is true."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:  # noqa: ARG002
        if self._value(self.reject, source, seen):
            yield source.step.reject(source.subject.record, self.reject, source.judge)

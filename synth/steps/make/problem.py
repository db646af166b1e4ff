"""Problems made of a reply."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Annotated, Any, ClassVar

from pydantic import Field

from synth.models import Reply
from synth.prompts import Lazy
from synth.records import (
    AnswerKind,
    Problem,
    UnitRecord,
)
from synth.steps.make.entry import Answer, Expr, Make, Source, Unmakeable, part_key
from synth.verify import infer_kind, kind_of

__all__ = ["MakeProblem"]


class MakeProblem(Make):
    """A problem derived from the problem of the record. Context, choices, rubric, media and further columns are as in that one where they are
    not given; answer, solution and evidence are not, for the question is another.
    """

    makes: ClassVar[type[UnitRecord]] = Problem
    one: ClassVar[str] = "problem"

    problem: Expr
    """The question."""
    context: Expr | None = None
    """The passage."""
    choices: Expr | None = None
    """The options, a list of texts."""
    answer: Expr | None = None
    """The gold answer; for choices the letter, or the text of the option. None if not given: `problem.answer` takes that of the original."""
    reference_solution: Expr | None = None
    """A worked solution."""
    begun: Expr | None = None
    """The beginning of a reply, from which a solver continues."""
    stage: Expr | None = None
    """Its position in a curriculum, a whole number from 0."""
    meta: Annotated[dict[str, Expr], Field(default_factory=dict)]
    """Further columns, by name."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        old, part = source.subject.problem, source.subject.part
        choices = self._list("choices", source, seen) if self.choices is not None else old.choices
        choices = choices or ()
        answer = self._text("answer", source, seen)
        kind = old.answer_kind if self.choices is None and answer == old.answer else None
        if answer is not None and choices:
            letters = [chr(ord("A") + i) for i in range(len(choices))]
            texts = [choice.strip().casefold() for choice in choices]
            if answer.strip().upper() in letters:
                answer = answer.strip().upper()
            elif texts.count(answer.strip().casefold()) == 1:
                answer = letters[texts.index(answer.strip().casefold())]
            else:
                raise Unmakeable(f"the answer {answer[:60]!r} is none of the options {', '.join(letters)}")
        if kind is None and answer is not None:
            kind = _kind_of(answer, choices, old)
        if choices and (len(choices) < 2 or len(set(choices)) < len(choices)):
            raise Unmakeable("choices are two or more different texts")
        if answer is not None and not answer.strip():
            raise Unmakeable("answer is empty")
        meta = {name: _data(self._value(expression, source, seen), name) for name, expression in self.meta.items()}
        yield source.step.derive(
            Problem,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(part)],
            question=self._needed("problem", source, seen),
            context=self._text("context", source, seen) if self.context is not None else old.context,
            choices=choices,
            answer=answer,
            answer_kind=kind,
            reference_solution=self._text("reference_solution", source, seen),
            rubric=old.rubric,
            media=old.media,
            begun=self._text("begun", source, seen) or None,
            stage=None if self.stage is None else self._value(self.stage, source, seen),
            meta={**old.meta, **meta},
            parent=old.id,
            source=old.source,
        )


def _kind_of(answer: str, choices: Sequence[str], old: Problem) -> AnswerKind:
    """The kind of the answer of a new problem: by its form; where that of the old problem is one that no form shows, the same if it fits."""
    if not choices and old.answer_kind is not None and not kind_of(old.answer_kind).inferred:
        return old.answer_kind if kind_of(old.answer_kind).unfit(answer, ()) is None else infer_kind(answer)
    return infer_kind(answer, choices)


def _data(value: Any, name: str) -> Any:
    """A value as JSON has it.

    Raises:
        Unmakeable: it is none, such as a record.
    """
    if isinstance(value, Reply):
        return value.model_dump(mode="json")
    if isinstance(value, Answer):
        return value._asdict()
    if isinstance(value, Lazy):
        raise Unmakeable(f"meta.{name} is what is known of a record; name one of its fields")
    if isinstance(value, dict):
        return {str(key): _data(inner, name) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_data(inner, name) for inner in value]
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value)):
        return value
    raise Unmakeable(f"meta.{name} is to be data, and a {type(value).__name__} is none")

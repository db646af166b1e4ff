"""What an entry of `make` is, and what its expressions see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from synth.prompts import Expression, Lazy
from synth.records import (
    Author,
    Part,
    ThoughtKind,
    UnitRecord,
)
from synth.steps.step import Step
from synth.steps.subject import Subject
from synth.steps.unit import Unit

__all__ = ["Answer", "Expr", "Make", "Source", "Unmakeable", "part_key"]


class Unmakeable(ValueError):
    """A record cannot be made of a reply; the message says why."""


def part_key(part: Part | None) -> dict[str, Any] | None:
    """What a part adds to the ids of what is made of it."""
    return None if part is None else part.model_dump(exclude_none=True)


class Answer(NamedTuple):
    """An answer to the problem, as expressions see a reply of the type `answer`."""

    text: str | None
    """The answer that the reply states; None where none could be read."""
    right: bool | None
    """Whether it is the gold answer; None where the problem has none."""


class Source(NamedTuple):
    """Where records come from."""

    step: Step
    subject: Subject
    unit: Unit
    judge: str
    """Who says so: the model, or the name and version of a program."""
    replies: tuple[str, ...] = ()
    """Replay keys of the reply; none where it was computed."""
    call: str | None = None
    model: str | None = None
    author: Author = "program"
    hinted: bool = False
    thought: str | None = None
    thought_kind: ThoughtKind | None = None
    sample: int = 0
    tokens: int | None = None


def _written(value: Any) -> Any:
    """An expression as YAML may write it: `1`, `true` and `null` are constants."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Expr = Annotated[
    str,
    BeforeValidator(_written),
    WithJsonSchema({"type": ["string", "number", "boolean"], "description": "An expression."}),
]
"""An expression; see docs/expressions.md."""


class Make(BaseModel, ABC):
    """The base of the entries of `make`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    makes: ClassVar[type[UnitRecord]]
    """The type of record."""
    one: ClassVar[str]
    """The key by which an entry is known."""

    when: Expr | None = None
    """Only where this is true."""
    each: Expr | None = Field(None, alias="for")
    """A list: one record for each of its items, which the other expressions see as `item`, with its `index` from 0."""

    def scores(self) -> tuple[str, ...]:
        """Names of the scores it makes."""
        return ()

    def expressions(self) -> dict[str, str]:
        """Its expressions, by field."""
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, str) and name not in _PLAIN_FIELDS:
                found[field.alias or name] = value
            elif isinstance(value, dict):
                found |= {f"{name}.{key}": source for key, source in value.items()}
        return found

    def of(self, source: Source, names: Mapping[str, Any], number: int) -> Iterable[UnitRecord]:
        """The records that it makes of a reply.

        Args:
            source: where they come from.
            names: what its expressions see beside what those about the record see: `reply`, `model`…
            number: which entry of `make` it is, from 0.

        Raises:
            Unmakeable: a value is not what the field holds, such as a text where a number is to be.
            UserError: an expression cannot be evaluated.
        """
        seen = source.unit.variables(source.subject.record).beside({**source.subject.variables(source.unit), **names})
        items: Sequence[tuple[int | None, Any]] = [(None, None)]
        if self.each is not None:
            listed = self._value(self.each, source, seen)
            if listed is None:
                return
            if not isinstance(listed, (list, tuple, range)):
                raise Unmakeable(f"for: {self.each} is a {type(listed).__name__}, not a list")
            items = list(enumerate(listed))
        for index, item in items:
            inner = seen if index is None else seen.beside({"item": item, "index": index})
            if self.when is None or self._value(self.when, source, inner):
                try:
                    yield from self.records(source, inner, [number, *([] if index is None else [index])])
                except ValidationError as error:
                    first = error.errors(include_input=False, include_url=False)[0]
                    field = ".".join(map(str, first["loc"]))
                    raise Unmakeable(f"{field} of a {self.one}: {first['msg']}") from error

    @abstractmethod
    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        """The records, in front of a set of variables; `key` distinguishes them from others of the same reply."""

    def _value(self, expression: str, source: Source, seen: Lazy) -> Any:
        return _compiled(expression).value(seen, f"step {source.step.name}, {source.subject}")

    def _text(self, name: str, source: Source, seen: Lazy) -> str | None:
        """A field as text: the value of its expression."""
        expression = getattr(self, name)
        value = None if expression is None else self._value(expression, source, seen)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (int, float)):
            if isinstance(value, float) and not isfinite(value):
                raise Unmakeable(f"{name} is {value}")
            whole = isinstance(value, float) and value.is_integer() and abs(value) < _PLAIN_UP_TO
            return str(int(value)) if whole else repr(value)
        raise Unmakeable(f"{name} is to be a text, and {getattr(self, name)} is a {type(value).__name__}")

    def _needed(self, name: str, source: Source, seen: Lazy) -> str:
        value = self._text(name, source, seen)
        if value is None or not value.strip():
            raise Unmakeable(f"{name} is empty")
        return value

    def _list(self, name: str, source: Source, seen: Lazy) -> tuple[str, ...] | None:
        expression = getattr(self, name)
        value = None if expression is None else self._value(expression, source, seen)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise Unmakeable(f"{name} is to be a list of texts")
        return tuple(value)


_compiled = Expression
_PLAIN_UP_TO = 1e15
_PLAIN_FIELDS = frozenset({"name", "segment", "author"})

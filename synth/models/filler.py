"""Valid replies for any response schema: what the scripted model writes for a task that its world does not know."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from synth.models.structured import NUMBERED_BY

__all__ = ["UnfillableError", "fill", "sentence"]

_WORDS = ("simulated", "reply", "of", "the", "scripted", "model", "which", "says", "nothing", "true", "or", "false")
_FORMATS = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uri": "https://example.org/",
    "email": "nobody@example.org",
    "uuid": "12345678-1234-4678-9234-567812345678",
}
_LIKELY = (
    "yes",
    "A",
    "a",
    "1",
    "0",
    "1.5",
    "abc",
    "Abc",
    "ABC",
    "a_b",
    "a-b",
    "1-1",
    "2024-02-29",
    "#1",
    "(A)",
    "Words.",
)
"""Texts that are tried where a field has a pattern: labels, letters and numbers are what replies are held to."""
_ATTEMPTS = 20
"""A validator of the class may refuse a value that its schema allows: so many are tried."""
_MOST_DEPTH = 6
"""Objects within objects; below it optional parts are left out, so that a class that holds itself comes to an end."""


class UnfillableError(ValueError):
    """No valid reply was found for a class; the message says what the last one lacked."""


def fill(shape: type[BaseModel], rng: random.Random) -> dict[str, Any]:
    """A JSON object that is valid for a class: of literals, enumerations, numbers within bounds, texts, lists, unions and
    classes within it. Equal generators give equal objects.

    Raises:
        UnfillableError: validators of the class, or a pattern, refuse all that was tried.
    """
    schema = _schema(shape)
    why = "its schema has no object that ends"
    for _ in range(_ATTEMPTS):
        value = _Filler(schema.get("$defs", {}), rng).value(schema, 0)
        try:
            shape.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            why = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
            continue
        assert isinstance(value, dict)
        return value
    raise UnfillableError(f"no valid {shape.__name__.lstrip('_')} was found in {_ATTEMPTS} attempts: {why}")


def sentence(rng: random.Random, words: int = 12) -> str:
    """A text that means nothing."""
    return " ".join(rng.choice(_WORDS) for _ in range(words)).capitalize() + "."


@cache
def _fitting(pattern: str) -> tuple[str, ...]:
    """The likely texts that have a pattern; looked for by Pydantic, whose patterns take no more time than the text is long."""
    try:
        has_it = TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:  # a pattern of Python alone
        return _LIKELY
    fitting = []
    for text in _LIKELY:
        with suppress(ValidationError):
            fitting.append(has_it.validate_python(text))
    return tuple(fitting)


@cache
def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    return shape.model_json_schema()


class _Filler:
    """Values for JSON schemas as Pydantic writes them."""

    def __init__(self, definitions: Mapping[str, Any], rng: random.Random) -> None:
        self._definitions = definitions
        self._rng = rng

    def value(self, schema: Mapping[str, Any], depth: int) -> Any:
        if "$ref" in schema:
            return self.value(self._definitions[schema["$ref"].rpartition("/")[2]], depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._rng.choice(schema["enum"])
        if (some := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")) is not None:
            nothing = [s for s in some if s.get("type") == "null"]
            something = [s for s in some if s.get("type") != "null"]
            scalars = [s for s in something if not _holds_others(s)]
            ends = depth >= _MOST_DEPTH and len(scalars) < len(something)
            return self.value(
                self._rng.choice(nothing or scalars or something if ends else something or nothing), depth
            )
        kind = schema.get("type", "string")
        return getattr(self, f"_{kind}")(schema, depth)

    def _null(self, _schema: Mapping[str, Any], _depth: int) -> None:
        return None

    def _boolean(self, _schema: Mapping[str, Any], _depth: int) -> bool:
        return self._rng.random() < 0.5

    def _integer(self, schema: Mapping[str, Any], _depth: int) -> int:
        low, high = schema.get("minimum"), schema.get("maximum")
        if (above := schema.get("exclusiveMinimum")) is not None:
            low = above + 1 if low is None else max(low, above + 1)
        if (below := schema.get("exclusiveMaximum")) is not None:
            high = below - 1 if high is None else min(high, below - 1)
        step = int(schema.get("multipleOf", 1))
        first, last = _bounds(low, high, 10 * step)
        least, most = -(-int(first) // step), int(last) // step
        return self._rng.randint(least, max(least, most)) * step

    def _number(self, schema: Mapping[str, Any], _depth: int) -> float:
        if step := schema.get("multipleOf"):
            return float(self._integer({**schema, "multipleOf": max(1, int(step))}, 0)) if step >= 1 else 0.0
        low = _strictest(max, schema.get("minimum"), schema.get("exclusiveMinimum"))
        high = _strictest(min, schema.get("maximum"), schema.get("exclusiveMaximum"))
        first, last = _bounds(low, high, 10.0)
        share = self._rng.uniform(0.1, 0.9)  # off both ends, which may be excluded
        return min(max(first * (1 - share) + last * share, first), last)

    def _string(self, schema: Mapping[str, Any], _depth: int) -> str:
        if (pattern := schema.get("pattern")) is not None:
            return self._rng.choice(_fitting(pattern) or ("",))
        if (form := schema.get("format")) in _FORMATS:
            return _FORMATS[form]
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        text = sentence(self._rng)
        while len(text) < least:
            text = f"{text} {sentence(self._rng)}"
        if most is not None and len(text) > most:  # white space at the end may be stripped, and the text then too short
            text = text[:most].rstrip().ljust(most, "x")
        return text

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        placed = [self.value(s, depth + 1) for s in schema.get("prefixItems", ())]
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        wanted = max(least, 0 if depth >= _MOST_DEPTH else 2)
        wanted = wanted if most is None else min(wanted, most)
        rest = schema.get("items", {})
        attempts = 0
        while rest is not False and len(placed) < wanted and attempts < 10 * wanted:
            value = self.value(rest, depth + 1)
            attempts += 1
            if not schema.get("uniqueItems") or value not in placed:
                placed.append(value)
        if (number := schema.get(NUMBERED_BY)) is not None:
            placed = [{**value, number: i} for i, value in enumerate(placed, 1)]
        return placed

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        made = {
            name: self.value(s, depth + 1)
            for name, s in schema.get("properties", {}).items()
            if name in required or depth < _MOST_DEPTH
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and not made and depth < _MOST_DEPTH:
            made = {word: self.value(more, depth + 1) for word in _WORDS[: max(1, schema.get("minProperties", 0))]}
        return made


def _holds_others(schema: Mapping[str, Any]) -> bool:
    return "$ref" in schema or schema.get("type") in {"object", "array"}


def _bounds(low: float | None, high: float | None, width: float) -> tuple[float, float]:
    """Two bounds; one that is not given lies so far from the other, or as far as that is from 0."""
    if low is None and high is None:
        return 0, width
    if low is None:
        assert high is not None
        return high - max(width, abs(high)), high
    return low, low + max(width, abs(low)) if high is None else high


def _strictest(choose: Any, *bounds: float | None) -> float | None:
    given = [b for b in bounds if b is not None]
    return choose(given) if given else None

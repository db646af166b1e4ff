"""JSON Schema as a type of reply: what of it replies need, and a mistake for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["MOST_LEVELS", "Described", "mistake", "type_of_schema"]

MOST_LEVELS = 4
"""Objects and lists within each other."""


class Described(NamedTuple):
    """A type of a JSON Schema, with what is said of it."""

    type: Any
    description: str


def mistake(what: str) -> ValueError:
    """The error of a type that is none."""
    return ValueError(what)


def type_of_schema(schema: Any, place: str, level: int) -> Any:
    """A JSON Schema as a type of ours; of JSON Schema what replies need."""
    if not isinstance(schema, Mapping):
        raise mistake(f"{place}: a JSON Schema is a mapping")
    if level > MOST_LEVELS:
        raise mistake(f"{place}: more than {MOST_LEVELS} lists and objects within each other")
    unknown = sorted(set(map(str, schema)) - _SCHEMA_WORDS)
    if unknown:
        raise mistake(
            f"{place}: of JSON Schema {', '.join(unknown)} cannot be used here; what can: {', '.join(sorted(_SCHEMA_WORDS))}"
        )
    made = _of_type(schema, place, level)
    if isinstance(schema.get("type"), list) and "null" in schema["type"]:
        made = _perhaps(made)
    said = schema.get("description")
    return Described(made, str(said)) if said and level else made


def _perhaps(kind: Any) -> Any:
    """A type that may be left out; objects and lists may not, and are then asked for."""
    if isinstance(kind, Described):
        return kind._replace(type=_perhaps(kind.type))
    return f"{kind}?" if isinstance(kind, str) and not kind.endswith("?") else kind


_SCHEMA_WORDS = frozenset(
    {
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "minimum",
        "maximum",
        "description",
        "title",
        "$schema",
        "additionalProperties",
    }
)


def _of_type(schema: Mapping[str, Any], place: str, level: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), None)
    if "enum" in schema:
        words = schema["enum"]
        if not isinstance(words, list) or not all(isinstance(w, str) and "," not in w for w in words):
            raise mistake(f"{place}: an enum of words without commas is needed")
        return f"one_of({', '.join(words)})"
    match kind:
        case "object":
            properties = schema.get("properties")
            if not isinstance(properties, Mapping):
                raise mistake(f"{place}: an object needs properties")
            needed = schema.get("required", list(properties))
            if not isinstance(needed, list) or not all(isinstance(name, str) for name in needed):
                raise mistake(f"{place}: required is a list of names")
            fields = {}
            for name, inner in properties.items():
                field = type_of_schema(inner, f"{place}.{name}", level + 1)
                fields[name] = field if name in needed else _perhaps(field)
            return fields
        case "array":
            inner = type_of_schema(schema.get("items", {"type": "string"}), f"{place}[]", level + 1)
            return [inner.type if isinstance(inner, Described) else inner]
        case "integer" | "number":
            name = "int" if kind == "integer" else "number"
            bounds = (schema.get("minimum"), schema.get("maximum"))
            return name if None in bounds else f"{name}({bounds[0]}, {bounds[1]})"
        case "boolean":
            return "yes_no"
        case "string":
            return "text"
    raise mistake(f"{place}: the type {kind!r} cannot be asked for")

"""Replies held to a response schema: a Pydantic model, as JSON Schema where the endpoint takes one, else read with tolerance.

Tolerance is about wrapping only (a fence, tags, words before or after, LaTeX whose backslashes were not doubled, fields
as lines `Name: value` instead of JSON): what is cut off or lacks a field is never patched up, because half a reply is no
reply. One further call may repair it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PydanticUserError, ValidationError

from synth.models.request import Message
from synth.nesting import too_deep

__all__ = ["NUMBERED_BY", "Reply", "Unreadable", "holds_itself", "read_structured", "repair_turn", "response_format"]


NUMBERED_BY = "numbered_by"
"""Our word in a JSON schema of a list: the field by which its items are numbered, from 1. It is for simulated replies, and not sent."""


class Reply(BaseModel):
    """The base of the response schemas. Fields a model adds of its own are passed over."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        coerce_numbers_to_str=True,
        use_attribute_docstrings=True,
        str_strip_whitespace=True,
    )

    @classmethod
    def fields_in(cls, text: str) -> Iterator[dict[str, Any]]:
        """The fields of a reply that is no JSON: lines `Name: value`; a value ends at the next name.

        A schema with fields of fields says here how they are written.
        """
        found = list(_label(cls).finditer(text))
        if found:
            ends = [*(m.start() for m in found[1:]), len(text)]
            named = ((m[1].lower().replace(" ", "_"), text[m.end() : end]) for m, end in zip(found, ends, strict=True))
            yield {name: value.strip() for name, value in named}  # of two the last counts


def holds_itself(shape: type[BaseModel]) -> bool:
    """Whether an object of a class can hold another of the same class, at any depth: no endpoint is held to such a schema."""
    try:
        schema = shape.model_json_schema()
    except PydanticUserError:  # it has no schema, which is found out where it is used
        return False
    defined = schema.get("$defs", {})
    within = {name: set(_REFERENCE.findall(json.dumps(of))) for name, of in defined.items()}
    for name, named in within.items():
        reached: set[str] = set()
        ahead = named
        while ahead:
            reached |= ahead
            ahead = set().union(*(within.get(n, ()) for n in ahead)) - reached
        if name in reached:
            return True
    return False


_REFERENCE = re.compile(r'"\$ref": "#/\$defs/([^"]*)"')

R = TypeVar("R", bound=Reply)


class Unreadable(ValueError):
    """A reply that is not valid by its response schema; the message says why, in words a model can act on."""


@cache
def response_format(shape: type[BaseModel]) -> dict[str, Any]:
    """The `response_format` parameter that holds a reply to `shape`, in the strict form: every field, and no other."""
    schema = _strict(shape.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": shape.__name__, "strict": True, "schema": schema}}


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    # Titles and defaults say nothing to a grammar, and OpenAI's strict mode refuses defaults. Many endpoints refuse bounds
    # of numbers; they are checked when the reply is read.
    out = {
        k: {name: _strict(s) for name, s in v.items()} if k in {"properties", "$defs"} else _strict(v)
        for k, v in schema.items()
        if k not in {"title", "default", "minimum", "maximum", NUMBERED_BY}
    }
    if "properties" in out:
        out["required"] = list(out["properties"])
        out["additionalProperties"] = False
    return out


def read_structured(text: str, shape: type[R]) -> R:
    """The last object in a reply that is valid by the schema.

    Raises:
        Unreadable: there is none.
    """
    why = "there is no JSON object in it"
    for value in chain(_objects(text), shape.fields_in(text)):
        try:
            return shape.model_validate(value)
        except ValidationError as error:
            why = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'the object'}: {e['msg']}" for e in error.errors(include_input=False)
            )
    raise Unreadable(why)


_FENCE = re.compile(r"```(?:json)?\s*+(.*?)```", re.DOTALL)
_TAGS = ("answer", "json", "output", "result", "response")
_TAG = re.compile(f"<({'|'.join(_TAGS)})>", re.IGNORECASE)
_END_OF_TAG = {name: re.compile(f"</{name}>", re.IGNORECASE) for name in _TAGS}
# Commands of LaTeX whose first letter is also an escape of JSON: `\frac` would be a form feed and "rac".
_LATEX = (
    r"bar|beta|begin|big|binom|bmod|boldsymbol|bot|boxed|bullet|flat|forall|frac|nabla|ne|neq|neg|ni|not|notin|nu|"
    r"rangle|rceil|rfloor|rho|right|rightarrow|rm|tan|tau|text|textbf|tfrac|theta|tilde|times|to|top|triangle"
)
_LATEX_COMMAND = re.compile(rf"(?<!\\)((?:\\\\)*)\\(?=(?:{_LATEX})(?![a-z]))")
_BAD_ESCAPE = re.compile(r'(?<!\\)((?:\\\\)*)\\(?![\\"/bfnrtu])|(?<!\\)((?:\\\\)*)\\(?=u(?![0-9a-fA-F]{4}))')
_decoder = json.JSONDecoder(strict=False)  # line ends inside strings are common and harmless
_TRIED = 50


def _objects(text: str) -> Iterator[Any]:
    """JSON objects in a text: the whole of it, then in fences and tags, then anywhere, the last first."""
    if "\\" in text:
        text = _LATEX_COMMAND.sub(r"\1\\\\", text)
        text = _BAD_ESCAPE.sub(lambda m: (m[1] or m[2] or "") + "\\\\", text)
    wrapped = [m[1] for m in _FENCE.finditer(text)] + [*_tagged(text)]
    for part in (text, *reversed(wrapped)):
        try:
            value = _decoder.decode(part.strip())
        except (ValueError, RecursionError):  # also of a number with more digits than Python reads
            continue
        if isinstance(value, dict) and not too_deep(value):
            yield value
    found: list[Any] = []
    place = text.find("{")
    for _ in range(_TRIED):
        if place < 0:
            break
        try:
            value, end = _decoder.raw_decode(text, place)
            if not too_deep(value):
                found.append(value)
        except (ValueError, RecursionError):
            end = place + 1
        place = text.find("{", end)
    yield from reversed(found)


def _tagged(text: str) -> Iterator[str]:
    """What stands between tags of the same name."""
    place, unclosed = 0, set[str]()
    while (tag := _TAG.search(text, place)) is not None:
        name, place = tag[1].lower(), tag.end()
        end = None if name in unclosed else _END_OF_TAG[name].search(text, place)
        if end is None:
            unclosed.add(name)  # nor is any that follows: to look again each time would take quadratic time
        else:
            yield text[place : end.start()]
            place = end.end()


@cache
def _label(shape: type[BaseModel]) -> re.Pattern[str]:
    names = "|".join(name.replace("_", "[ _]") for name in sorted(shape.model_fields, key=len, reverse=True))
    return re.compile(rf"^[ \t>*#-]*({names})[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)


def repair_turn(reply: str, why: str, shape: type[Reply]) -> tuple[Message, ...]:
    """The messages that ask a model to repair its reply; the wording is ours."""
    fields = ", ".join(f'"{name}"' for name in shape.model_fields)
    ask = (
        f"That could not be read: {why}. Write the same content again as one JSON object with the fields {fields}, "
        "and nothing before or after it."
    )
    return ({"role": "assistant", "content": reply}, {"role": "user", "content": ask})

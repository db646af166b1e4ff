"""Types of replies, written in YAML: `yes_no`, `int(1, 5)`, `one_of(a, b)`, `list(text)`, an object of these, or JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, JsonValue, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from synth.bounded import nearest
from synth.models import Reply
from synth.models.structured import holds_itself
from synth.steps.json_schema import MOST_LEVELS, Described, mistake, type_of_schema
from synth.steps.per_step import STEP, one_for_each, step_number
from synth.steps.reply_values import MOST_FIELDS, PLAIN, ValueType, list_of, number, one_of, optional

__all__ = ["ReplyType", "parse_reply", "reply_of_class"]

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_CALL = re.compile(r"([a-z_]+)\s*(?:\((.*)\))?", re.DOTALL)


class ReplyType(NamedTuple):
    """What a reply is to be.

    Attributes:
        kind: `text`: all of it, as it comes; `probability`: how probable a yes is; `value`: a value alone; `object`: named fields.
        shape: the response schema, a class; None for `text` and `probability`.
        fields: names of the fields of an object, with what each is.
        flat: whether a model that cannot be held to a schema writes it as lines instead of JSON.
        answers: the fields that hold an answer to the problem; `""` where the reply itself is one.
        per_step: whether it holds a list with one item for each step of a rationale (`per_step`).
    """

    kind: Literal["text", "probability", "value", "object"]
    shape: type[Reply] | None
    fields: Mapping[str, ValueType]
    flat: bool
    answers: frozenset[str]
    per_step: bool = False

    def instructions(self, form: Literal["json", "text"]) -> str:
        """How the reply is to be written, in words for the model; empty for free text."""
        match self.kind:
            case "text":
                return ""
            case "probability":
                return "Reply with one word: Yes or No."
            case "value":
                (value,) = self.fields.values()
                return (
                    f'Reply with a JSON object: "answer" is {value.words}.'
                    if form == "json"
                    else f"Reply with {value.line} and nothing else."
                )
        if form == "json":
            listed = "\n".join(f'- "{name}": {value.words}' for name, value in self.fields.items())
            return f"Reply with a JSON object with these fields and nothing else:\n{listed}"
        listed = "\n".join(f"{_label(name)}: {value.line}" for name, value in self.fields.items())
        return f"Reply with these lines and nothing else:\n{listed}"


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def parse_reply(written: JsonValue, steps: int | None = None) -> ReplyType:
    """The type that a pipeline file writes.

    Args:
        written: a type such as `yes_no`; an object, a mapping of names to types; or `{"schema": …}`, a JSON Schema.
        steps: of the rationale that is asked about; where it is known, each `per_step` list is to have that many items.

    Raises:
        ValueError: it is no type; says which part of it, and what there is.
    """
    if written == "text":
        return ReplyType("text", None, {}, flat=True, answers=frozenset())
    if written == "probability":
        return ReplyType("probability", None, {}, flat=True, answers=frozenset())
    if isinstance(written, Mapping) and set(written) != {PER_STEP}:
        if "schema" in written and len(written) == 1 and isinstance(written["schema"], Mapping):
            written = type_of_schema(written["schema"], "schema", 0)
        if not isinstance(written, Mapping):
            raise mistake("a JSON Schema of a reply is that of an object: type: object, with properties")
        fields = _fields(written, "", 0, steps)
        flat, per_step = all(f.flat for f in fields.values()), any(f.per_step for f in fields.values())
        return ReplyType("object", _model("Reply", fields), fields, flat, _answers(fields), per_step)
    value = _parse(written, "reply", 0, steps)
    shape = create_model("Value", __base__=_Value, answer=(value.annotation, ...))
    answers = frozenset({""} if value.answers else ())
    return ReplyType("value", shape, {"answer": value}, value.flat, answers, value.per_step)


def reply_of_class(kind: type[Reply]) -> ReplyType:
    """The type of a reply that is an object of a class. It is written as JSON where fields have fields."""
    try:
        schema = kind.model_json_schema(by_alias=False)
    except PydanticInvalidForJsonSchema as error:
        raise mistake(f"the class {kind.__name__} cannot be asked for as JSON: {error.message}") from error
    if holds_itself(kind):
        raise mistake(f"the class {kind.__name__} holds itself, at some depth: write out how deep a reply may be")
    fields = {}
    for name, of in schema.get("properties", {}).items():
        words = _WORDS_OF_JSON.get(of.get("type", ""), "a value")
        if "enum" in of:
            words = "one of " + ", ".join(f'"{word}"' for word in of["enum"])
        said = f"; {' '.join(of['description'].split())}" if of.get("description") else ""
        flat = of.get("type") in {"string", "integer", "number", "boolean"}
        fields[name] = ValueType(kind.model_fields[name].annotation, words + said, words + said, flat)
    return ReplyType("object", kind, fields, all(field.flat for field in fields.values()), frozenset())


_WORDS_OF_JSON = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


class _Value(Reply):
    """A value alone: in JSON the field `answer`, in text all there is."""

    @classmethod
    def fields_in(cls, text: str) -> Iterator[dict[str, Any]]:
        yield from super().fields_in(text)
        yield {"answer": text.strip()}


def _answers(fields: Mapping[str, ValueType]) -> frozenset[str]:
    return frozenset(name for name, field in fields.items() if field.answers)


def _fields(written: Mapping[str, Any], place: str, level: int, steps: int | None) -> dict[str, ValueType]:
    if not 1 <= len(written) <= MOST_FIELDS:
        raise mistake(f"{place or 'the reply'} has {len(written)} fields; from 1 to {MOST_FIELDS} can be asked for")
    fields = {}
    for name, given in written.items():
        if not _WORD.fullmatch(str(name)):
            raise mistake(f"the field {name!r} is not named by a word: small letters, digits and _, a letter first")
        if name in _TAKEN:
            raise mistake(f"a field cannot be called {name!r}: expressions would not see it")
        if isinstance(given, Mapping) and set(given) <= {"type", "description"} and "type" in given:
            said = given.get("description", "")
            if not isinstance(said, str) or (
                _CALL.fullmatch(said.strip().rstrip("?")) and said.split("(")[0].strip("? ") in _NAMES
            ):
                what = "is a type with its description in words"
                raise mistake(f"{place}{name}: an object of type and description {what}; call the fields otherwise")
            given = Described(given["type"], said)  # noqa: PLW2901
        fields[name] = _parse(given, f"{place}{name}", level, steps)
    return fields


PER_STEP = "per_step"
_TAKEN = frozenset(dir(Reply)) | {PER_STEP, "count", "index", "items", "keys", "values", "get"}
"""Names that are something else in Pydantic models, tuples and mappings."""


def _model(name: str, fields: Mapping[str, ValueType]) -> type[Reply]:
    given: dict[str, Any] = {}
    for field, kind in fields.items():
        given[field] = (kind.annotation, None) if kind.optional else (kind.annotation, ...)
    made: type[Reply] = create_model(name, __base__=Reply, **given)
    return made


def _parse(written: Any, place: str, level: int, steps: int | None) -> ValueType:
    if level > MOST_LEVELS:
        raise mistake(f"{place}: more than {MOST_LEVELS} lists and objects within each other")
    if isinstance(written, Described):
        kind, said = _parse(written.type, place, level, steps), " ".join(written.description.split())
        if not said:
            return kind
        of: Any = kind.annotation
        described: Any = Annotated[of, Field(description=said)]
        return kind._replace(words=f"{kind.words}; {said}", line=f"{kind.line}; {said}", annotation=described)
    if isinstance(written, Mapping):
        if "schema" in written and len(written) == 1:
            return _parse(type_of_schema(written["schema"], place, level), place, level, steps)
        if set(written) == {PER_STEP}:
            return _per_step(written[PER_STEP], place, level, steps)
        fields = _fields(written, f"{place}.", level + 1, steps)
        inner = "; ".join(f'"{name}": {field.words}' for name, field in fields.items())
        return ValueType(_model("Part", fields), f"an object with {inner}", "", flat=False)
    if isinstance(written, list) and len(written) == 1:  # as YAML may write a list of objects
        return list_of(_parse(written[0], f"{place}[]", level + 1, steps))
    if not isinstance(written, str):
        raise mistake(f"{place}: {written!r} is no type; {_KNOWN}")
    text = written.strip()
    if text.endswith("?"):
        return optional(_parse(text[:-1], place, level + 1, steps))
    call = _CALL.fullmatch(text)
    if call is None:
        raise mistake(f"{place}: {text!r} is no type; {_KNOWN}")
    name, inside = call[1], call[2]
    if name == "list" and inside is not None:
        return list_of(_parse(inside, f"{place}[]", level + 1, steps))
    if name == PER_STEP and inside is not None:
        return _per_step(inside, place, level, steps)
    if name == "one_of" and inside is not None:
        return one_of([word.strip() for word in inside.split(",")], place)
    if name in {"int", "number"}:
        return number(name, inside, place)
    if inside is None and name in PLAIN:
        return PLAIN[name]
    meant = _MEANT.get(name) or next(iter(nearest(name, [*PLAIN, "int", "number", "one_of", "list", PER_STEP])), None)
    raise mistake(f"{place}: {text!r} is no type; {f'did you mean {meant}? ' if meant else ''}{_KNOWN}")


_MEANT = {
    **dict.fromkeys(("string", "str"), "text"),
    **dict.fromkeys(("boolean", "bool"), "yes_no"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("enum", "choice", "literal"), "one_of(a, b)"),
    **dict.fromkeys(("array", "tuple"), "list(text)"),
    "integer": "int",
}
"""What others call the types."""
_NAMES = frozenset({"text", "answer", "yes_no", "int", "number", "one_of", "list", PER_STEP})
_KNOWN = "types: text, yes_no, number, int(1, 5), one_of(a, b), answer, list(TYPE), per_step(TYPE), TYPE?, an object; alone also probability"


def _per_step(written: Any, place: str, level: int, steps: int | None) -> ValueType:
    """A list with one item for each step; an item has its number and the fields of an object, or its number and a value."""
    if level:
        raise mistake(f"{place}: {PER_STEP} is the reply, or a field of it, and stands within nothing else")
    if isinstance(written, Mapping) and "schema" in written and len(written) == 1:
        written = type_of_schema(written["schema"], place, level + 1)
        written = written.type if isinstance(written, Described) else written
    several = isinstance(written, Mapping) and not (set(written) <= {"type", "description"} and "type" in written)
    inside = f"{place}[]."
    fields = (
        _fields(written, inside, level + 1, steps)
        if several
        else {"value": _parse(written, f"{inside}value", level + 1, steps)}
    )
    if STEP in fields:
        raise mistake(f"{place}: {STEP} is in each item already: the number of the step")
    numbered = ValueType(step_number(steps), "the number of the step", "", flat=False)
    item = _model("Step", {STEP: numbered, **fields})
    listed = "; ".join(f'"{name}": {field.words}' for name, field in {STEP: numbered, **fields}.items())
    which = "each step" if steps is None else "step 1" if steps == 1 else f"each of the steps 1 to {steps}"
    words = f"a list with one object for {which}, in which {listed}"
    alone = None if several else fields["value"]
    line = "" if alone is None else f"one line for {which}, the number of the step, a colon, and {alone.line}"
    return ValueType(one_for_each(item, steps), words, line, flat=alone is not None and alone.flat, per_step=True)

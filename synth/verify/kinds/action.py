"""Answers that are an action: a JSON object with typed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synth.records import COMPARE
from synth.verify.items import Numeral, Value, as_json, key, last_object, parse_value
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.kinds.listed import end_of_values
from synth.verify.kinds.near import near
from synth.verify.rouge import rouge_l
from synth.verify.verdict import Verdict

__all__ = ["ActionKind", "FieldRule", "GoldAction", "compare_fields", "read_action", "read_gold"]

_WRAPPER = "action"
"""The field that holds the action where a reply gives its reasons beside it (arXiv:2507.17842)."""


class FieldRule(BaseModel):
    """How one field of a gold action is compared; exactly if neither `rouge_l` nor `tolerance` is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rouge_l: Annotated[float, Field(gt=0, le=1)] | None = None
    """ROUGE-L from which on a text counts as right."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Relative error that still counts as right for a number."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Share of the field in the grade, against the weights of the others."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.rouge_l is not None and self.tolerance is not None:
            raise ValueError("rouge_l is for texts and tolerance for numbers: give one of them")
        return self


class GoldAction(NamedTuple):
    """A gold action, and how its fields are compared."""

    fields: Mapping[str, Value]
    rules: Mapping[str, FieldRule]

    def rule(self, name: str) -> FieldRule:
        """How a field is compared."""
        return self.rules.get(name, _EXACTLY)


_EXACTLY = FieldRule()


class SeenField(NamedTuple):
    """What was found of one field of a gold action."""

    name: str
    right: bool
    given: bool
    """Whether the answer has such a field."""


class ActionKind(Kind):
    """A JSON object. Fields are equal in value and type, or as the gold action says for each in its field `$compare`. A wrong action is graded by
    the weights of its right fields; a field that the gold action does not have weighs 1 and is never right.
    """

    name = "action"
    inferred = False
    verbatim = True
    objects = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        found = read_action(said)
        return None if found is None else as_json(dict(found))

    def extent(self, text: str, start: int) -> int | None:
        return end_of_values(text, start)

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:
        said = last_object(text)
        return None if said is None else self.read(said, choices)

    def contradict(self, one: str, other: str) -> bool:
        return self.compare(one, other, Comparison()).label != "right"

    def same(self, one: str, other: str) -> bool:
        return not self.contradict(one, other)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:  # noqa: ARG002
        try:
            meant = read_gold(gold)
        except ValueError as why:
            return self.verdict("undecided", found, gold, f"the gold answer is no action: {why}"[:200])
        said = read_action(found)
        if said is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is not one JSON object")
        fields = compare_fields(said, meant)
        extra = [name for name in said if name not in meant.fields]
        weights = {field.name: meant.rule(field.name).weight for field in fields}
        share = sum(weights[field.name] for field in fields if field.right) / (sum(weights.values()) + len(extra))
        wrong = [field.name for field in fields if not field.right]
        detail = "all fields" if not wrong and not extra else f"wrong: {', '.join([*wrong, *extra])}"[:200]
        return self.decide(not wrong and not extra, found, gold, detail, share)

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        try:
            read_gold(gold)
        except ValueError as why:
            return str(why)
        return None

    def canonical(self, gold: str) -> str:
        return as_json(parse_value(gold))


def read_action(said: str) -> Mapping[str, Value] | None:
    """The fields of an action that a text is, or that stands in its field `action`; fields without a value are left out. None where it is no
    JSON object, or names one field twice with two values.
    """
    text = last_object(said)
    if text is None:
        return None
    try:
        fields = parse_value(text)
    except ValueError:
        return None
    if isinstance(inner := fields.get(_WRAPPER), dict):
        fields = inner
    return {name: value for name, value in fields.items() if value not in (None, "") and name != COMPARE}


def read_gold(gold: str) -> GoldAction:
    """A gold action.

    Raises:
        ValueError: it is none; says why.
    """
    try:
        fields = parse_value(gold)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  # one kind of error for all that is wrong with a text
    declared = fields.pop(COMPARE, {})
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    if not given:
        raise ValueError("the action has no field with a value")
    if not isinstance(declared, dict):
        raise ValueError(f"{COMPARE} is not an object: name of a field to rouge_l, tolerance, weight")  # noqa: TRY004
    return GoldAction(given, {name: _rule(name, rule, given) for name, rule in declared.items()})


def _rule(name: str, declared: Any, fields: Mapping[str, Value]) -> FieldRule:
    if name not in fields:
        raise ValueError(f"{COMPARE} names {name!r}, and the action has no such field with a value")
    try:
        rule = FieldRule.model_validate(_plain(declared))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{COMPARE} of {name!r}: {where + ': ' if where else ''}{first['msg']}") from error
    is_number = isinstance(fields[name], Numeral)
    if rule.tolerance is not None and not is_number:
        raise ValueError(f"{COMPARE} gives {name!r} a tolerance, and it is not a number")
    if rule.rouge_l is not None and (is_number or not isinstance(fields[name], str)):
        raise ValueError(f"{COMPARE} gives {name!r} a rouge_l, and it is not text")
    return rule


def _plain(value: Any) -> Any:
    if isinstance(value, Numeral):
        return float(value)
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def compare_fields(said: Mapping[str, Value], gold: GoldAction) -> list[SeenField]:
    """Whether each field of a gold action is right in another one, in its order."""
    return [
        SeenField(name, name in said and _equal(said[name], value, gold.rule(name)), name in said)
        for name, value in gold.fields.items()
    ]


def _equal(found: Value, gold: Value, rule: FieldRule) -> bool:
    if _type(found) != _type(gold):
        return False
    if rule.rouge_l is not None:
        return rouge_l(found, gold) >= rule.rouge_l
    if isinstance(gold, Numeral):
        return near(found, gold, rule.tolerance)
    if isinstance(gold, str):
        return " ".join(found.split()) == " ".join(gold.split())
    return as_json(found) == as_json(gold) or (isinstance(gold, (list, dict)) and _typed(found) == _typed(gold))


def _type(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, Numeral) else "text" if isinstance(value, str) else type(value).__name__


def _typed(value: Value) -> object:
    """A value in which texts are only equal to the same texts, and numbers to equal numbers."""
    if isinstance(value, list):
        return [_typed(one) for one in value]
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    return key(value) if isinstance(value, Numeral) else (_type(value), value)

"""`per_step`: a list in a reply that holds exactly one item for each step of a rationale, identified by its number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from synth.models import NUMBERED_BY, Reply
from synth.nesting import too_deep
from synth.steps.json_schema import mistake

__all__ = ["STEP", "one_for_each", "step_number"]

STEP = "step"
"""The field of an item that holds the number of its step, from 1."""
_LISTED = 20
"""Step numbers up to which the JSON schema lists them; endpoints bound the number of values that a schema may list."""
_NAMED = 10
"""Step numbers that one message names."""
_LINE = re.compile(r"[ \t>*#-]*+(?:step[ \t]*+)?(\d{1,6})[ \t*]*+[.:)][ \t*]*+(.*)", re.IGNORECASE)


def step_number(steps: int | None) -> Any:
    """The annotation of the number of a step.

    Args:
        steps: how many steps there are; None where that is not known yet.
    """
    schema: dict[str, Any] = {"type": "integer"}
    if steps is not None and 1 <= steps <= _LISTED:
        schema["enum"] = list(range(1, steps + 1))
    return Annotated[int, BeforeValidator(_number), WithJsonSchema(schema)]


def one_for_each(item: type[Reply], steps: int | None) -> Any:
    """The annotation of a list with one `item` for each step, in the order of the steps.

    A reply may hold the items in any order, or as an object whose keys are the numbers. A number that is missing, stands twice or is not
    that of a step makes the reply invalid: which step an item is about is never concluded from its position.

    Args:
        item: the class of an item; its field `step` holds the number.
        steps: how many steps there are; None where that is not known yet, and nothing is then checked.
    """

    def ordered(items: list[Any]) -> list[Any]:
        if steps is None:
            return items
        count = Counter(one.step for one in items)
        wrong = [
            (sorted(set(range(1, steps + 1)) - set(count)), "has no item for step"),
            (sorted(number for number, times in count.items() if times > 1), "has more than one item for step"),
            (sorted(number for number in count if not 1 <= number <= steps), "has an item for step"),
        ]
        if said := "; ".join(f"it {what} {_listed(numbers)}" for numbers, what in wrong if numbers):
            named = "step 1 alone" if steps == 1 else f"each of the steps 1 to {steps}"
            raise mistake(f"it is to have exactly one item for {named}, and {said}")
        return sorted(items, key=lambda one: one.step)

    bounds: dict[str, Any] = {} if steps is None else {"minItems": steps, "maxItems": steps}
    of: Any = list[item]  # type: ignore[valid-type]
    return Annotated[
        of, Field(json_schema_extra={**bounds, NUMBERED_BY: STEP}), BeforeValidator(_items), AfterValidator(ordered)
    ]


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NAMED]))
    return shown + (f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else "")


def _number(value: Any) -> Any:
    """A number as models write it: `3`, `"3"`, `"Step 3"`."""
    if isinstance(value, str) and (found := _LINE.fullmatch(f"{value.strip()}:")):
        return int(found[1])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise mistake("it is not the number of a step")
    return value


def _items(value: Any) -> Any:
    """The items of a list, of an object with step numbers as keys, or of a text: JSON, or lines that begin with a step number."""
    if isinstance(value, Mapping):
        if STEP in value:  # the only item, without a list around it
            return [value]
        return [{**(inner if isinstance(inner, Mapping) else {"value": inner}), STEP: n} for n, inner in value.items()]
    if not isinstance(value, str):
        return value
    if (written := _json_list(value)) is not None:
        return written
    found = []
    for line in filter(None, map(str.strip, value.splitlines())):
        read = _LINE.fullmatch(line)
        if read is None:
            raise mistake(f"the line {line[:60]!r} does not begin with the number of its step")
        found.append({STEP: int(read[1]), "value": read[2].strip()})
    return found


def _json_list(text: str) -> list[Any] | None:
    """The list of objects that a text holds as JSON, with or without something around it."""
    try:
        value = orjson.loads(text[text.find("[") : text.rfind("]") + 1])
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, list) and not too_deep(value) else None

"""From a column of a row to constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from synth.constraints import why_unfit
from synth.errors import InputError
from synth.records import Constraint
from synth.sources.json_values import NotJson, parse_json

__all__ = ["read_constraints"]

_MOST = 100
"""Constraints of one problem."""


def read_constraints(value: Any, plain: Callable[[Any], Any]) -> tuple[Constraint, ...]:
    """What replies have to comply with: a list of objects with `id`, `args` and `on`, or the same as JSON in a text; none where it is null.

    Args:
        value: the value of the column.
        plain: makes a value of a file one of JSON.

    Raises:
        InputError: it is no such list, a constraint is none of the catalogue, its arguments do not fit, or two contradict each other.
    """
    if isinstance(value, str):  # a list in a cell of CSV
        try:
            value = parse_json(value.encode("utf-8", "surrogatepass")) if value.strip() else None
        except NotJson:
            raise InputError("constraints is text, not a list of objects with id and args") from None
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise InputError(f"constraints is a {type(value).__name__}, not a list of objects with id and args")
    if len(value) > _MOST:
        raise InputError(f"it has {len(value):,} constraints, and at most {_MOST} are taken")
    found = []
    for number, one in enumerate(value, 1):
        try:
            found.append(Constraint.model_validate(plain(one)))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(f"constraint {number}{f', {place}' if place else ''}: {first['msg']}") from None
    if (why := why_unfit(found)) is not None:
        raise InputError(why)
    return tuple(found)

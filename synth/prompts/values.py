"""Values in templates and expressions: what they weigh, how they are shown, and the operators and methods that work on them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from jinja2.runtime import LoopContext, Undefined
from jinja2.utils import Namespace
from pydantic import BaseModel

from synth.prompts.lazy import Lazy
from synth.prompts.work import LETTERS_A_STEP, Refused, TooMuchWork, spend, steps_left

__all__ = ["METHODS", "OPERATORS", "charged", "cost_of", "joined", "listed", "paid_for", "printed", "size_of", "sliced"]

MOST_BITS = 16_384
"""Bits of a whole number; those of the data have 4,000 digits at most."""

_SMALL = frozenset({bool, float, type(None)})
_LEAVES = (str, int, float, Decimal, date, time, timedelta, bytes, UUID, range, type(None))


def size_of(value: Any, *, with_records: bool = False) -> int:
    """Steps that it takes to look at all of a value; a part that stands in several places counts in each.

    Args:
        value: data.
        with_records: whether all of a record counts, or a record is one step.

    Raises:
        TooMuchWork: more than are left.
        Refused: it holds what is no data, such as a macro.
    """
    size, most, waiting = 0, steps_left(), [value]
    while waiting:
        item = waiting.pop()
        kind, inner = type(item), cast("Any", ())
        if kind is str or kind is bytes:
            size += len(item) // LETTERS_A_STEP
        elif kind in _SMALL or kind is int:
            pass
        elif isinstance(item, (list, tuple)):
            inner = item
        elif isinstance(item, Lazy):
            if with_records:
                raise Refused("what is known of a record has no text of its own: name one of its fields")
        elif isinstance(item, dict):
            size += len(item)
            inner = [*item, *item.values()]
        elif isinstance(item, BaseModel):
            inner = list(item.__dict__.values()) if with_records else ()
        elif not isinstance(item, (*_LEAVES, Undefined)):
            raise Refused(f"a {type(item).__name__.lower()} is no value, and cannot be part of one")
        size += 1 + len(inner)  # before they are waiting: a list that holds itself a thousand times takes no memory
        if size > most:
            raise TooMuchWork
        waiting.extend(inner)
    return size


def charged(value: Any) -> Any:
    """A value that was made, paid for.

    Raises:
        TooMuchWork: it is too large.
        Refused: it is no value.
    """
    kind = type(value)
    if kind is str:
        spend(1 + len(value) // LETTERS_A_STEP)
    elif kind is int:
        if value.bit_length() > MOST_BITS:
            raise Refused(f"a whole number has {value.bit_length():,} bits, and may have {MOST_BITS:,}")
    elif kind not in _SMALL and not isinstance(value, (BaseModel, Undefined, Namespace)):
        spend(size_of(value))
    return value


def cost_of(value: Any) -> int:
    """Steps that it takes to compare a value with another."""
    if isinstance(value, (str, bytes)):
        return len(value) // LETTERS_A_STEP
    return size_of(value) if isinstance(value, (list, tuple, dict)) else 0


def paid_for(value: Any) -> Any:
    """A value that is about to be compared."""
    kind = type(value)
    if kind not in _SMALL and kind is not int:
        spend(cost_of(value))
    return value


def listed(values: Any) -> Any:
    """What has items, paid for once through.

    Raises:
        Refused: it has none.
    """
    if isinstance(values, Lazy):
        raise Refused("what is known of a record cannot be gone through: name what you want of it")
    if isinstance(values, (list, tuple, str, dict, range)):
        spend(1 + len(values))
        return values
    if isinstance(values, Undefined):
        return list(values)  # none, or an error that says what is not defined
    raise Refused(f"a {type(values).__name__} has no items")


def printed(value: Any) -> str:
    """A value as it stands in text.

    Raises:
        Refused: it is none, such as a method without brackets.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is not int and kind not in _SMALL and not isinstance(value, Undefined):
        spend(size_of(value, with_records=True))
    return str(value)


def concat(pieces: list[str], parts: int = 1) -> str:
    """Pieces of text as one, that so many parts of a template have made."""
    spend(parts + sum(map(len, pieces)) // LETTERS_A_STEP)
    return "".join(pieces)


def joined(values: tuple[Any, ...]) -> str:
    """`a ~ b`."""
    return concat([printed(value) for value in values])


def sliced(value: Any, start: Any, stop: Any, step: Any) -> Any:
    """`a[1:2]`."""
    if not isinstance(value, (str, list, tuple, range)):
        raise Refused(f"a {type(value).__name__} cannot be sliced")
    return charged(value[start:stop:step])


_MULTIPLIED = (str, bytes, list, tuple)


def _times(left: Any, right: Any) -> Any:
    if isinstance(right, _MULTIPLIED):
        left, right = right, left
    if isinstance(left, _MULTIPLIED) and isinstance(right, int):
        spend(max(0, right) * (1 + cost_of(left)))
    elif isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return left * right


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        _check_bits(left.bit_length() * right)
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        raise Refused("a text has no remainder; '%.2f' is filled in by the filter format")
    return left % right


def _check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise Refused(f"a whole number would have {bits:,} bits, and may have {MOST_BITS:,}")


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, _MULTIPLIED):
        spend(cost_of(left) + cost_of(right))
    return left + right


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _added,
    "-": operator.sub,
    "*": _times,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": _modulo,
    "**": _power,
}


Bound = Callable[..., Any]


def _linear(method: Bound) -> Bound:
    """A method of text whose time grows with the text, and whose result is no longer than a few times it."""

    def call(text: str, *args: Any, **kwargs: Any) -> Any:
        spend(1 + len(text) // LETTERS_A_STEP)
        return charged(method(text, *args, **kwargs))

    return call


def _product(method: Bound) -> Bound:
    """A method of text whose time grows with the text times what is looked for: Python's searches from the end."""

    def call(text: str, sought: str | None = None, *args: Any, **kwargs: Any) -> Any:
        sought = kwargs.pop("sep", sought)
        spend(1 + len(text) * len(sought or "x") // LETTERS_A_STEP)
        return charged(method(text, sought, *args, **kwargs))

    return call


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new, count)`."""
    spend(1 + len(text) // LETTERS_A_STEP)
    times = text.count(old)
    spend((times if count < 0 else min(times, count)) * len(new) // LETTERS_A_STEP)
    return text.replace(old, new, count)


def _join(text: str, values: Any) -> str:
    pieces = list(listed(values))
    spend(1 + (sum(map(len, pieces)) + len(text) * len(pieces)) // LETTERS_A_STEP)
    return text.join(pieces)


def _of_list(method: Bound) -> Bound:
    def call(values: Any, *args: Any) -> Any:
        spend(size_of(values))
        return method(values, *args)

    return call


def _changed(loop: LoopContext, *values: Any) -> bool:
    charged(values)
    return loop.changed(*values)


_LINEAR = (
    *(
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
    ),
    *(
        "islower",
        "isnumeric",
        "isspace",
        "istitle",
        "isupper",
        "lower",
        "partition",
        "removeprefix",
        "removesuffix",
        "split",
    ),
    *("splitlines", "startswith", "swapcase", "title", "upper"),
)
_FROM_BOTH_ENDS = ("lstrip", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "strip")

METHODS: dict[type, Mapping[str, Bound]] = {
    str: {
        **{name: _linear(getattr(str, name)) for name in _LINEAR},
        **{name: _product(getattr(str, name)) for name in _FROM_BOTH_ENDS},
        "join": _join,
        "replace": replaced,
    },
    list: {"count": _of_list(list.count), "index": _of_list(list.index)},
    tuple: {"count": _of_list(tuple.count), "index": _of_list(tuple.index)},
    dict: {
        "get": lambda values, key, default=None: values.get(key, default),
        "items": lambda values: list(listed(values).items()),
        "keys": lambda values: list(listed(values)),
        "values": lambda values: list(listed(values).values()),
    },
    LoopContext: {"changed": _changed, "cycle": LoopContext.cycle},
}
"""The methods that can be called, by the type of what they are of. Not those that make much of little (`center`, `ljust`, `zfill`,
`expandtabs`, `format`, `translate`), nor those that change what they are of."""

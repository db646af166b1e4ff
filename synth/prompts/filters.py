"""The filters of templates and expressions: those of Jinja that are of use in text, each within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import filters as jinja
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import pass_context, pass_environment, pass_eval_context

from synth.prompts.figures import FIGURES
from synth.prompts.lazy import Lazy
from synth.prompts.values import MOST_BITS, charged, cost_of, listed, printed, replaced, size_of
from synth.prompts.work import LETTERS_A_STEP, Refused, spend

__all__ = ["FILTERS", "Group", "of_text"]

MOST_WIDTH = 100
"""Characters by which lines are indented, and digits or columns that a format asks for; of names of attributes, twice as many."""
MOST_DIGITS = 20
"""Digits to round to."""
MOST_LEVELS = 20
"""Levels of a value that is written as JSON on several lines."""

_Filter = Callable[..., Any]


class Group(NamedTuple):
    """What `groupby` gives: the value that is shared, and the items that share it."""

    grouper: Any
    list: list[Any]


def of_text(function: _Filter) -> _Filter:
    """A filter of text whose time and result grow with the text alone."""

    def call(value: Any, *args: Any, **kwargs: Any) -> Any:
        text = printed(value)
        spend(1 + len(text) // LETTERS_A_STEP)
        return function(text, *args, **kwargs)

    return call


def _indent(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    letters = len(width) if isinstance(width, str) else width
    if letters > MOST_WIDTH:
        raise Refused(f"indent by {letters:,} characters: {MOST_WIDTH} at most")
    spend((1 + len(text.splitlines())) * letters // LETTERS_A_STEP)
    return jinja.do_indent(text, width, first, blank)


def _replace(text: str, old: Any, new: Any, count: int | None = None) -> str:
    return replaced(text, printed(old), printed(new), -1 if count is None else count)


def _trim(text: str, chars: str | None = None) -> str:
    spend(len(text) * len(chars or "") // LETTERS_A_STEP)
    return text.strip(chars)


@pass_environment
def _truncate(environment: SandboxedEnvironment, value: Any, *args: Any, **kwargs: Any) -> str:
    text = printed(value)
    spend(1 + len(text) // LETTERS_A_STEP)
    return jinja.do_truncate(environment, text, *args, **kwargs)


_DIRECTIVE = re.compile(r"%(?:%|[-+ 0#]{0,5}([0-9]{0,3})(?:\.([0-9]{0,3}))?[sdiufFeEgGxXoc])")


def _format(text: str, *args: Any) -> str:
    """`'%.2f' | format(x)`."""
    if "%" in _DIRECTIVE.sub("", text):
        raise Refused(f"format takes directives such as %s, %d and %.2f, not {text[:60]!r}")
    widths = [int(width or 0) for found in _DIRECTIVE.findall(text) for width in found]
    if max(widths, default=0) > MOST_WIDTH:
        raise Refused(f"format by {max(widths)} characters: {MOST_WIDTH} at most")
    values = tuple(
        a if isinstance(a, (int, float)) else float(a) if isinstance(a, Decimal) else printed(a) for a in args
    )
    spend(1 + (sum(widths) + sum(len(v) for v in values if isinstance(v, str))) // LETTERS_A_STEP)
    return text % values


@pass_environment
def _join(environment: SandboxedEnvironment, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    pieces = [printed(item) for item in _attributes(environment, value, attribute)]
    spend(1 + (sum(map(len, pieces)) + len(d) * len(pieces)) // LETTERS_A_STEP)
    return d.join(pieces)


def _getter(environment: SandboxedEnvironment, attribute: str | int | None, default: Any = None) -> _Filter:
    if isinstance(attribute, str) and len(attribute) > 2 * MOST_WIDTH:
        raise Refused(f"the name of an attribute has {len(attribute):,} characters, and may have {2 * MOST_WIDTH}")
    return jinja.make_attrgetter(environment, attribute, default=default)


def _attributes(environment: SandboxedEnvironment, value: Any, attribute: str | int | None) -> Iterator[Any]:
    return map(_getter(environment, attribute), listed(value))


def _key(value: Any, case_sensitive: bool, times: int = 1) -> Any:
    """A value by which items are compared so many times."""
    spend(times * cost_of(value))
    return value.lower() if isinstance(value, str) and not case_sensitive else value


@pass_environment
def _sort(
    environment: SandboxedEnvironment,
    value: Any,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> list[Any]:
    items = list(listed(value))
    paths: Sequence[Any] = attribute.split(",") if isinstance(attribute, str) else [attribute]
    getters = [_getter(environment, path) for path in paths]
    times = len(items).bit_length()
    keys = [[_key(get(item), case_sensitive, times) for get in getters] for item in items]
    return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)]


def _dictsort(value: Any, case_sensitive: bool = False, by: str = "key", reverse: bool = False) -> list[Any]:
    if not isinstance(value, dict) or by not in {"key", "value"}:
        raise Refused('dictsort sorts a mapping by="key" or by="value"')
    items = list(listed(value).items())
    times = len(items).bit_length()
    keys = [_key(item[by == "value"], case_sensitive, times) for item in items]
    return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)]


@pass_environment
def _unique(
    environment: SandboxedEnvironment, value: Any, case_sensitive: bool = False, attribute: str | int | None = None
) -> list[Any]:
    get, firsts = _getter(environment, attribute), dict[Any, Any]()
    for item in listed(value):
        firsts.setdefault(_key(get(item), case_sensitive), item)
    return list(firsts.values())


def _extreme(choose: Callable[..., int]) -> _Filter:
    @pass_environment
    def call(
        environment: SandboxedEnvironment,
        value: Any,
        case_sensitive: bool = False,
        attribute: str | int | None = None,
    ) -> Any:
        items = list(listed(value))
        if not items:
            return None
        get = _getter(environment, attribute)
        keys = [_key(get(item), case_sensitive) for item in items]
        return items[choose(range(len(items)), key=keys.__getitem__)]

    return call


@pass_environment
def _groupby(
    environment: SandboxedEnvironment,
    value: Any,
    attribute: str | int,
    default: Any = None,
    case_sensitive: bool = False,
) -> Any:
    items = list(listed(value))
    get, times = _getter(environment, attribute, default), len(items).bit_length()
    keyed = sorted(((_key(get(item), case_sensitive, times), i) for i, item in enumerate(items)))
    groups = [[items[i] for _, i in group] for _, group in groupby(keyed, key=lambda pair: pair[0])]
    return charged([Group(get(group[0]), group) for group in groups])


@pass_environment
def _sum(environment: SandboxedEnvironment, value: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
    numbers = [start, *_attributes(environment, value, attribute)]
    for number in numbers:
        if isinstance(number, (str, list, tuple, dict)):
            raise TypeError(f"sum adds numbers, and one is a {type(number).__name__}")
    return charged(sum(numbers[1:], start))


@pass_context
def _map(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
    attribute = kwargs.get("attribute")
    _getter(context.environment, attribute)  # type: ignore[arg-type]  # its bounds
    return charged(list(jinja.sync_do_map(context, listed(value), *args, **kwargs)))


def _chosen(choose: _Filter) -> _Filter:
    @pass_context
    def call(context: Context, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if args and choose in {jinja.sync_do_selectattr, jinja.sync_do_rejectattr}:
            _getter(context.environment, args[0])  # type: ignore[arg-type]  # its bounds
        return list(choose(context, listed(value), *args, **kwargs))

    return call


@pass_environment
def _first(environment: SandboxedEnvironment, value: Any) -> Any:
    return next(iter(listed(value)), environment.undefined("there is no first of no items"))


@pass_environment
def _last(environment: SandboxedEnvironment, value: Any) -> Any:
    return next(reversed(listed(value)), environment.undefined("there is no last of no items"))


def _length(value: Any) -> int:
    if isinstance(value, Lazy):
        listed(value)  # which says that it cannot be
    return len(value)


def _reverse(value: Any) -> Any:
    return value[::-1] if isinstance(listed(value), str) else list(reversed(value))


def _items(value: Any) -> list[Any]:
    if not isinstance(listed(value), dict):
        raise TypeError(f"a {type(value).__name__} is no mapping")
    return list(value.items())


def _check_whole(value: Any) -> None:
    """Refuse a decimal number that would have too many digits as a whole one."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MOST_BITS // 4:
        raise Refused("the number is too large for a whole number")


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not -MOST_DIGITS <= precision <= MOST_DIGITS:
        raise Refused(f"round to {precision} digits: {MOST_DIGITS} at most")
    _check_whole(value)
    return charged(jinja.do_round(value, precision, method))


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    _check_whole(value)
    if isinstance(value, str):
        spend(1 + len(value) // LETTERS_A_STEP)
    return charged(jinja.do_int(value, default, base))


def _deeper_than(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return bool(inner) and (levels == 0 or any(_deeper_than(part, levels - 1) for part in inner))


@pass_eval_context
def _tojson(eval_ctx: Any, value: Any, indent: int | None = None) -> str:
    spend(size_of(value))
    if indent is not None and not (0 <= indent <= MOST_DIGITS):
        raise Refused(f"tojson indents by {MOST_DIGITS} characters at most")
    if indent is not None and _deeper_than(value, MOST_LEVELS):
        raise Refused(f"tojson indents {MOST_LEVELS} levels at most")
    written = str(jinja.do_tojson(eval_ctx, value, indent))
    charged(written)
    return written


@pass_environment
def _attr(environment: SandboxedEnvironment, value: Any, name: str) -> Any:
    return environment.getattr(value, name)


FILTERS: dict[str, _Filter] = {
    "abs": abs,
    "attr": _attr,
    "capitalize": of_text(str.capitalize),
    "count": _length,
    "d": jinja.do_default,
    "default": jinja.do_default,
    "dictsort": _dictsort,
    "first": _first,
    "float": jinja.do_float,
    "format": of_text(_format),
    "groupby": _groupby,
    "indent": of_text(_indent),
    "int": _int,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": lambda value: charged(list(listed(value))),
    "lower": of_text(str.lower),
    "map": _map,
    "max": _extreme(max),
    "min": _extreme(min),
    "reject": _chosen(jinja.sync_do_reject),
    "rejectattr": _chosen(jinja.sync_do_rejectattr),
    "replace": of_text(_replace),
    "reverse": _reverse,
    "round": _round,
    "select": _chosen(jinja.sync_do_select),
    "selectattr": _chosen(jinja.sync_do_selectattr),
    "sort": _sort,
    "string": of_text(str),
    "sum": _sum,
    "title": of_text(jinja.do_title),
    "tojson": _tojson,
    "trim": of_text(_trim),
    "truncate": _truncate,
    "unique": _unique,
    "upper": of_text(str.upper),
    "wordcount": of_text(jinja.do_wordcount),
    **FIGURES,
}
"""By name. Not those of web pages (`escape`, `safe`, `urlize`, `xmlattr` …), nor `random`, which would ask each time something else,
nor `center`, `batch`, `slice`, `wordwrap`, `pprint`. Figures of lists of numbers are ours."""

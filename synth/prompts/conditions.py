"""The tests of templates and expressions, `x is json`: those of Jinja that are of use in text, and ours, each within bounds."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import orjson
from jinja2 import tests as jinja_tests

from synth.nesting import too_deep
from synth.prompts.filters import of_text
from synth.prompts.patterns import found
from synth.prompts.values import OPERATORS, paid_for
from synth.prompts.work import LETTERS_A_STEP, spend

__all__ = ["TESTS", "searched"]

_Test = Callable[..., Any]


def searched(values: Any) -> Any:
    """What is about to be searched by `in`."""
    if isinstance(values, dict):
        return values
    return paid_for(values)


def _comparing(compare: Callable[[Any, Any], bool]) -> _Test:
    return lambda left, right: compare(paid_for(left), paid_for(right))


def _remainder(value: Any, by: Any) -> Any:
    return OPERATORS["%"](value, by)


def _mentions(text: str | None, words: str | None) -> bool:
    """`text is mentioning(answer)`: whether words, or a number in any grouping of its digits, stand in a text by themselves."""
    if not text or not words:
        return False
    plain, wanted = (_GROUPING.sub("", t).lower() for t in (text, words.strip()))
    spend(1 + len(plain) // LETTERS_A_STEP)
    if len(wanted) > MOST_MENTIONED:
        return wanted in plain
    start = plain.find(wanted)
    while start >= 0:
        stop = start + len(wanted)
        if not _GOES_BEFORE.match(plain, start - 1, start) and not _GOES_ON.match(plain, stop):
            return True
        spend(1)
        start = plain.find(wanted, start + 1)
    return False


MOST_MENTIONED = 1000
"""Characters up to which `mentioning` looks at what stands beside them: it may have to look at each place again."""
_GROUPING = re.compile(r"(?<=\d),(?=\d{3})")
_GOES_BEFORE = re.compile(r"[\w.]")
_GOES_ON = re.compile(r"\w|\.\d")


def _is_json(text: Any) -> bool:
    """`text is json`: whether a text is an object or a list of JSON, and nothing else but white space."""
    if not isinstance(text, str):
        return False
    spend(1 + len(text) // LETTERS_A_STEP)
    written = text.strip().encode(errors="replace")
    if not written.startswith((b"{", b"[")):
        return False
    try:
        return not too_deep(orjson.loads(written))
    except orjson.JSONDecodeError:  # also where it is nested deeper than orjson reads
        return False


TESTS: dict[str, _Test] = {
    "boolean": jinja_tests.test_boolean,
    "defined": jinja_tests.test_defined,
    "divisibleby": lambda value, by: _remainder(value, by) == 0,
    "even": lambda value: _remainder(value, 2) == 0,
    "false": jinja_tests.test_false,
    "float": jinja_tests.test_float,
    "in": lambda value, values: paid_for(value) in searched(values),
    "integer": jinja_tests.test_integer,
    "iterable": lambda value: isinstance(value, (str, list, tuple, dict, range)),
    "json": _is_json,
    "lower": of_text(str.islower),
    "mapping": jinja_tests.test_mapping,
    "mentioning": _mentions,
    "none": jinja_tests.test_none,
    "number": jinja_tests.test_number,
    "odd": lambda value: _remainder(value, 2) == 1,
    "sameas": jinja_tests.test_sameas,
    "search": found,
    "sequence": lambda value: isinstance(value, (str, list, tuple, dict, range)),
    "string": jinja_tests.test_string,
    "true": jinja_tests.test_true,
    "undefined": jinja_tests.test_undefined,
    "upper": of_text(str.isupper),
    **{
        name: _comparing(compare)
        for names, compare in (
            (("==", "eq", "equalto"), operator.eq),
            (("!=", "ne"), operator.ne),
            ((">", "gt", "greaterthan"), operator.gt),
            ((">=", "ge"), operator.ge),
            (("<", "lt", "lessthan"), operator.lt),
            (("<=", "le"), operator.le),
        )
        for name in names
    },
}
"""By name; `search`, `mentioning` and `json` are ours."""

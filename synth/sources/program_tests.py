"""Tests of programs, in the forms in which data sets give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from synth.errors import InputError
from synth.records import Test
from synth.sources.json_values import NotJson, Written, parse_json

__all__ = ["MOST_TESTS", "read_tests"]

MOST_TESTS = 1000
"""Tests of one problem, at most: data sets hold some 100, and each is a run of the program."""
_FORMS = (
    "a text of Python with assertions, a list of such texts, a list of objects with stdin and stdout, call and expected, or code, "
    "or an object with inputs and outputs"
)
_NAMES = {"input": "stdin", "output": "stdout"}
"""Other names of keys, in APPS, TACO and LiveCodeBench."""
_ALSO_SAID = {"testtype", "type", "fn_name", "metadata"}
"""Keys of a test that say how it is meant, and are no part of it."""


def read_tests(value: Any, entry_point: Any = None) -> tuple[Test, ...]:
    """The tests that a row gives; none where the value is missing.

    Args:
        value: what the column holds: Python with assertions (HumanEval, where `check` is called with the entry point), a list of assertions
            (MBPP), a list of objects, an object with `inputs`, `outputs` and perhaps `fn_name` (APPS, TACO), or any of these as JSON.
        entry_point: the function that the program is to define, such as `add` or `Solution().add`; None where it is not said.

    Raises:
        InputError: it has none of these forms; says which test does not.
    """
    if value is None or value == "":
        return ()
    if entry_point is not None and (not isinstance(entry_point, str) or not entry_point.strip()):
        raise InputError(f"the entry point is {entry_point!r}, and must be the name of a function")
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        with suppress(NotJson):  # Python may begin with a bracket as well
            value = parse_json(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping) and {"inputs", "outputs"} <= value.keys():
        entry_point = value.get("fn_name") or entry_point
        value = _pairs(value["inputs"], value["outputs"], entry_point)
    given = [value] if isinstance(value, (str, Mapping)) else value
    if not isinstance(given, (list, tuple)):
        raise InputError(f"the tests are a {type(value).__name__}, not {_FORMS}")
    if len(given) > MOST_TESTS:
        raise InputError(f"there are {len(given):,} tests, and at most {MOST_TESTS:,} are taken")
    return tuple(_test(one, number, entry_point) for number, one in enumerate(given, 1))


def _pairs(inputs: Any, outputs: Any, entry_point: str | None) -> list[dict[str, Any]]:
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise InputError("the inputs and outputs of the tests are not two lists of equal length")
    return [dict(_pair(given, expected, entry_point)) for given, expected in zip(inputs, outputs, strict=True)]


def _pair(given: Any, expected: Any, entry_point: str | None) -> Iterator[tuple[str, Any]]:
    if entry_point is None:
        yield "stdin", _text(given)
        yield "stdout", _text(expected)
        return
    arguments = given if isinstance(given, list) else [given]
    yield "call", f"{entry_point}({', '.join(map(repr, arguments))})"
    yield "expected", expected


def _text(value: Any) -> str:
    """What a program reads or writes: a text, or a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return value if isinstance(value, str) else str(value)


def _test(given: Any, number: int, entry_point: str | None) -> Test:
    if isinstance(given, Test):
        return given
    if isinstance(given, str):
        if not given.strip():
            raise InputError(f"test {number} is empty")
        code = f"{given.rstrip()}\n\ncheck({entry_point})\n" if entry_point and _is_check(given) else given
        return Test(code=code, entry_point=entry_point)
    if not isinstance(given, Mapping):
        raise InputError(f"test {number} is a {type(given).__name__}, not {_FORMS}")
    fields = {_NAMES.get(str(name), str(name)): value for name, value in given.items() if name not in _ALSO_SAID}
    if "stdout" in fields and fields.get("stdin") is None:
        fields["stdin"] = ""
    for name in ("stdin", "stdout"):
        if name in fields:
            fields[name] = _text(fields[name])
    if "expected" in fields:
        fields["expected"] = _as_json(fields["expected"], number)
    try:
        return Test(**{"entry_point": entry_point, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        raise InputError(f"test {number} cannot be used: {f'{at}: ' if at else ''}{why}") from error


def _as_json(value: Any, number: int) -> Any:
    """An expected value with the numbers that JSON has."""
    if isinstance(value, (list, tuple)):
        return [_as_json(one, number) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _as_json(one, number) for name, one in value.items()}
    if isinstance(value, Written):
        value = value.as_json()
        exact = not isinstance(value, str)
    else:
        exact = not isinstance(value, int) or isinstance(value, bool) or -(2**63) <= value < 2**63
    if not exact:
        raise InputError(
            f"test {number}: expected holds a number beyond 64 bits, write it as code: assert … == {value}"
        )
    return value


def _is_check(code: str) -> bool:
    """Whether the tests are a function `check` that nobody calls, as in HumanEval."""
    lines = code.splitlines()
    defined = any(line.startswith("def check(") for line in lines)
    return defined and not any(line.startswith(("check(", "test_check(")) for line in lines)

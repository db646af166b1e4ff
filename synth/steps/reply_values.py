"""Types of single values in replies: a text, yes or no, a number, a word of some, a list; how each is described to a model, and how it is read."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from synth.steps.json_schema import mistake

__all__ = ["MOST_FIELDS", "PLAIN", "ValueType", "list_of", "number", "one_of", "optional"]

MOST_FIELDS = 64
"""Fields of an object, and words of a `one_of`."""
_LISTED = 20
"""Whole numbers up to which a range is given to the endpoint as a list of values; many endpoints refuse a minimum."""

_PLAIN_WORD = re.compile(r"yes|no|true|false", re.IGNORECASE)
_NO_LETTERS = re.compile(r"\W+")
_NUMBER = re.compile(r"(?:[A-Za-z]+ )?\[?\s*+([-+]?\d++(?:\.\d++)?)\s*+\]?\s*+(?:(?:/|out of)\s*+\d++)?\s*+[.%]?")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


class ValueType(NamedTuple):
    """A type of value."""

    annotation: Any
    words: str
    """What it is, in the words for a model."""
    line: str
    """The same, where it is written on a line of its own."""
    flat: bool
    """Whether it can be written on a line."""
    answers: bool = False
    """Whether it is an answer to the problem, to be compared with the gold answer."""
    optional: bool = False
    """Whether there may be none."""
    per_step: bool = False
    """Whether it is a list with one item for each step of a rationale."""


def optional(needed: ValueType) -> ValueType:
    """The same type, or nothing."""
    if needed.optional:
        return needed
    return needed._replace(
        annotation=Annotated[needed.annotation | None, BeforeValidator(_none)],
        words=f"{needed.words} or null",
        line=f"{needed.line}, or none",
        optional=True,
    )


def _none(value: Any) -> Any:
    return (
        None
        if isinstance(value, str) and value.strip().strip(".").lower() in {"", "none", "null", "n/a", "-"}
        else value
    )


def _yes(value: Any) -> Any:
    if isinstance(value, str) and (found := _PLAIN_WORD.fullmatch(_NO_LETTERS.sub(" ", value).strip())):
        return found[0].lower() in {"yes", "true"}
    if isinstance(value, bool):
        return value
    raise mistake("it is neither yes nor no")


def _text(value: str) -> str:
    if not value:
        raise mistake("it is empty")
    return value


PLAIN: dict[str, ValueType] = {
    "text": ValueType(Annotated[str, AfterValidator(_text)], "a text", "a text", flat=True),
    "answer": ValueType(Annotated[str, AfterValidator(_text)], "the answer", "the answer", flat=True, answers=True),
    "yes_no": ValueType(
        Annotated[bool, BeforeValidator(_yes), WithJsonSchema({"type": "string", "enum": ["yes", "no"]})],
        '"yes" or "no"',
        "Yes or No",
        flat=True,
    ),
}


def list_of(inner: ValueType) -> ValueType:
    """A list of values, in lines a line each."""

    def lines(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = [_BULLET.sub("", line).strip() for line in value.splitlines()]
        return [line for line in found if line]

    words = f"a list, each of its items {inner.words}"
    of: Any = inner.annotation
    kind: Any = list[of]
    return ValueType(Annotated[kind, BeforeValidator(lines)], words, f"one line each: {inner.line}", inner.flat)


def _bare(word: str) -> str:
    """A word without quotes and marks around it, in any case."""
    return word.strip().strip("\"'`*.()[]").strip().casefold()


def one_of(words: list[str], place: str) -> ValueType:
    """One of some words, in any case and with marks around it.

    Raises:
        ValueError: the words are too few, too many, or not different; names `place`.
    """
    words = [word.strip("\"'") for word in words]
    if not 2 <= len(words) <= MOST_FIELDS or not all(words) or len({_bare(w) for w in words} - {""}) < len(words):
        raise mistake(f"{place}: one_of names from 2 to {MOST_FIELDS} different words: one_of(right, wrong)")
    known = {_bare(word): word for word in words}

    def pick(value: Any) -> Any:
        bare = _bare(value) if isinstance(value, str) else ""
        if bare not in known:
            raise mistake(f"it is none of {', '.join(words)}")
        return known[bare]

    listed = (
        " or ".join(f'"{word}"' for word in words)
        if len(words) == 2
        else "one of " + ", ".join(f'"{w}"' for w in words)
    )
    kind: Any = Annotated[str, BeforeValidator(pick), WithJsonSchema({"type": "string", "enum": words})]
    return ValueType(kind, listed, f"one of: {', '.join(words)}", flat=True)


_FAR = 1e300
"""Numbers lie between this and its negative."""


def number(name: str, inside: str | None, place: str) -> ValueType:
    """A number, or a whole one (`int`), within the bounds that are written inside the brackets.

    Raises:
        ValueError: the bounds are none; names `place`.
    """
    whole = name == "int"
    bounds: tuple[float, float] | None = None
    if inside is not None:
        try:
            low, high = (float(part) for part in inside.split(","))
        except ValueError as error:
            raise mistake(f"{place}: {name}({inside}) has no two bounds: {name}(1, 5)") from error
        if not -_FAR < low < high < _FAR or (whole and not (low.is_integer() and high.is_integer())):
            raise mistake(
                f"{place}: {name}({inside}): the first bound is to be below the second"
                + (", both whole" if whole else "")
            )
        bounds = (low, high)

    def read(value: Any) -> Any:
        if isinstance(value, str) and (found := _NUMBER.fullmatch(value.strip().strip("*"))):
            value = float(found[1])
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mistake("it is no number")
        if not -_FAR < value < _FAR:  # also of what is no number at all
            raise mistake("it is too large")
        if whole and value != int(value):
            raise mistake("it is no whole number")
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            raise mistake(f"it is not between {bounds[0]:g} and {bounds[1]:g}")
        return int(value) if whole else float(value)

    schema: dict[str, Any] = {"type": "integer" if whole else "number"}
    noun = "a whole number" if whole else "a number"
    if bounds is not None:
        noun += f" from {bounds[0]:g} to {bounds[1]:g}"
        if whole and bounds[1] - bounds[0] < _LISTED:
            schema["enum"] = list(range(int(bounds[0]), int(bounds[1]) + 1))
        else:
            schema |= {"minimum": bounds[0], "maximum": bounds[1]}
    kind: Any = Annotated[int if whole else float, BeforeValidator(read), WithJsonSchema(schema)]
    return ValueType(kind, noun, noun, flat=True)

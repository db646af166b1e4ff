"""JSON as it is found: numbers keep their digits, and what no parser of JSON takes is explained."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from synth.nesting import TOO_DEEP, maybe_deep, too_deep

__all__ = ["NotJson", "Written", "parse_json"]

_DIGITS = 4000
"""Digits of an integer up to which Python makes a number of them; a longer one stays text."""

# A number of which a double, written again, would have other digits; inside of a text it costs some time, and no more.
_INEXACT = re.compile(rb"(?<![\w.])-?(?:\d[\d.]{15,}|\d+\.\d*[1-9]0+(?!\d)|\d+\.\d0+(?!\d)|\d+(?:\.\d+)?[eE]|0\.0000)")


class NotJson(ValueError):
    """Why a text is not JSON, in words; with the line and column where the text has several lines."""


class Written(float):
    """A number that is shown as it was written: 1e-7, 0.10, 0.1234567890123456789."""

    def __init__(self, literal: str) -> None:
        self._literal = literal

    def __str__(self) -> str:
        return self._literal

    __repr__ = __str__

    def as_json(self) -> float | str:
        """A double where it has all the digits, else the text."""
        try:
            same = Decimal(self._literal) == Decimal(float.__repr__(self))
        except InvalidOperation:  # beyond the range of doubles
            same = False
        return float(self) if same else self._literal


def parse_json(text: bytes) -> Any:
    """A JSON text as Python has it; NaN is None.

    Raises:
        NotJson: it is none; says why and where.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _other(text, error)
    if maybe_deep(text) and too_deep(value):
        raise NotJson(TOO_DEEP)
    return _digits(text.decode()) if _INEXACT.search(text) else value


def _digits(text: str) -> Any:
    return json.loads(
        text,
        parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else digits,
        parse_float=Written,
        parse_constant=lambda name: None if name == "NaN" else name,
    )


def _other(text: bytes, error: orjson.JSONDecodeError) -> Any:
    """What only Python's parser takes: NaN and Infinity; and halves of characters, which are refused."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("this is not UTF-8 text") from None
    try:
        value = _digits(decoded)
    except RecursionError:
        raise NotJson(TOO_DEEP) from None
    except ValueError:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in decoded.strip() else f"column {error.colno}"
        python = ": it looks like a Python dictionary; write it with json.dumps" if decoded.lstrip()[:2] == "{'" else ""
        raise NotJson(f"this is not JSON: {error.msg.partition(': line')[0]} ({where}){python}") from None
    if too_deep(value):
        raise NotJson(TOO_DEEP)
    if (place := _half(value, "")) is not None:
        what = f"half of a character ({place[1]}){' in ' + repr(place[0]) if place[0] else ''}"
        raise NotJson(f"this is not JSON: {what}: a text was cut in the middle of an escaped character")
    return value


def _half(value: Any, place: str) -> tuple[str, str] | None:
    """Where half a surrogate pair stands, and which."""
    if isinstance(value, str):
        half = re.search("[\ud800-\udfff]", value)
        return (place, f"\\u{ord(half[0]):04x}") if half else None
    inner = value.items() if isinstance(value, dict) else ((place, v) for v in value) if isinstance(value, list) else ()
    return next((found for name, v in inner if (found := _half(v, str(name)) or _half(str(name), place))), None)

"""Numbers in answers.

A percent sign is a unit like any other: `18%` equals `18`, and does not equal `0.18`. A time (`5:30`) or a date is
no number.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from synth.verify.latex import unwrap

__all__ = ["find_numbers", "is_number", "read_number"]

_SPACES = "\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"""(?x)
    (?<![\w.])                                             # not inside a word, nor the end of another number
    (?P<sign>[-+−–]?)\s?(?:USD|[$€£¥₹])?\s?(?P<sign2>[-−]?)
    (?:
      (?P<whole>\d{{1,4}})\s+(?P<a>\d{{1,4}})\s?/\s?(?P<b>\d{{1,4}})          # 2 1/2
    | (?P<n>\d{{1,15}}(?:\.\d{{1,15}})?)\s?/\s?(?P<d>\d{{1,15}}(?:\.\d{{1,15}})?)(?![\d/])  # 3/4, not a date
    | (?P<grouped>\d{{1,3}}(?:[,{_SPACES}]\d{{3}}){{1,8}}(?!\d)(?:\.\d{{1,30}})?)             # 1,234.5
    | (?P<plain>(?:\d{{1,40}}(?:\.\d{{1,40}})?|\.\d{{1,40}}))
      (?:\s?(?:[eE](?P<e>[-+]?\d{{1,3}})|(?:\\times|×|\*)\s?10\s?\^\s?\{{?(?P<p>[-−+]?\d{{1,3}})\}}?))?
    )
    (?!\d|:\d)                                              # nor a time
    """
)


def _value(match: re.Match[str]) -> Fraction | None:
    got = match.groupdict()
    negative = (got["sign"] in {"-", "−", "–"}) != (got["sign2"] in {"-", "−"})
    try:
        if got["whole"] is not None:
            value = Fraction(int(got["whole"])) + Fraction(int(got["a"]), int(got["b"]))
        elif got["n"] is not None:
            value = Fraction(Decimal(got["n"])) / Fraction(Decimal(got["d"]))
        elif got["grouped"] is not None:
            value = Fraction(Decimal(re.sub(rf"[,{_SPACES}]", "", got["grouped"])))
        else:
            exponent = int((got["e"] or got["p"] or "0").replace("−", "-"))
            value = Fraction(Decimal(got["plain"])) * (Fraction(10) ** exponent)
    except (ZeroDivisionError, InvalidOperation, ValueError):
        return None
    return -value if negative else value


def find_numbers(text: str) -> list[tuple[int, str]]:
    """Every number in a text with the place where it starts. Calculator marks (`<<3*3=9>>`) are passed over."""
    text = re.sub(r"<<[^<>]{0,200}>>", lambda m: " " * len(m[0]), text)
    return [(m.start(), m[0].strip()) for m in _NUMBER.finditer(text) if _value(m) is not None]


def read_number(text: str) -> Fraction | None:
    """The number an answer states, or None. Of `5 * 3 = 15` the result counts; of `18 dollars (2 days)` the first."""
    plain = unwrap(text[:2000])
    if "=" in plain:
        after = read_number(plain.rpartition("=")[2])
        if after is not None:
            return after
    match = next((m for m in _NUMBER.finditer(plain) if _value(m) is not None), None)
    return _value(match) if match else None


_UNIT = re.compile(r"(?!(?:am|pm|th|st|nd|rd)\b)[%°]?\s?(?:[A-Za-z]+(?:[\s/][A-Za-z]+)?)?\.?", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a text is nothing but a number, with at most a currency sign, a percent sign or a unit of one or two words."""
    plain = unwrap(text.strip())
    match = _NUMBER.match(plain)
    return match is not None and _value(match) is not None and _UNIT.fullmatch(plain[match.end() :].strip()) is not None

"""Numbers in answers.

A percent sign is a unit like any other: `18%` equals `18`, and does not equal `0.18`. A time (`5:30`, `3 pm`), a date
(`1/2/2020`, `2020-01-02`) or an ordinal (`13th`) is no number; nor is a number inside an expression (`3\\sqrt{2}`,
`2^5`, `5 - 3`), of which it is only a part.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from synth.verify.latex import unwrap

__all__ = ["find_numbers", "is_number", "last_number", "read_number"]

_SPACES = "\u00a0\u2009\u202f"
# Every repetition is bounded: what models write can be long, and a number in it is not.
_NUMBER = re.compile(
    rf"""(?x)
    (?<![\w.])(?<!\d[/:])(?<!\d{{4}}-(?=\d\d-))(?<!-\d\d-)                       # not inside a word, a number, a date or a time
    (?P<sign>(?:(?<![\d)\]])(?<![\d)\]]\s)(?!(?<=\n)[-+−–]\s)[-+−–])?)\s?  # 10-7 is no -7, nor is `- 7` in a list
    (?:USD|US\$|Rs\.?|[$€£¥₹])?\s?(?P<sign2>[-−]?)
    (?:
      (?P<whole>\d{{1,4}})[ ]{{1,3}}(?P<a>\d{{1,4}})\s?/\s?(?P<b>\d{{1,4}})(?![\d/])       # 2 1/2
    | (?P<n>\d{{1,15}}(?:\.\d{{1,15}})?)\s?/\s?(?P<d>\d{{1,15}}(?:\.\d{{1,15}})?)(?![\d/])  # 3/4
    | (?P<grouped>\d{{1,3}}(?:[,{_SPACES}]\d{{3}}){{1,8}}(?!\d)(?:\.\d{{1,30}})?)           # 1,234.5
    | (?P<spaced>\d{{1,3}}(?:[ ]\d{{3}}){{1,8}}(?![\d-])(?:\.\d{{1,30}})?)                     # 1 234.5
    | (?P<plain>(?:\d{{1,40}}(?:\.\d{{1,40}})?|\.\d{{1,40}}))
      (?:[eE](?P<e>[-+]?\d{{1,3}})|\s?(?:\\times|\\cdot|×|\*)\s?10\s?\^\s?\{{?(?P<p>[-−+]?\d{{1,3}})\}}?)?
    )
    (?!\d|[.:/eE]\d|-\d{{1,2}}-\d|[½¼¾⅓⅔⅛²³⁰-⁹])
    (?!(?:st|nd|rd|th)\b|\s?(?:[apAP]\.?[mM]\b|o['’]clock))
    """
)
_MARK = re.compile(r"<<[^<>]{0,200}>>")
_BOLD = re.compile(r"(?<![\w)])\*\*|\*\*(?![\w(])")  # not the power of 2**5
_SENTENCE_END = re.compile(r"(?<=[.!?])\s(?=[A-Z(])|\n")

_OPERAND_BEFORE = re.compile(
    r"[*×·/^_+±|]\s?\Z|(?:\b|_)[A-Za-z]\Z|[A-Za-z]\(\Z|\b(?:minus|negative|plus|times)\s\Z", re.IGNORECASE
)
_OPERAND_AFTER = re.compile(
    r"""(?x) \s?\^ | \( | \|
    | \s?(?:\*{1,2}|[×·/+\-−–]|x(?=\s?\d))\s?(?:[$\d(\\]|[A-Za-z]\b|(?:sin|cos|tan|log|ln|exp|sqrt|pi)\b)
    | \s(?:minus|plus|times|divided)\s
    | [abceiknpqrtuvwxyzBKM]\b           # a variable, or thousands; other letters are units
    """
)
_ANOTHER = re.compile(
    r"\s?%?(?:\s[A-Za-z]{1,20}){0,2}\s?(?:[,;]\s?(?:and\s|or\s)?|\s(?:and|or|to)\s)\(?(?:x\s?=\s?)?[-+−±$€£]{0,2}\d"
)
_OTHER_UNKNOWN = re.compile(r"(?:\b(?:and|or)\b|[,;])\s?\(?[A-Za-z](?:_\w)?\s?=")


def _value(match: re.Match[str]) -> Fraction | None:
    got = match.groupdict()
    negative = (got["sign"] in {"-", "−", "–"}) != (got["sign2"] in {"-", "−"})
    try:
        if got["whole"] is not None:
            value = Fraction(int(got["whole"])) + Fraction(int(got["a"]), int(got["b"]))
        elif got["n"] is not None:
            value = Fraction(Decimal(got["n"])) / Fraction(Decimal(got["d"]))
        elif (grouped := got["grouped"] or got["spaced"]) is not None:
            value = Fraction(Decimal(re.sub(r"[,\s]", "", grouped)))
        else:
            exponent = int((got["e"] or got["p"] or "0").replace("−", "-"))
            value = Fraction(Decimal(got["plain"])) * (Fraction(10) ** exponent)
    except (ZeroDivisionError, InvalidOperation, ValueError):
        return None
    return -value if negative else value


def _without_marks(text: str) -> str:
    """Calculator marks (`<<3*3=9>>`) as so many spaces: places stay the same."""
    return _MARK.sub(lambda m: " " * len(m[0]), text)


def find_numbers(text: str) -> list[tuple[int, str]]:
    """Every number in a text with the place where it starts. Calculator marks (`<<3*3=9>>`) are passed over."""
    return [
        (m.end() - len(m[0].lstrip()), m[0].strip())
        for m in _NUMBER.finditer(_without_marks(text))
        if _value(m) is not None
    ]


def last_number(text: str) -> str | None:
    """The number a text ends on, where it states no answer; None where there is none.

    Of `4 * 5 = 20 miles in 5 days` it is the result, not the last number.
    """
    plain = _without_marks(text)
    matches = list(_NUMBER.finditer(plain))
    while matches and _value(matches[-1]) is None:
        matches.pop()
    if not matches:
        return None
    last = matches[-1][0].strip()
    start = matches[-1].end() - len(last)
    sentence_start = max((m.end() for m in _SENTENCE_END.finditer(plain, 0, start)), default=0)
    equals = plain.rfind("=", sentence_start, start)
    if equals < 0:
        return last
    result = next(m for m in matches if m.end() > equals and _value(m) is not None)
    return result[0].strip()


def read_number(text: str) -> Fraction | None:
    """The number an answer states; None where it states none, several (`5 or 3`), or an expression (`2\\pi`).

    Of `5 * 3 = 15` the result counts; of `18 dollars (2 days)` the first.
    """
    plain = _BOLD.sub("", _without_marks(unwrap(text[:2000])))
    plain = re.sub(r"\\approx|≈", "=", plain)
    if "=" in plain:
        if _OTHER_UNKNOWN.search(plain):
            return None
        head, _, tail = plain.rpartition("=")
        # `18 (9 * 2 = 18)` and `18 since 9 * 2 = 18` say it first.
        return _single(tail) if re.search(r"\d", tail) else _single(head)
    return _single(plain)


def _single(plain: str) -> Fraction | None:
    match = next((m for m in _NUMBER.finditer(plain) if _value(m) is not None), None)
    if match is None:
        return None
    before, after = plain[: match.start()], plain[match.end() :]
    if _COMMAND.search(before) or _COMMAND.search(after):  # left by unwrapping: a root, a logarithm, π
        return None
    if match["sign"] and _UNKNOWN_BEFORE.search(before):
        return None
    inner = after.lstrip(")]}")
    if any(_OPERAND_BEFORE.search(b) for b in (before, before.rstrip("([{"))):
        return None
    return None if _OPERAND_AFTER.match(inner) or _ANOTHER.match(inner) else _value(match)


_UNKNOWN_BEFORE = re.compile(r"\b[A-Za-z]\s?\Z")  # x - 5
_COMMAND = re.compile(r"\\[A-Za-z]")
_UNIT = re.compile(
    r"(?!(?:am|pm|th|st|nd|rd)\b)[%°]?\s?(?:[A-Za-z]+(?:[\s/][A-Za-z]+)?)?\s?(?:\^\s?\{?[23]\}?|[²³])?\.?",
    re.IGNORECASE,
)


def is_number(text: str) -> bool:
    """Whether a text is nothing but a number, with at most a currency sign, a percent sign or a unit of one or two words.

    `5m` and `2x` are left to mathematics: the letter may be a variable.
    """
    plain = unwrap(text.strip()[:2000])
    match = _NUMBER.match(plain)
    if match is None or _value(match) is None:
        return False
    rest = plain[match.end() :]
    return not re.match(r"[A-Za-z]\b", rest) and _UNIT.fullmatch(rest.strip()) is not None

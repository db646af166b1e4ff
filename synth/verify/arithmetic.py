"""Arithmetic that a text claims, and whether it holds: `3 + 4 = 7`, chains, `<<3*4=12>>`, fractions, percentages, units, LaTeX.

Every equals sign between two expressions is a claim of its own, so that `2 + 3 = 5 = 6` holds two. It is decided by exact fractions:

- It **holds** where both sides have the same value. A percent sign is 1/100 or a unit, whichever makes it hold. A number with decimals
  may be the other side rounded or cut off at the digits it states: `1/3 = 0.33`, `2/3 = 0.66` and `2/3 = 67%` hold, `1/3 = 0.34` does not.
- It is **wrong** only where nothing else can be meant. In doubt it is unknown, with the reason: variables, functions, several units of
  one kind (`1 hour * 2 = 120 minutes`), words that may change the sum (`3 more than 4 + 5 = 12`), results without their decimals
  (`10 / 3 = 3`), results within the rounding of an operand (`33.33 * 3 = 100`), sums that go on (`2 + 3 = 5 * 2 = 10`, of which the first claim
  is unknown and the second is checked), division by zero, numbers that are too large.
- Precedence is that of mathematics: `3 + 4 * 2 = 14` is wrong, also where somebody calculated from left to right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple

from synth.verify.calculate import Token, Unvalued, shown, value_of
from synth.verify.calculations import tokens_of
from synth.verify.sides import Run, runs_of

__all__ = ["Claim", "arithmetic_claims"]

_MARK = re.compile(r"<<([^<>\n]{0,200})>>")
_HUNDREDTH = Fraction(1, 100)
_OF_FLOATS = Fraction(1, 10**9)
_UNDECIDED = frozenset(
    """
    than half halves twice double doubled doubles triple tripled thrice quarter quarters thirds fourths fifths sixths eighths tenths
    root roots squared cubed power product average averages mean difference ratio mod modulo remainder dozen dozens pair pairs couple
    score hundred hundreds hundredths thousand thousands million millions billion billions trillion lakh crore divided multiplied
    increased decreased subtract subtracted subtracting multiply multiplying divide dividing adding add less more fewer max min floor
    ceil rounded round rounds rounding roughly about approximately around nearly almost minus plus times negative factorial choose not
    isn't doesn't ≠ never wrong incorrect instead
    """.split()  # noqa: SIM905  # words, not code
)
"""Words beside a calculation that may make another one of it, or take it back."""
_UNDECIDED_BEFORE = frozenset(
    {"third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "square", "cube", "base"}
)
"""Those that say nothing after it."""
_SHOWN = 80


class Claim(NamedTuple):
    """A statement in a text that can be checked, or looks like one."""

    start: int
    """Where it begins in the text."""
    end: int
    text: str
    """What is claimed, as it stands there."""
    holds: bool | None
    """None where it is not known."""
    reason: str
    """Why, in words."""
    correction: str | None = None
    """What would hold, where it does not."""


def arithmetic_claims(text: str) -> list[Claim]:
    """The arithmetic that a text claims, each claim decided or unknown; in order. Time grows with the length of the text alone."""
    claims: list[Claim] = []
    for mark in _MARK.finditer(text):
        inner = tokens_of(mark[1])
        claims += _claims_in(
            text, [t._replace(start=t.start + mark.start(1), end=t.end + mark.start(1)) for t in inner]
        )
    plain = _MARK.sub(lambda m: " " * len(m[0]), text)
    clause: list[Token] = []
    for token in tokens_of(plain):
        if token.kind != "break":
            clause.append(token)
        elif clause:
            claims += _claims_in(plain, clause)
            clause = []
    claims += _claims_in(plain, clause)
    return sorted(claims)


def _claims_in(text: str, clause: Sequence[Token]) -> Iterator[Claim]:
    sides: list[list[Token]] = [[]]
    relations: list[Token] = []
    for token in clause:
        if token.kind == "relation":
            relations.append(token)
            sides.append([])
        else:
            sides[-1].append(token)
    if not relations:
        return
    runs = [runs_of(side, first=i == 0, last=i == len(sides) - 1) for i, side in enumerate(sides)]
    for index, relation in enumerate(relations):
        left, right = runs[index], runs[index + 1]
        if not left or not right or right[0].before:
            continue
        one, other = left[-1], right[0]
        if not one.reaches:
            continue
        if not (one.computes or other.computes or _is_share(one, other)):
            continue
        start, end = one.start, other.end
        holds, reason, correction = _decide(text, one, other, relation.text == "=", sides[index + 1])
        yield Claim(start, end, " ".join(text[start:end].split()), holds, reason, correction)


def _is_share(one: Run, other: Run) -> bool:
    """Whether it is of the kind `50% = 0.5`, `½ = 50%`."""
    both = (*one.tokens, *other.tokens)
    plain = not one.words and not other.words
    return plain and any(t.text == "%" or (t.kind == "number" and t.decimals is None) for t in both)


def _is_decimal_share(one: Run, other: Run) -> bool:
    """Whether a percentage is said to be a decimal number up to 1, which can be wrong."""
    decimals = [t for t in (*one.tokens, *other.tokens) if t.kind == "number" and t.decimals]
    return len(decimals) == 1 and decimals[0].value is not None and decimals[0].value <= 1


def _values(run: Run) -> list[Fraction]:
    """The values that a run can have, the likeliest first.

    Raises:
        Unvalued: it has none.
    """
    shares = [_HUNDREDTH, Fraction(1)] if any(t.text == "%" for t in run.tokens) else [Fraction(1)]
    values = [value_of(run.tokens, percent=share) for share in shares]
    if sum(t.text == "/" for t in run.tokens) > 1 or any(t.kind == "fraction" for t in run.tokens[1:]):
        values = [*(value_of(run.tokens, percent=share, fractions_first=True) for share in shares), *values]
    if run.tail is not None:
        with suppress(Unvalued):
            values.append(value_of([*run.tokens, run.tail], percent=Fraction(1)))
    return values


def _decide(text: str, one: Run, other: Run, exact: bool, side: Sequence[Token]) -> tuple[bool | None, str, str | None]:
    """Whether a claim holds, why, and what would hold."""
    claim = _short(text[one.start : other.end])
    for run in (one, other):
        if run.broken is not None:
            return None, f"{claim}: {run.broken}", None
    try:
        lefts, rights = _values(one), _values(other)
    except Unvalued as why:
        return None, f"{claim}: {why}", None
    pairs = [(a, b) for a in lefts for b in rights]
    if any(a == b for a, b in pairs):
        return True, f"{claim} holds", None
    for a, b in pairs:
        if _is_rounded(a, other, b) or _is_rounded(b, one, a):
            return True, f"{claim} holds to the digits stated", None
    if not exact and any(_is_near(a, b, _HUNDREDTH) for a, b in pairs):
        return True, f"{claim} holds, about", None
    if _is_floating(one, other) and any(_is_near(a, b, _OF_FLOATS) for a, b in pairs):
        return True, f"{claim} holds to the precision of floating point", None
    why_not = _doubt(one, other, pairs, exact) or _doubt_in_words(one, other, side)
    if why_not is not None:
        return None, f"{claim}: {why_not}", None
    a, b = pairs[0]
    if one.computes and other.computes:
        return False, f"{claim}: {shown(a)} is not {shown(b)}", _equation(text[one.start : one.end], a)
    computed, value = (one, a) if one.computes or not other.computes else (other, b)
    return False, f"{claim}: it is {shown(value)}", _equation(text[computed.start : computed.end], value)


def _equation(side: str, value: Fraction) -> str:
    return f"{_short(side)} = {shown(value)}".replace("= about", "≈")


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"


def _stated(run: Run) -> Token | None:
    """The number of a run that is one number, maybe with a sign and a percent sign."""
    numbers = [t for t in run.tokens if t.kind == "number"]
    plain = all(t.kind == "number" or t.text in {"-", "+", "%", "(", ")", "{", "}", "[", "]"} for t in run.tokens)
    return numbers[0] if plain and len(numbers) == 1 else None


def _is_rounded(value: Fraction, run: Run, read: Fraction) -> bool:
    """Whether a run is one number with decimals, or a percentage, that is a value rounded or cut off at the digits it states."""
    stated = _stated(run)
    if stated is None or not stated.value or stated.decimals is None:
        return False
    percent = any(t.text == "%" for t in run.tokens)
    if stated.decimals == 0 and not percent:
        return False
    unit = Fraction(1, 10**stated.decimals) * abs(read / stated.value)
    if abs(value - read) * 2 <= unit:
        return True
    return stated.decimals > 0 and abs(read) < abs(value) < abs(read) + unit and (read > 0) == (value > 0)


def _is_floating(one: Run, other: Run) -> bool:
    """Whether a number has so many decimals that a program wrote it."""
    return any(t.decimals is not None and t.decimals >= 9 for t in (*one.tokens, *other.tokens))


def _is_near(a: Fraction, b: Fraction, share: Fraction) -> bool:
    return abs(a - b) <= share * max(abs(a), abs(b))


def _doubt(one: Run, other: Run, pairs: Sequence[tuple[Fraction, Fraction]], exact: bool) -> str | None:
    """Why two sides that are not equal may still be what is meant; None where nothing speaks for it."""
    for run in (one, other):
        if run.doubt is not None:
            return run.doubt
        if _mixes_percent(run):
            return "a percentage added to a number"
        if _has_signed_power(run):
            return "a power of a number with a sign"
        if _has_range(run):
            return "a range"
    if one.names and other.computes:
        return "its first number may name what is calculated"
    if not one.computes and not other.computes and not _is_decimal_share(one, other):
        return "nothing is calculated"
    units = one.units | other.units
    if bool(one.signs) != bool(other.signs) and any(a == 100 * b or b == 100 * a for a, b in pairs):
        return "cents or whole units of money"
    if len({family for family, _ in units}) < len(units):
        return "several units of one kind"
    if other.first_operand and _first_value(other) in {a for a, _ in pairs}:
        return "a calculation that continues after its result"
    for a, b in pairs:
        for stated, value, read in ((_stated(other), a, b), (_stated(one), b, a)):
            if stated is not None and stated.decimals == 0 and stated.value is not None:
                unit = abs(read / stated.value) if stated.value else Fraction(1)
                if (value / unit).denominator != 1 and abs(value - read) < unit:
                    return f"{shown(value)} without its decimals"
        if _is_near(a, b, _uncertainty(one, other)):
            return "within the rounding of its numbers"
    if _below_the_line(one) == pairs[0][1] or _below_the_line(other) == pairs[0][0]:
        return "all after the division sign may be its denominator"
    for a, b in pairs:
        if not exact and _is_near(a, b, Fraction(1, 10)):
            return "about"
    return None


def _first_value(run: Run) -> Fraction | None:
    try:
        return value_of(run.tokens[: run.first_operand], percent=Fraction(1))
    except Unvalued:
        return None


def _below_the_line(run: Run) -> Fraction | None:
    """The value where all factors after a division sign are its denominator: `85/40*45`."""
    at = next((i for i, t in enumerate(run.tokens) if t.text == "/"), None)
    if at is None:
        return None
    after = [t._replace(text="/") if t.text == "*" else t for t in run.tokens[at:]]
    try:
        return value_of([*run.tokens[:at], *after], percent=_HUNDREDTH)
    except Unvalued:
        return None


def _mixes_percent(run: Run) -> bool:
    if not any(t.text == "%" for t in run.tokens):
        return False
    numbers = sum(t.kind == "number" for t in run.tokens)
    signs = sum(t.text == "%" for t in run.tokens)
    return signs < numbers and any(t.text in {"+", "-"} for t in run.tokens[1:])


def _has_signed_power(run: Run) -> bool:
    texts = [t.text for t in run.tokens]
    for i, text in enumerate(texts):
        if (
            text == "^"
            and i > 1
            and texts[i - 2] == "-"
            and (i == 2 or texts[i - 3] in {"(", "+", "-", "*", "/", "[", "{"})
        ):
            return True
    return False


def _has_range(run: Run) -> bool:
    """Whether it may hold a range of numbers, as `10-15` minutes."""
    tokens = run.tokens
    for i, (before, sign, after) in enumerate(zip(tokens, tokens[1:], tokens[2:], strict=False)):
        is_first = i == 0 or tokens[i - 1].text not in {"+", "-"}
        if not (is_first and sign.text == "-" and sign.glued and after.glued):
            continue
        if before.value is not None and after.value is not None and before.value < after.value:
            return True
    return False


def _uncertainty(one: Run, other: Run) -> Fraction:
    """The relative error that rounded operands can bring: one unit of the last of two or more decimals, at most 2 %."""
    errors = [Fraction(0)]
    divides = [any(t.text == "/" or t.kind == "fraction" for t in run.tokens) for run in (one, other)]
    for run, elsewhere in ((one, divides[1]), (other, divides[0])):
        if not run.computes:
            continue
        rounded = [t for t in run.tokens if t.decimals and (t.decimals > 1 or elsewhere)]
        errors += [Fraction(1, 10 ** (t.decimals or 0)) / t.value for t in rounded if t.value]
    return min(max(errors), Fraction(1, 50))


def _doubt_in_words(one: Run, other: Run, side: Sequence[Token]) -> str | None:
    for word in (*one.before, *one.words):
        if word in _UNDECIDED or word in _UNDECIDED_BEFORE or word.startswith(("round", "approx")):
            return f"the word {word!r}"
    after = [t.text for t in side if t.kind == "word" and t.start >= other.end][:12]
    for word in (*other.words, *after):
        if word in _UNDECIDED or word.startswith(("round", "approx")):
            return f"the word {word!r}"
    for run in (one, other):
        if "of" in run.words and run.computes and any(t.text in {"%", "/"} or t.kind == "fraction" for t in run.tokens):
            return "a share of something"
    return "the word 'each'" if "each" in one.words and other.computes else None

"""Values of arithmetic expressions, exact and bounded: a reader of tokens, never `eval`.

Precedence is that of mathematics: `^` from the right, then signs, then `*` and `/` from the left, then `+` and `-`. Work is bounded by the
number of tokens, the depth of parentheses and the digits of every number on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial
from typing import Literal, NamedTuple

__all__ = ["CLOSING", "Kind", "Token", "Unvalued", "matched", "shown", "value_of"]

Kind = Literal["number", "operator", "open", "close", "postfix", "fraction", "relation", "word", "sign", "unknown", "comma", "break"]  # fmt: skip
"""`postfix`: `%` and `!`; `fraction`: the LaTeX command, before its two groups; `sign`: of a currency; `unknown`: a variable, a function or
anything else has no value here; `break`: what ends a clause."""

CLOSING = {"(": ")", "[": "]", "{": "}"}
_MOST_TOKENS = 400
_DEEPEST = 24
_MOST_BITS = 2048
"""Of a numerator or denominator: no operation on such numbers takes long, and no claim that people write needs more."""
_LARGEST_FACTORIAL = 170


class Token(NamedTuple):
    """A part of a text that arithmetic can be made of."""

    kind: Kind
    text: str
    """In one spelling: `*` for `×`; words in lower case."""
    start: int
    end: int
    value: Fraction | None = None
    """Of a number."""
    decimals: int | None = None
    """Of a number, how many decimals it states; None where it is a fraction."""
    glued: bool = False
    """Whether no space stands before it."""


class Unvalued(ValueError):
    """An expression has no value here; the message says why."""


def matched(tokens: Sequence[Token]) -> dict[int, int]:
    """Where the parenthesis that each opening one belongs to closes, by index; without those that are not paired."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "open":
            opened.append(index)
        elif token.kind == "close":
            if opened and CLOSING[tokens[opened[-1]].text] == token.text:
                pairs[opened.pop()] = index
            else:
                opened.clear()
    return pairs


def value_of(tokens: Sequence[Token], *, percent: Fraction, fractions_first: bool = False) -> Fraction:
    """The exact value of an expression.

    Args:
        tokens: numbers, operators, parentheses, postfix signs and fractions; nothing else.
        percent: what a percent sign multiplies by: 1/100, or 1 where it is read as a unit.
        fractions_first: whether `1/2` without spaces is one number beside a division, so that `6 ÷ 1/2` is 12 and not 3, and a fraction
            directly after a whole number is a part of it, so that `1\frac{1}{4}` is 5/4.

    Raises:
        Unvalued: it is no expression, divides by zero, or is too long, too deep or too large.
    """
    if len(tokens) > _MOST_TOKENS:
        raise Unvalued(f"more than {_MOST_TOKENS} signs")
    return _Reader(tokens, percent, fractions_first).whole()


def shown(value: Fraction) -> str:
    """A number for a reader: exact where it has at most six decimals, else rounded to them after `about`."""
    if value.denominator == 1:
        digits = str(value.numerator)
        return digits if len(digits) <= 40 else f"{digits[:12]}… ({len(digits)} digits)"
    rounded = round(value, 6)
    if rounded == 0 or abs(value) > 10**15:
        return f"about {value.numerator}/{value.denominator}"[:60]
    whole, part = divmod(abs(rounded.numerator) * (10**6 // rounded.denominator), 10**6)
    written = f"{'-' if rounded < 0 else ''}{whole}" + (f".{part:06d}".rstrip("0") if part else "")
    return written if rounded == value else f"about {written}"


class _Reader:
    def __init__(self, tokens: Sequence[Token], percent: Fraction, fractions_first: bool) -> None:
        self._tokens, self._percent, self._fractions_first = tokens, percent, fractions_first
        self._at, self._depth = 0, 0

    def whole(self) -> Fraction:
        value = self._sum()
        if self._at < len(self._tokens):
            raise Unvalued("not an expression")
        return value

    def _next(self, *texts: str) -> str | None:
        """The text of the next token where it is one of these operators or postfix signs."""
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind in {"operator", "postfix"} and token.text in texts:
                return token.text
        return None

    def _sum(self) -> Fraction:
        value = self._product()
        while (sign := self._next("+", "-")) is not None:
            self._at += 1
            other = self._product()
            value = _bounded(value + other if sign == "+" else value - other)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while True:
            sign = self._next("*", "/")
            spaced = sign is not None and not self._tokens[self._at].glued
            if sign is not None:
                self._at += 1
            elif self._at >= len(self._tokens) or self._tokens[self._at].kind not in {"number", "open", "fraction"}:
                return value
            other = self._signed()
            if sign == "/" and spaced and self._fractions_first and self._is_glued_division():
                self._at += 1
                other = _quotient(other, self._signed())
            value = _quotient(value, other) if sign == "/" else _bounded(value * other)

    def _is_glued_division(self) -> bool:
        if self._next("/") is None or self._at + 1 >= len(self._tokens):
            return False
        return self._tokens[self._at].glued and self._tokens[self._at + 1].glued

    def _signed(self) -> Fraction:
        negative = False
        while (sign := self._next("+", "-")) is not None:
            self._at += 1
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        bases = [self._postfixed()]
        signs: list[bool] = []
        while self._next("^") is not None:  # a loop, so that a tower of powers needs no stack
            self._at += 1
            negative = False
            while (sign := self._next("+", "-")) is not None:
                self._at += 1
                negative ^= sign == "-"
            signs.append(negative)
            bases.append(self._postfixed())
        value = bases.pop()
        while bases:
            value = _raised(bases.pop(), -value if signs.pop() else value)
        return value

    def _postfixed(self) -> Fraction:
        value = self._primary()
        while (sign := self._next("%", "!")) is not None:
            self._at += 1
            value = _bounded(value * self._percent) if sign == "%" else _factorial(value)
        return value

    def _primary(self) -> Fraction:
        if self._at >= len(self._tokens):
            raise Unvalued("not an expression")
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "number" and token.value is not None:
            number = _bounded(token.value)
            follows = self._tokens[self._at] if self._at < len(self._tokens) else None
            if self._fractions_first and follows is not None and follows.kind == "fraction" and token.decimals == 0:
                return _bounded(number + self._primary())
            return number
        if token.kind == "fraction":
            above = self._primary()
            return _quotient(above, self._primary())
        if token.kind != "open":
            raise Unvalued("not an expression")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unvalued(f"parentheses deeper than {_DEEPEST}")
        value = self._sum()
        self._depth -= 1
        if self._at >= len(self._tokens) or self._tokens[self._at].text != CLOSING[token.text]:
            raise Unvalued("not an expression")
        self._at += 1
        return value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise Unvalued("too large a number")
    return value


def _quotient(value: Fraction, by: Fraction) -> Fraction:
    if by == 0:
        raise Unvalued("division by zero")
    return _bounded(value / by)


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise Unvalued("a power that is no whole number")
    power = exponent.numerator
    if base == 0 and power <= 0:
        raise Unvalued("a power of zero")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) != 1 and base != 0 and (bits - 1 or 1) * abs(power) > _MOST_BITS:
        raise Unvalued("too large a number")
    if abs(base) == 1 or base == 0:
        return base if power % 2 else abs(base)
    return _bounded(base**power)


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value.numerator <= _LARGEST_FACTORIAL:
        raise Unvalued("the factorial of a number that is not whole, negative or too large")
    return Fraction(factorial(value.numerator))

"""Answers that are an interval of numbers, or a union of intervals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from time import monotonic
from typing import NamedTuple

from synth.verify.formulas import as_interval, formula
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number
from synth.verify.verdict import Label, Verdict

__all__ = ["Interval", "IntervalKind", "read_intervals"]

_LONGEST = 2000
_MOST_PARTS = 20
_UNION = re.compile(r"\s?(?:\\cup(?![a-zA-Z])|(?<![a-zA-Z])(?:U|or|union)(?![a-zA-Z])|\\text\s?\{\s?or\s?\})\s?")
_NAME = re.compile(r"\A\$?\s?\\?[a-zA-Z]\s?(?:\\in(?![a-z])|=|:)\s?")
_END = r"\s?([^,;()\[\]]{1,80}(?:\([^()]{0,60}\)[^,;()\[\]]{0,60})?)\s?"
_PART = re.compile(rf"([(\[\]]){_END}[,;]{_END}([)\]\[])")
_POINT = re.compile(r"\\?\{\s?([^,;{}]{1,80}?)\s?\\?\}")
_INFINITE = re.compile(r"([-+]?)\s?\{?\s?([-+]?)\s?(?:\\infty|inf|infinity|infty|oo)\s?\}?", re.IGNORECASE)
_ALL = re.compile(r"(?i)\\mathbb\s?\{?\s?R\s?\}?|R|all\sreal\snumbers|(?:the\s)?reals?")
_NONE = re.compile(r"(?i)\\emptyset|\\?\{\s?\\?\}|(?:the\s)?empty\sset")

Bound = Fraction | float | str
"""A number, an infinity, or an expression as it is written."""


class Interval(NamedTuple):
    """All numbers between two bounds."""

    low: Bound
    low_in: bool
    """Whether the lower bound belongs to it."""
    high: Bound
    high_in: bool


class IntervalKind(Kind):
    """An interval with open or closed ends, infinite ones too, or a union of such; also as inequalities of one unknown. Bounds that are numbers are
    compared as numbers, others as expressions.
    """

    name = "interval"
    inferred = False
    slow = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        plain = self.statement(said)
        found = read_intervals(plain) if plain else None
        return None if found is None else _written(found)

    def contradict(self, one: str, other: str) -> bool:
        return self.compare(one, other, Comparison()).label == "wrong"

    def same(self, one: str, other: str) -> bool:
        return self.compare(one, other, Comparison()).label == "right"

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        said, meant = read_intervals(found), read_intervals(gold)
        if meant is None:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is no interval")
        if said is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is no interval")
        if [_ends(part) for part in said] != [_ends(part) for part in meant]:
            return self.decide(False, found, gold)
        pairs = [pair for a, b in zip(said, meant, strict=True) for pair in ((a.low, b.low), (a.high, b.high))]
        end = monotonic() + by.timeout
        for one, other in pairs:
            if (label := _same_bound(one, other, by.tolerance, end)) != "right":
                return self.verdict(label, found, gold, f"{_shown(one)} ≠ {_shown(other)}")
        return self.decide(True, found, gold)

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return "it is no interval: write [0, 1) or (-∞, 2] ∪ (5, ∞)" if read_intervals(gold) is None else None

    def canonical(self, gold: str) -> str:
        found = read_intervals(gold)
        return gold if found is None else _written(found)


def _ends(part: Interval) -> tuple[object, ...]:
    """What two equal intervals have in common beside the values of their bounds."""
    infinite = [one if isinstance(one, float) else None for one in (part.low, part.high)]
    return part.low_in, part.high_in, *infinite


def _same_bound(one: Bound, other: Bound, tolerance: float | None, end: float) -> Label:
    if one == other:
        return "right"
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        near = tolerance is not None and abs(one - other) <= abs(other) * Fraction(str(tolerance))
        return "right" if near else "wrong"
    from synth.verify.mathematics import equivalent

    left = end - monotonic()
    label = equivalent(_shown(one), _shown(other), left) if left > 0 else "timeout"
    return "wrong" if label == "unparsed" else label


def read_intervals(said: str) -> tuple[Interval, ...] | None:
    """The intervals of an answer in order, those that meet joined into one; none for an empty set. None where it is no interval."""
    if len(said) > _LONGEST:
        return None
    text = _NAME.sub("", formula(said.strip().strip("$").strip())).strip(" .$")
    if _NONE.fullmatch(text) is not None:
        return ()
    if _ALL.fullmatch(text) is not None:
        return (Interval(float("-inf"), False, float("inf"), False),)
    text = as_interval(text) or text
    parts = _UNION.split(text)
    if len(parts) > _MOST_PARTS:
        return None
    found = [_part(part.strip()) for part in parts]
    read = [part for part in found if part is not None]
    return None if len(read) < len(found) else _united(read)


def _part(text: str) -> Interval | None:
    if (point := _POINT.fullmatch(text)) is not None:
        bound = _bound(point[1])
        return None if isinstance(bound, float) else Interval(bound, True, bound, True)
    match = _PART.fullmatch(text)
    if match is None:
        inequality = as_interval(text)
        match = None if inequality is None else _PART.fullmatch(inequality)
    if match is None:
        return None
    low, high = _bound(match[2]), _bound(match[3])
    low_in, high_in = match[1] == "[" and not isinstance(low, float), match[4] == "]" and not isinstance(high, float)
    if low == float("inf") or high == float("-inf"):
        return None
    if (
        not isinstance(low, str)
        and not isinstance(high, str)
        and (low > high or (low == high and not (low_in and high_in)))
    ):
        return None
    return Interval(low, low_in, high, high_in)


def _bound(text: str) -> Bound:
    text = text.strip()
    if (infinite := _INFINITE.fullmatch(text)) is not None:
        return float("-inf") if "-" in infinite[1] + infinite[2] else float("inf")
    number = read_number(unwrap(text)) if is_number(text) or is_number(unwrap(text)) else None
    return text if number is None else number


def _united(parts: list[Interval]) -> tuple[Interval, ...] | None:
    """The parts in order and joined where they meet, if all their bounds are numbers; else as they stand. None where two of them overlap: they
    are several answers rather than the parts of one.
    """
    if any(isinstance(bound, str) for part in parts for bound in (part.low, part.high)):
        return tuple(parts)
    joined: list[Interval] = []
    for part in sorted(parts, key=lambda p: (p.low, not p.low_in)):
        last = joined[-1] if joined else None
        if last is None or last.high < part.low or (last.high == part.low and not (last.high_in or part.low_in)):  # type: ignore[operator]
            joined.append(part)
        elif last.high == part.low and not (last.high_in and part.low_in):
            joined[-1] = Interval(last.low, last.low_in, part.high, part.high_in)
        else:
            return None
    return tuple(joined)


def _written(parts: Sequence[Interval]) -> str:
    if not parts:
        return "∅"
    return " ∪ ".join(
        f"{'[' if p.low_in else '('}{_shown(p.low)}, {_shown(p.high)}{']' if p.high_in else ')'}" for p in parts
    )


def _shown(bound: Bound) -> str:
    if isinstance(bound, float):
        return "-∞" if bound < 0 else "∞"
    if isinstance(bound, str):
        return bound
    return str(_decimal(bound))


def _decimal(value: Fraction) -> object:
    """A fraction as a short decimal where it is one."""
    scaled = value * 10**6
    return value if scaled.denominator != 1 or value.denominator == 1 else f"{float(value):.6f}".rstrip("0")

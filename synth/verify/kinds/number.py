"""Answers that are one number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.numbers import find_numbers, is_number, last_number, read_number, read_scaled
from synth.verify.text import same_text
from synth.verify.verdict import Verdict

__all__ = ["HIGH", "LOW", "NumberKind", "smooth"]

LOW, HIGH = 0.05, 0.2
"""Relative errors up to which a number has the grade 1, and from which on it has 0 (arXiv:2503.20752)."""

_NUMERIC = re.compile(
    r"\d|\\[a-z]*frac|\\sqrt|\\pi\b|[π√½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six"
    r"|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|dozen|half)\b",
    re.IGNORECASE,
)
_SHORT_REPLY = 8
"""Words of a reply that is nothing but an answer, at most."""


def smooth(found: Fraction, gold: Fraction, low: float = LOW, high: float = HIGH) -> float:
    """How near a number is to the gold one, in [0, 1]: half a period of a cosine between two relative errors (arXiv:2503.20752).

    Where the gold number is 0 there is no relative error, and the absolute one stands for it.

    Args:
        found: the number.
        gold: the gold number.
        low: the error up to which the grade is 1.
        high: the error from which on it is 0; above `low`.
    """
    error = abs(found - gold) / (abs(gold) or 1)
    if error <= Fraction(str(low)):
        return 1.0
    if error >= Fraction(str(high)):
        return 0.0
    return 0.5 * (math.cos(math.pi * (float(error) - low) / (high - low)) + 1)


class NumberKind(Kind):
    """A number, exact or within a tolerance; a wrong one is graded by its relative error."""

    name = "number"
    version = 2
    short = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        plain = self.statement(said)
        # An expression is an answer too, though not one that is compared as a number.
        return plain if plain is not None and _NUMERIC.search(plain) else None

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        # A line that is all of the reply is read as a whole: of "x > 10" it is not the 10.
        line = text.strip()
        alone = "\n" not in line and len(line.split()) <= _SHORT_REPLY
        return None if alone and read_number(line) is None else last_number(text)

    def candidates(self, text: str, choices: Sequence[str]) -> list[str]:  # noqa: ARG002
        return [n for _, n in find_numbers(text)]

    def same(self, one: str, other: str) -> bool:
        a = read_number(one)
        return a is not None and a == read_number(other)

    def is_all_of(self, whole: str, answer: str, choices: Sequence[str]) -> bool:
        return super().is_all_of(whole, answer, choices) or is_number(whole)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        a, b = read_number(found), read_number(gold)
        if b is None:
            # `5:30` is no number, yet it is what it is.
            if (re.search(r"\d", gold) and same_text(found, gold)) or (a is not None and a == read_scaled(gold)[0]):
                return self.decide(True, found, gold)
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is not one number")
        if a is None:
            if b == read_scaled(found)[0]:
                return self.decide(True, found, gold)
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is not one number")
        if a == b or (by.tolerance is not None and abs(a - b) <= abs(b) * Fraction(str(by.tolerance))):
            return self.decide(True, found, gold)
        if b == read_scaled(found)[1] or a == read_scaled(gold)[1]:
            return self.verdict("unparsed", found, gold, f"{found[:60]} and {gold[:60]}: in which unit?")
        return self.decide(False, found, gold, partial=smooth(a, b))

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return None if re.search(r"\d", gold) or read_number(gold) is not None else "it is not a number"

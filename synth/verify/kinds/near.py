"""Whether two values are the same, or numbers within a tolerance."""

from __future__ import annotations

from fractions import Fraction

from synth.verify.items import Value, key
from synth.verify.numbers import read_number

__all__ = ["near", "number_of"]


def number_of(value: Value) -> Fraction | None:
    """The number that a value is or states."""
    return read_number(value) if isinstance(value, str) else None


def near(found: Value, gold: Value, tolerance: float | None) -> bool:
    """Whether a value is the gold one; numbers within a relative error, also in lists within lists."""
    if key(found) == key(gold):
        return True
    if tolerance is None:
        return False
    if isinstance(found, list) and isinstance(gold, list):
        return len(found) == len(gold) and all(near(a, b, tolerance) for a, b in zip(found, gold, strict=True))
    a, b = number_of(found), number_of(gold)
    return a is not None and b is not None and abs(a - b) <= abs(b) * Fraction(str(tolerance))

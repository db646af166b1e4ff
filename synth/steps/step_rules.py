"""The rules by which values of steps become labels: pure arithmetic over lists, without records."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal, NamedTuple

__all__ = ["CLOSE", "Band", "Found", "Label", "Value", "above", "agreement", "gain", "ratio", "relative"]

Label = Literal["right", "wrong", "unsure"]

CLOSE = 1e-9
"""Shares are compared with this tolerance: 0.24 is 0.8 of 0.3, which floating point does not see."""


class Value(NamedTuple):
    """A value of a step, with the interval in which its true value lies; both ends are the value where no interval is known."""

    value: float
    low: float
    high: float
    samples: int | None = None
    """How many samples it rests on, where that is known."""

    @classmethod
    def exact(cls, value: float) -> Value:
        """A value without an interval."""
        return cls(value, value, value)

    def __str__(self) -> str:
        if self.samples is None:
            return f"{self.value:.3g}" + ("" if self.low == self.high else f" ({self.low:.2f} to {self.high:.2f})")
        between = "" if self.low == self.high else f", {self.low:.2f} to {self.high:.2f}"
        return f"{self.value:.2f} ({self.samples} sample{'' if self.samples == 1 else 's'}{between})"


class Found(NamedTuple):
    """What a rule says of a step."""

    label: Label
    number: float | None
    """What was compared; None where there was nothing to compare."""
    reason: str


class Band(NamedTuple):
    """Numbers from `low` to `high` are unsure; by default none are."""

    low: float = inf
    high: float = -inf

    def label(self, number: float, threshold: float, low: float, high: float, *, at_least: bool = False) -> Label:
        """Where a number lies.

        Args:
            number: the number.
            threshold: what it is compared with.
            low: the least that it may truly be.
            high: the most that it may truly be.
            at_least: whether the threshold itself is right.
        """
        if self.low - CLOSE <= number <= self.high + CLOSE:
            return "unsure"
        if low > threshold + CLOSE or (at_least and low >= threshold - CLOSE):
            return "right"
        if high < threshold - CLOSE or (not at_least and high <= threshold + CLOSE):
            return "wrong"
        return "unsure"


def above(values: Sequence[Value | None], threshold: float, band: Band, name: str) -> list[Found]:
    """A step is right whose value is above a threshold; 0 is the hard estimate of Math-Shepherd, arXiv:2312.08935."""
    found = []
    for value in values:
        if value is None:
            found.append(_missing(name))
            continue
        label = band.label(value.value, threshold, value.low, value.high)
        found.append(Found(label, value.value, f"{name} is {value}, to be above {threshold:g}"))
    return found


def ratio(
    values: Sequence[Value | None],
    threshold: float,
    band: Band,
    name: str,
    *,
    start: float | None = None,
    after_zero: Literal["wrong", "unsure", "above"] = "wrong",
) -> list[Found]:
    """A step is right that keeps at least this share of the value before it (relative progress, GenPRM, arXiv:2504.00891).

    Args:
        values: of the steps.
        threshold: the share, above 0.
        band: shares that are unsure.
        name: of the score.
        start: the value before the first step; without it the first step is right where its value is above 0.
        after_zero: what a step is that follows a value of 0: `wrong`, with all steps after it, whose values count as 0 (arXiv:2504.00891);
            `unsure`; or right where its own value is above 0 (`above`).
    """
    found: list[Found] = []
    before: Value | None = None if start is None else Value.exact(start)
    dead = False
    for index, value in enumerate(values):
        if value is None:
            found.append(_missing(name))
        elif dead:
            found.append(Found("wrong", 0.0, f"{name} was 0 before, and what follows counts as 0"))
        elif before is None and index > 0:
            found.append(Found("unsure", None, f"{name} of the step before is missing"))
        elif before is None:
            (one,) = above([value], 0, Band(), name)
            found.append(one._replace(number=None, reason=f"{one.reason} as the first step"))
        elif before.value == 0:
            dead = after_zero == "wrong"
            label: Label = after_zero if after_zero != "above" else "right" if value.value > 0 else "wrong"
            found.append(Found(label, 0.0 if dead else None, f"{name} is {value} after 0, which is {label}"))
        else:
            share = value.value / before.value
            least = value.low / before.high
            most = value.high / before.low if before.low > 0 else inf
            label = "wrong" if value.high == 0 else band.label(share, threshold, least, most, at_least=True)
            reason = f"{name} is {value}, {share:.3g} of {before} before it, to be {threshold:g} or more"
            found.append(Found(label, share, reason))
        before = value
    return found


def gain(
    values: Sequence[Value | None],
    threshold: float,
    band: Band,
    name: str,
    *,
    start: float | None = None,
    alpha: float = 1.0,
    best_of: int = 4,
) -> list[Found]:
    """A step is right whose value, with what it gains for the best of several attempts, is above a threshold.

    The number is `q + alpha * (f(q) - f(p))` with the value `q`, the value `p` before the step, and `f(q) = 1 - (1 - q) ** best_of`: the
    effective reward of arXiv:2410.08146, by which StepWiser labels steps (arXiv:2508.19229). Without a value before the first step, that
    step gains nothing.

    Args:
        values: of the steps, 0 to 1.
        threshold: what the number is to be above.
        band: numbers that are unsure.
        name: of the score.
        start: the value before the first step.
        alpha: the weight of the gain.
        best_of: of how many attempts the best counts.
    """

    def number(q: float, p: float | None) -> float:
        return q if p is None else q + alpha * ((1 - p) ** best_of - (1 - q) ** best_of)

    found: list[Found] = []
    before: Value | None = None if start is None else Value.exact(start)
    for index, value in enumerate(values):
        if value is None:
            found.append(_missing(name))
        elif before is None and index > 0:
            found.append(Found("unsure", None, f"{name} of the step before is missing"))
        else:
            ends = (None, None, None) if before is None else (before.value, before.high, before.low)
            here = number(value.value, ends[0])
            label = band.label(here, threshold, number(value.low, ends[1]), number(value.high, ends[2]))
            after = "" if before is None else f" after {before}"
            found.append(Found(label, here, f"{name} is {value}{after}: {here:.3g}, to be above {threshold:g}"))
        before = value
    return found


def relative(value: float, siblings: Sequence[float], *, scaled: bool = False) -> float | None:
    """A value less the mean of its siblings and itself, so that all of them together are 0; None without a sibling.

    Args:
        value: of the step.
        siblings: the values of all of its siblings, its own among them.
        scaled: whether it is divided by their standard deviation (of a population); equal ones are 0.
    """
    if len(siblings) < 2:
        return None
    difference = value - statistics.fmean(siblings)
    if scaled:
        deviation = statistics.pstdev(siblings)
        difference = 0.0 if deviation < CLOSE else difference / deviation
    return 0.0 if abs(difference) < CLOSE else difference


def agreement(said: Mapping[str, float | None]) -> tuple[Label, bool, str]:
    """What several scores say of one step, from 0.5 on right and below it wrong.

    Args:
        said: the value of each score by name.

    Returns:
        The label, whether two of them contradict each other, and the reason.
    """
    words = {name: None if v is None else v >= 0.5 for name, v in said.items()}
    reason = ", ".join(f"{name} {'unknown' if w is None else 'right' if w else 'wrong'}" for name, w in words.items())
    known = {w for w in words.values() if w is not None}
    if len(known) == 2:
        return "unsure", True, reason
    if None in words.values() or not known:
        return "unsure", False, reason
    return ("right" if known.pop() else "wrong"), False, reason


def _missing(name: str) -> Found:
    return Found("unsure", None, f"{name} is missing")

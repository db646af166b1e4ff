"""Filters that make one number, or as many as there were, out of a list of numbers: `scores | mean`.

A list without numbers has no mean: the result is None. A None among the numbers is an error of type, so that an expression that
meets a score that is not there has no value, as everywhere (`Expression.value`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from synth.measures.shaping import weibull
from synth.prompts.values import MOST_BITS, charged, listed
from synth.prompts.work import Refused

__all__ = ["FIGURES"]


def _numbers(values: Any) -> list[float]:
    """The items as floats."""
    if isinstance(values, (str, dict)):
        raise TypeError(f"a list of numbers is needed, not a {type(values).__name__}")
    found = []
    for value in listed(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            if not isinstance(value, bool):
                raise TypeError(f"a list of numbers is needed, and one of its items is a {type(value).__name__}")
        elif isinstance(value, int) and value.bit_length() > _WHOLE_BITS:
            raise Refused("a number is too large")
        number = float(value)
        if not math.isfinite(number):
            raise Refused("a number is too large")
        found.append(number)
    return found


_WHOLE_BITS = min(MOST_BITS, 1000)
"""Of a whole number that is also a float; beyond 1,023 Python refuses."""


def _figure(make: Callable[[list[float]], float | None]) -> Callable[[Any], float | None]:
    def figure(values: Any) -> float | None:
        numbers = _numbers(values)
        return make(numbers) if numbers else None

    figure.__doc__ = make.__doc__
    return figure


def _stdev(numbers: list[float]) -> float:
    """The standard deviation of all of a population, such as of the scores of a group."""
    return statistics.pstdev(numbers)


def _geomean(numbers: list[float]) -> float | None:
    """The geometric mean; 0 where one number is 0, None where one is below it."""
    if min(numbers) < 0:
        return None
    return 0.0 if min(numbers) == 0 else math.exp(statistics.fmean(map(math.log, numbers)))


def _log_sum(values: Any, floor: float = 1e-6) -> float | None:
    """The sum of the natural logarithms: a product of many shares that does not vanish; what is below `floor` counts as `floor`."""
    numbers = _numbers(values)
    if floor <= 0:
        raise Refused("log_sum has a floor above 0")
    return math.fsum(math.log(max(n, floor)) for n in numbers) if numbers else None


def _discounted(values: Any, factor: float = 0.9) -> float | None:
    """The sum in which each number counts `factor` times as much as the one before it, as the return of rewards by step."""
    numbers = _numbers(values)
    if not 0 <= factor <= 1:
        raise Refused("discounted has a factor from 0 to 1")
    return math.fsum(n * factor**i for i, n in enumerate(numbers)) if numbers else None


def _entropy(numbers: list[float]) -> float | None:
    """Of the shares of the numbers in their sum, in nats; None where one is below 0 or all are 0."""
    total = math.fsum(numbers)
    if min(numbers) < 0 or total <= 0:
        return None
    return -math.fsum(n / total * math.log(n / total) for n in numbers if n > 0)


def _softmax(values: Any, temperature: float = 1.0) -> list[float]:
    """Each number's weight, all together 1."""
    numbers = _numbers(values)
    if temperature <= 0:
        raise Refused("softmax has a temperature above 0")
    top = max(numbers, default=0.0)
    weights = [math.exp((n - top) / temperature) for n in numbers]
    total = math.fsum(weights)
    made: list[float] = charged([w / total for w in weights])
    return made


def _rank(value: Any, group: Any) -> int | None:
    """The place of a number among those of its group, from 1 for the largest; equal numbers share the better place."""
    numbers = _numbers(group)
    return None if value is None else 1 + sum(n > float(value) for n in numbers)


def _z(value: Any, group: Any) -> float | None:
    """By how many standard deviations a number lies above the mean of its group; 0 where all are equal, None of an empty group."""
    numbers = _numbers(group)
    if value is None or not numbers:
        return None
    deviation = statistics.pstdev(numbers)
    return 0.0 if deviation == 0 else (float(value) - statistics.fmean(numbers)) / deviation


def _weibull(value: Any, mode: float, k: float = 1.5) -> float | None:
    """Of a number of steps, a factor from 0 to 1 that is 1 at `mode` (arXiv:2411.11681)."""
    try:
        return None if value is None else weibull(float(value), float(mode), float(k))
    except ValueError as error:
        raise Refused(str(error)) from error


def _known(values: Any) -> list[Any]:
    """The items that are not None."""
    kept: Sequence[Any] = [value for value in listed(values) if value is not None]
    made: list[Any] = charged(list(kept))
    return made


FIGURES: dict[str, Callable[..., Any]] = {
    "discounted": _discounted,
    "entropy": _figure(_entropy),
    "geomean": _figure(_geomean),
    "known": _known,
    "log_sum": _log_sum,
    "mean": _figure(statistics.fmean),
    "median": _figure(statistics.median),
    "product": _figure(math.prod),
    "rank": _rank,
    "softmax": _softmax,
    "stdev": _figure(_stdev),
    "weibull": _weibull,
    "z": _z,
}
"""By name."""

"""Whether the first wrong step of a solution is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["NO_ERROR", "FirstError", "first_error", "first_wrong_step"]

NO_ERROR = -1
"""In the place of an index: no step is wrong."""


class FirstError(NamedTuple):
    """How well the first wrong step is found. Shares are None where there is nothing to take a share of."""

    erroneous: int
    """Solutions with a wrong step."""
    correct: int
    """Solutions without one."""
    on_erroneous: float | None
    """Of those with a wrong step, the share whose first wrong step is named exactly: the recall of \"first wrong step\"."""
    on_correct: float | None
    """Of those without one, the share of which it is said that no step is wrong."""
    f1: float | None
    """The harmonic mean of both, by which ProcessBench ranks; None where one of them is."""
    precision: float | None
    """Of the first wrong steps that are named, the share that is one."""
    step_f1: float | None
    """The harmonic mean of precision and recall of \"first wrong step\"."""
    chance_on_erroneous: float | None
    """`on_erroneous` of who names one of the steps, or none, each with the same chance; None where numbers of steps are not known."""
    chance_on_correct: float | None
    """`on_correct` of the same."""
    chance_f1: float | None
    """`f1` of the same."""


def first_wrong_step(labels: Sequence[float | None]) -> int | None:
    """The index of the first wrong step by its labels, from 0; `NO_ERROR` where all are right.

    Args:
        labels: of the steps in order: right from 0.5 on, as exports have it, wrong below, None not known.

    Returns:
        None where it is not known: a label is missing before the first wrong step, or there are no steps.
    """
    for index, label in enumerate(labels):
        if label is None:
            return None
        if label < 0.5:
            return index
    return NO_ERROR if labels else None


def first_error(
    predicted: Sequence[int | None], gold: Sequence[int], steps: Sequence[int] | None = None
) -> FirstError | None:
    """Predicted first wrong steps against those that people marked, as in ProcessBench.

    Args:
        predicted: for each solution the index of its first wrong step, from 0; `NO_ERROR` (-1) for none; None where there is no verdict,
            which is never right.
        gold: the same by people.
        steps: how many steps each solution has; needed for chance alone.

    None where there are no solutions. Source: Zheng et al., 2024, ProcessBench, arXiv:2412.06559.

    Raises:
        ValueError: the lists are of different lengths, an index is below -1, or a solution has no such step.
    """
    cases = list(zip(predicted, gold, steps if steps is not None else [None] * len(gold), strict=True))
    for said, marked, count in cases:
        if marked < NO_ERROR or (said is not None and said < NO_ERROR):
            raise ValueError("the index of a step is counted from 0; -1 says that none is wrong")
        if count is not None and marked >= count:
            raise ValueError(f"step {marked} is marked (counted from 0), and the solution has {count}")
    if not cases:
        return None
    wrong = [case for case in cases if case[1] != NO_ERROR]
    right = [case for case in cases if case[1] == NO_ERROR]
    on_erroneous = _mean([said == marked for said, marked, _ in wrong])
    on_correct = _mean([said == NO_ERROR for said, _, _ in right])
    precision = _mean([said == marked for said, marked, _ in cases if said is not None and said != NO_ERROR])
    by_chance = [_mean([1 / (count + 1) for *_, count in some if count is not None]) for some in (wrong, right)]
    return FirstError(
        erroneous=len(wrong),
        correct=len(right),
        on_erroneous=on_erroneous,
        on_correct=on_correct,
        f1=_harmonic(on_erroneous, on_correct),
        precision=precision,
        step_f1=_harmonic(precision, on_erroneous),
        chance_on_erroneous=by_chance[0],
        chance_on_correct=by_chance[1],
        chance_f1=_harmonic(*by_chance),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _harmonic(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0

"""What an evaluation may cost: steps are counted, and where there are too many it ends.

Steps, not seconds: the same template ends at the same place on every machine, in every thread, and no signal is needed.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

__all__ = [
    "LETTERS_A_STEP",
    "MOST_STEPS",
    "Refused",
    "TooMuchWork",
    "begin",
    "end",
    "look_through",
    "spend",
    "steps_left",
]

MOST_STEPS = 2_000_000
"""Steps of one evaluation: about 0.2 s of loops, or 32 million characters (8 million tokens) of text that is made."""

LETTERS_A_STEP = 16
"""Characters that are made, searched or compared in a step, which is about as long as one node of a loop takes."""


class Refused(Exception):
    """What a template or an expression asks for is not on offer; the message says what, in words."""


class TooMuchWork(Refused):
    """The steps of this evaluation are used up."""

    def __init__(self) -> None:
        super().__init__(f"it takes more than {MOST_STEPS:,} steps: too many repetitions, or too much text")


_left: ContextVar[list[int]] = ContextVar("steps left")
"""The steps that are left, alone in a list: evaluations in other threads have their own, and to count is to change a number."""


def begin() -> Token[list[int]]:
    """Begin an evaluation with all its steps; give `end` what this returns."""
    return _left.set([MOST_STEPS])


def end(begun: Token[list[int]]) -> None:
    """End an evaluation."""
    _left.reset(begun)


def spend(steps: int) -> None:
    """Count steps before they are taken.

    Raises:
        TooMuchWork: there are not so many left.
    """
    left = _left.get()
    left[0] -= steps
    if left[0] < 0:
        raise TooMuchWork


def steps_left() -> int:
    """Steps that may still be taken."""
    return _left.get()[0]


def look_through(records: int) -> None:
    """Count a step for each record that is looked through to make a variable; outside of an evaluation nothing is counted.

    Raises:
        TooMuchWork: there are not so many steps left.
    """
    if _left.get(None) is not None:
        spend(records)

"""Binary search."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from synth.algorithms.algorithm import Algorithm, Edit, Instance, Trace
from synth.algorithms.form import NUMBER, Form, one_of
from synth.records import AnswerKind

__all__ = ["BinarySearch", "Sorted"]


class Sorted(Instance):
    """Ascending numbers, and one that is looked for."""

    numbers: Annotated[tuple[Annotated[int, Field(ge=-(10**9), le=10**9)], ...], Field(min_length=1, max_length=2_000)]
    """All different, in ascending order."""
    target: Annotated[int, Field(ge=-(10**9), le=10**9)]
    """What is looked for; it may not be there."""

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if any(a >= b for a, b in pairwise(self.numbers)):
            raise ValueError("the numbers do not ascend")
        return self


class Halved(NamedTuple):
    """After the number in the middle was looked at."""

    low: int
    high: int
    middle: int
    number: int
    sign: Literal["less than", "greater than", "equal to"]


class BinarySearch(Algorithm[Sorted, Halved]):
    """Binary search; of two middles the lower one."""

    name: ClassVar[str] = "binary search"
    instance: ClassVar[type[Instance]] = Sorted
    kind: ClassVar[AnswerKind] = "number"
    form: ClassVar[Form[Halved]] = Form(
        Halved, "Places {low} to {high}: place {middle} holds {number}, {sign} the target.", low=NUMBER, high=NUMBER, middle=NUMBER,
        number=NUMBER, sign=one_of("less than", "greater than", "equal to"),
    )  # fmt: skip

    def place(self, state: Halved) -> int:
        """The place that is looked at."""
        return state.middle

    def ask(self, given: Sorted) -> str:
        """The place of the target."""
        return (
            f"Find {given.target} by binary search among these numbers: {', '.join(map(str, given.numbers))}. "
            "At which place is it, counted from 1? If it is not there, the answer is 0."
        )

    def first(self, given: Sorted) -> Halved:
        """Nothing was looked at: as if the number before the first were too small."""
        return Halved(1, len(given.numbers), 0, 0, "less than")

    def next(self, given: Sorted, state: Halved) -> Halved | None:
        """Looks at the middle of the half that is left."""
        low, high = state.low, state.high
        if state.sign == "less than":
            low = state.middle + 1
        elif state.sign == "greater than":
            high = state.middle - 1
        if state.sign == "equal to" or not 1 <= low <= high <= len(given.numbers):
            return None
        middle = (low + high) // 2
        number = given.numbers[middle - 1]
        sign: Literal["less than", "greater than", "equal to"] = "equal to"
        if number != given.target:
            sign = "less than" if number < given.target else "greater than"
        return Halved(low, high, middle, number, sign)

    def answer(self, given: Sorted, last: Halved) -> str:  # noqa: ARG002
        """The place, or 0."""
        return str(last.middle if last.sign == "equal to" else 0)

    def vary(self, given: Sorted, trace: Trace[Halved], done: int, read: Edit, random: Random) -> Sorted | None:
        """Another number in the middle that the step looks at; else another one where no step up to it looks."""
        if read:
            places = [trace[done].middle]
        else:
            looked_at = {state.middle for state in trace[: done + 1]}
            places = [place for place in range(1, len(given.numbers) + 1) if place not in looked_at]
        if not places:
            return None
        place = random.choice(places)
        numbers = given.numbers
        low = numbers[place - 2] + 1 if place > 1 else numbers[0] - 9
        high = numbers[place] - 1 if place < len(numbers) else numbers[-1] + 9
        number = random.randint(low, high)
        if number == numbers[place - 1]:
            return None
        return given.model_copy(update={"numbers": (*numbers[: place - 1], number, *numbers[place:])})

"""Sorting, with the trace of the algorithm."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, ClassVar, Literal

from synth.algorithms import Algorithm, BubbleSort, InsertionSort, MergeSort, Unsorted
from synth.generators.generator import At, NotUnique, Range, Twin, Values, within
from synth.generators.traced import Traced

__all__ = ["SortProblems"]

_METHODS: dict[str, Algorithm[Unsorted, Any]] = {
    "insertion": InsertionSort(),
    "bubble": BubbleSort(),
    "merge": MergeSort(),
}


class SortProblems(Traced):
    """Sort numbers by a given algorithm.

    The difficulty is the number of steps: of insertion sort one a number, of bubble sort one a comparison, of merge sort one a merge.
    """

    name: ClassVar[str] = "sort"
    method: Literal["insertion", "bubble", "merge"] = "insertion"
    """By which algorithm."""
    numbers: Annotated[Range, within(2, 200)] = Values(6, 6)
    """How many numbers there are."""
    most: Annotated[Range, within(1, 1_000_000)] = Values(99, 99)
    """The greatest number there may be; the least is 0. Numbers may be equal."""

    def draw(self, random: Random, at: At) -> tuple[Algorithm[Unsorted, Any], Unsorted]:
        """Random numbers."""
        numbers = tuple(random.randint(0, at["most"]) for _ in range(at["numbers"]))
        return _METHODS[self.method], Unsorted(numbers=numbers)

    def edit(self, algorithm: Algorithm[Any, Any], given: Unsorted, kind: Twin, random: Random) -> Unsorted:  # noqa: ARG002
        """Two numbers change places, or one becomes another."""
        numbers = list(given.numbers)
        i, j = random.sample(range(len(numbers)), 2)
        if kind == "same":
            if numbers[i] == numbers[j]:
                raise NotUnique
            numbers[i], numbers[j] = numbers[j], numbers[i]
        else:
            numbers[i] = random.randint(0, max(numbers) + 1)
        return Unsorted(numbers=tuple(numbers))

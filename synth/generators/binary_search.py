"""Binary search."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import Annotated, ClassVar

from synth.algorithms import BinarySearch, Sorted
from synth.generators.generator import At, Range, Values, within
from synth.generators.traced import Traced

__all__ = ["BinarySearchProblems"]


class BinarySearchProblems(Traced):
    """Find a number in a sorted list by binary search.

    The difficulty is the number of steps, one a number looked at. In a quarter of the problems the number is not there.
    """

    name: ClassVar[str] = "binary_search"
    numbers: Annotated[Range, within(1, 1000)] = Values(15, 15)
    """How many numbers there are."""

    def draw(self, random: Random, at: At) -> tuple[BinarySearch, Sorted]:
        """Numbers that are 2 to 9 apart."""
        numbers = tuple(accumulate(random.randint(2, 9) for _ in range(at["numbers"])))
        target = random.choice(numbers) - (random.random() < 0.25)
        return BinarySearch(), Sorted(numbers=numbers, target=target)

"""Compositions of swaps."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar

from synth.algorithms import Permutation, Swaps
from synth.generators.generator import At, Range, Values, within
from synth.generators.traced import Traced

__all__ = ["PermutationProblems"]


class PermutationProblems(Traced):
    """Follow balls that change places: which ball lies at a place in the end.

    The difficulty is the number of steps, one a swap.
    """

    name: ClassVar[str] = "permutation"
    balls: Annotated[Range, within(2, 50)] = Values(5, 5)
    """How many balls there are."""
    swaps: Annotated[Range, within(1, 200)] = Values(5, 5)
    """How many swaps there are."""

    def draw(self, random: Random, at: At) -> tuple[Permutation, Swaps]:
        """Random transpositions, and a random place."""
        size = at["balls"]
        pairs = (sorted(random.sample(range(1, size + 1), 2)) for _ in range(at["swaps"]))
        swaps = tuple((a, b) for a, b in pairs)
        return Permutation(), Swaps(size=size, swaps=swaps, place=random.randint(1, size))

"""The parity of bits, or a sum modulo another number."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar

from synth.algorithms import Numbers, Parity
from synth.generators.generator import At, Range, Values, within
from synth.generators.traced import Traced

__all__ = ["ParityProblems"]


class ParityProblems(Traced):
    """Add numbers modulo another one; of bits, modulo 2, that is their parity.

    The difficulty is the number of steps. Two wrong steps can cancel each other: a right answer does not mean right steps.
    """

    name: ClassVar[str] = "parity"
    length: Annotated[Range, within(1, 500)] = Values(8, 8)
    """How many numbers are added."""
    modulus: Annotated[Range, within(2, 1000)] = Values(2, 2)
    """2 for the parity of bits; of another one the numbers go up to one less."""

    def draw(self, random: Random, at: At) -> tuple[Parity, Numbers]:
        """Residues."""
        numbers = tuple(random.randrange(at["modulus"]) for _ in range(at["length"]))
        return Parity(), Numbers(modulus=at["modulus"], numbers=numbers)

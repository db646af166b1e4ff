"""Balanced brackets (Dyck languages)."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, ClassVar

from synth.algorithms import Algorithm, Brackets, Signs
from synth.algorithms.sequences import OPENING
from synth.generators.generator import At, Range, Twin, Values, within
from synth.generators.traced import Traced

__all__ = ["BracketProblems"]

_CLOSING = {opening: closing for closing, opening in OPENING.items()}


class BracketProblems(Traced):
    """Say whether brackets are balanced.

    The difficulty is the number of steps, one a bracket up to the first that is wrong. Half of the sequences are balanced; the others are balanced ones in
    which one bracket was replaced by another.
    """

    name: ClassVar[str] = "brackets"
    pairs: Annotated[Range, within(1, 250)] = Values(5, 5)
    """Half the length of the sequence."""
    kinds: Annotated[Range, within(1, 4)] = Values(3, 3)
    """How many kinds of brackets there are: the first of ( [ { <."""

    def draw(self, random: Random, at: At) -> tuple[Brackets, Signs]:
        """A balanced sequence, or one with a replaced bracket."""
        signs: list[str] = []
        stack: list[str] = []
        while len(signs) < 2 * at["pairs"]:
            left = 2 * at["pairs"] - len(signs)
            if not stack or (len(stack) < left and random.random() < 0.5):
                stack.append(random.choice("([{<"[: at["kinds"]]))
                signs.append(stack[-1])
            else:
                signs.append(_CLOSING[stack.pop()])
        if random.random() < 0.5:  # any other bracket in one place is wrong: the numbers of its kind no longer agree
            place = random.randrange(len(signs))
            known = [sign for opening in "([{<"[: at["kinds"]] for sign in (opening, _CLOSING[opening])]
            signs[place] = random.choice([sign for sign in known if sign != signs[place]])
        return Brackets(), Signs.model_validate({"signs": signs, "kinds": at["kinds"]})

    def edit(self, algorithm: Algorithm[Any, Any], given: Signs, kind: Twin, random: Random) -> Signs:  # noqa: ARG002
        """A pair is inserted, or one bracket replaced."""
        signs: list[str] = list(given.signs)
        place = random.randrange(len(signs))
        opening = random.choice("([{<"[: given.kinds])
        if kind == "same":
            signs[place:place] = [opening, _CLOSING[opening]]
        else:
            signs[place] = random.choice([opening, _CLOSING[opening]])
        return Signs.model_validate({"signs": signs, "kinds": given.kinds})

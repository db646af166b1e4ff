"""Chains of column arithmetic in any base."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from synth.algorithms import Algorithm, Calculation, Columns, in_base
from synth.generators.generator import At, Item, NotUnique, Range, Twin, Values, within
from synth.generators.traced import Traced

__all__ = ["ArithmeticProblems"]

_SIGNS = {"plus": "+", "plus-minus": "+-", "all": "+-*"}


class ArithmeticProblems(Traced):
    """Calculate a chain of sums, differences and products in a base from 2 to 36, digit by digit.

    The difficulty is the number of steps, one a column of an operation.
    """

    name: ClassVar[str] = "arithmetic"
    base: Annotated[Range, within(2, 36)] = Values(10, 10)
    """In which base; digits beyond 9 are the letters A to Z."""
    digits: Annotated[Range, within(1, 50)] = Values(3, 3)
    """Digits of each number; factors have one."""
    operations: Annotated[Range, within(1, 50)] = Values(2, 2)
    """How many operations the chain has."""
    signs: Literal["plus", "plus-minus", "all"] = "plus-minus"
    """Which operations there are: `+`, also `-`, also `*`. They are done from left to right, and no result is negative."""

    def draw(self, random: Random, at: At) -> tuple[Columns, Calculation]:
        """Random numbers of so many digits; what would make a result negative is added instead."""
        base, digits = at["base"], at["digits"]

        def number() -> int:
            return random.randrange(base ** (digits - 1) if digits > 1 else 0, base**digits)

        begin = value = number()
        operations = []
        for _ in range(at["operations"]):
            sign, second = random.choice(_SIGNS[self.signs]), number()
            if sign == "*":
                second = random.randint(min(2, base - 1), base - 1)
            elif sign == "-" and second > value:
                sign = "+"
            value = value + second if sign == "+" else value - second if sign == "-" else value * second
            operations.append((sign, in_base(second, base)))
        data = {"base": base, "begin": in_base(begin, base), "operations": operations}
        return Columns(), Calculation.model_validate(data)

    def edit(self, algorithm: Algorithm[Any, Any], given: Calculation, kind: Twin, random: Random) -> Calculation:
        """Two neighbouring operations of one sign change places, or a first addend and the number before it; or one number becomes another."""
        operations = list(given.operations)
        begin = given.begin
        place = random.randrange(len(operations))
        sign, number = operations[place]
        if kind == "changed":
            other = super().edit(algorithm, given, kind, random)
            if other is None:
                raise NotUnique
            assert isinstance(other, Calculation)
            return other
        if place == 0 and sign == "+":
            begin, operations[0] = number, (sign, begin)
        elif place and operations[place - 1][0] == sign:
            operations[place - 1 : place + 1] = operations[place], operations[place - 1]
        else:
            raise NotUnique
        return given.model_copy(update={"begin": begin, "operations": tuple(operations)})

    def _item(self, algorithm: Algorithm[Any, Any], given: Any) -> Item:
        item = super()._item(algorithm, given)
        return replace(item, answer_kind="number") if given.base == 10 else item

"""Column arithmetic in any base: chains of additions, subtractions and multiplications, digit by digit, with carries."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from synth.algorithms.algorithm import Algorithm, Edit, Instance, Trace
from synth.algorithms.form import NUMBER, WORD, Form, one_of
from synth.records import AnswerKind

__all__ = ["DIGITS", "Calculation", "Column", "Columns", "in_base"]

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""In all bases up to 36."""
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{1,200}$")]
Operator = Literal["+", "-", "*"]


def in_base(number: int, base: int) -> str:
    """A whole number that is not negative, in a base from 2 to 36."""
    digits = ""
    while True:
        number, digit = divmod(number, base)
        digits = DIGITS[digit] + digits
        if not number:
            return digits


class Calculation(Instance):
    """A number, and what is done with it in turn."""

    base: Annotated[int, Field(ge=2, le=36)]
    """Of all its numbers."""
    begin: Digits
    """The first number."""
    operations: Annotated[tuple[tuple[Operator, Digits], ...], Field(min_length=1, max_length=200)]
    """Sign and number; a factor has one digit. No result is negative."""

    @model_validator(mode="after")
    def _is_calculation(self) -> Self:
        for number in (self.begin, *(number for _, number in self.operations)):
            if any(digit not in DIGITS[: self.base] for digit in number) or (len(number) > 1 and number[0] == "0"):
                raise ValueError(f"{number} is no number in base {self.base}")
        if any(sign == "*" and len(number) > 1 for sign, number in self.operations):
            raise ValueError("a factor of more than one digit")
        if any(result < 0 for result in self.results()):
            raise ValueError("a result is negative")
        return self

    def results(self) -> list[int]:
        """The result of each operation, from left to right."""
        value = int(self.begin, self.base)
        results = []
        for sign, written in self.operations:
            number = int(written, self.base)
            value = value + number if sign == "+" else value - number if sign == "-" else value * number
            results.append(value)
        return results


class Column(NamedTuple):
    """After a column of an operation."""

    operation: int
    left: str
    """What the operation begins with."""
    column: int
    """From 1, at the right."""
    a: str
    sign: Operator
    b: str
    carry: str
    """From the column before; what is borrowed, where one subtracts."""
    digit: str
    out: str
    """Carried to the next column."""
    result: str
    """Digits so far."""


class Columns(Algorithm[Calculation, Column]):
    """Calculating on paper, from left to right: a column a step. A column beyond both numbers is taken where something is carried."""

    name: ClassVar[str] = "columns"
    instance: ClassVar[type[Instance]] = Calculation
    kind: ClassVar[AnswerKind] = "text"
    form: ClassVar[Form[Column]] = Form(
        Column,
        "Operation {operation} on {left}, column {column}: {a} {sign} {b} with {carry} carried gives {digit}, carry {out}; so far {result}.",
        operation=NUMBER, left=WORD, column=NUMBER, a=WORD, sign=one_of("+", "-", "*"), b=WORD, carry=WORD, digit=WORD, out=WORD, result=WORD,
    )  # fmt: skip

    def place(self, state: Column) -> tuple[int, int]:
        """The operation and its column."""
        return state.operation, state.column

    def ask(self, given: Calculation) -> str:
        """The chain from left to right."""
        chain = " ".join([given.begin, *(f"{sign} {number}" for sign, number in given.operations)])
        first = (
            "; calculate from left to right, whatever the signs"
            if len({sign for sign, _ in given.operations}) > 1
            else ""
        )
        return f"Calculate in base {given.base}{first}: {chain}. Give the result in base {given.base}."

    def first(self, given: Calculation) -> Column:
        """The first number is there."""
        return Column(0, "0", 1, "0", "+", "0", "0", "0", "0", given.begin)

    def next(self, given: Calculation, state: Column) -> Column | None:
        """The next column, of this operation or of the next one."""
        operation, left, column, carry, result = state.operation, state.left, state.column + 1, state.out, state.result
        if operation == 0 or column > self._width(given, operation, left, carry):
            operation, left, column, carry, result = operation + 1, result.lstrip("0") or "0", 1, "0", ""
        if not 1 <= operation <= len(given.operations) or column < 1:
            return None
        sign, right = given.operations[operation - 1]
        a = left[-column] if column <= len(left) else "0"
        b = right if sign == "*" else right[-column] if column <= len(right) else "0"
        if not set(a + b + carry) <= set(DIGITS[: given.base]) or len(carry) > 1:
            return None
        x, y, z = (DIGITS.index(digit) for digit in (a, b, carry))
        out, digit = divmod(x + y + z if sign == "+" else x * y + z if sign == "*" else x - y - z, given.base)
        return Column(
            operation, left, column, a, sign, b, carry, DIGITS[digit], DIGITS[abs(out)], DIGITS[digit] + result
        )

    def _width(self, given: Calculation, operation: int, left: str, carry: str) -> int:
        """How many columns an operation has, given what the last one carried."""
        if operation > len(given.operations):
            return 0
        sign, right = given.operations[operation - 1]
        width = max(len(left), 1 if sign == "*" else len(right))
        return width + (carry != "0" and sign != "-")

    def answer(self, given: Calculation, last: Column) -> str:  # noqa: ARG002
        """The result without leading zeros."""
        return last.result.lstrip("0") or "0"

    def vary(
        self, given: Calculation, trace: Trace[Column], done: int, read: Edit, random: Random
    ) -> Calculation | None:
        """A greater digit of an addend where the step reads one; else one more operation at the end, or a digit more before a later addend."""
        at = trace[done]
        operations = list(given.operations)
        if read:
            sign, number = operations[at.operation - 1]
            place = len(number) - at.column
            if sign == "-" or place < 0 or (sign == "*" and at.column > 1) or at.b == DIGITS[given.base - 1]:
                return None
            greater = random.choice(DIGITS[DIGITS.index(at.b) + 1 : given.base])
            operations[at.operation - 1] = sign, number[:place] + greater + number[place + 1 :]
        else:
            later = [i for i in range(at.operation, len(operations)) if operations[i][0] == "+"]
            if later and random.random() < 0.5:  # as often
                place = random.choice(later)
                operations[place] = "+", DIGITS[random.randint(1, given.base - 1)] + operations[place][1]
            else:
                operations.append(("+", in_base(random.randint(1, given.base**3), given.base)))
        return Calculation(base=given.base, begin=given.begin, operations=tuple(operations))

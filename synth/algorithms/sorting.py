"""Sorting: by insertion, by exchange (bubble sort), by merging."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import merge
from random import Random
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from synth.algorithms.algorithm import Algorithm, Instance, Reader
from synth.algorithms.form import NUMBER, Form, listed, one_of
from synth.records import AnswerKind

__all__ = ["BubbleSort", "InsertionSort", "MergeSort", "Unsorted"]

_MOST = 2_000
"""Numbers of an instance that is read from data."""


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _as_answer(numbers: Sequence[int]) -> str:
    return f"[{_listed(numbers)}]"


class Unsorted(Instance):
    """A list of whole numbers to be sorted."""

    numbers: Annotated[tuple[Annotated[int, Field(ge=-(10**9), le=10**9)], ...], Field(min_length=1, max_length=_MOST)]
    """In the order given."""


class Inserted(NamedTuple):
    """After a number."""

    position: int
    number: int
    sorted: tuple[int, ...]


class InsertionSort(Reader[Unsorted, Inserted, int]):
    """Insertion sort: each number goes into the sorted ones before it, behind those that are equal."""

    name: ClassVar[str] = "insertion sort"
    instance: ClassVar[type[Instance]] = Unsorted
    kind: ClassVar[AnswerKind] = "list"
    form: ClassVar[Form[Inserted]] = Form(
        Inserted, "Insert number {position}, {number}: {sorted}.", position=NUMBER, number=NUMBER, sorted=listed(NUMBER)
    )

    def ask(self, given: Unsorted) -> str:
        """In ascending order."""
        return f"Sort these numbers in ascending order by insertion sort: {_listed(given.numbers)}."

    def first(self, given: Unsorted) -> Inserted:  # noqa: ARG002
        """Nothing is inserted."""
        return Inserted(0, 0, ())

    def after(self, given: Unsorted, state: Inserted, item: int) -> Inserted:  # noqa: ARG002
        """Inserts a number."""
        place = bisect_right(state.sorted, item)
        return Inserted(state.position + 1, item, (*state.sorted[:place], item, *state.sorted[place:]))

    def answer(self, given: Unsorted, last: Inserted) -> str:  # noqa: ARG002
        """The sorted numbers."""
        return _as_answer(last.sorted)

    def items(self, given: Unsorted) -> tuple[int, ...]:
        """The numbers."""
        return given.numbers

    def with_items(self, given: Unsorted, items: tuple[int, ...]) -> Unsorted:
        """Other numbers."""
        return given.model_copy(update={"numbers": items})

    def other(self, given: Unsorted, item: int | None, place: int, random: Random) -> int | None:  # noqa: ARG002
        """Another number within those there are, or next to them."""
        number = random.randint(min(given.numbers) - 1, max(given.numbers) + 1)
        return None if number == item else number


Sign = Literal["<=", ">"]


class Compared(NamedTuple):
    """After two neighbours were compared, and exchanged where the first was greater."""

    run: int
    place: int
    left: int
    sign: Sign
    right: int
    swaps: int
    """In this run so far."""
    numbers: tuple[int, ...]


class BubbleSort(Algorithm[Unsorted, Compared]):
    """Bubble sort: neighbours in the wrong order are exchanged; run r ends r places before the end; a run without an exchange is the last."""

    name: ClassVar[str] = "bubble sort"
    instance: ClassVar[type[Instance]] = Unsorted
    kind: ClassVar[AnswerKind] = "list"
    form: ClassVar[Form[Compared]] = Form(
        Compared, "Run {run}, place {place}: {left} {sign} {right}; swaps {swaps}; numbers {numbers}.", run=NUMBER, place=NUMBER,
        left=NUMBER, sign=one_of("<=", ">"), right=NUMBER, swaps=NUMBER, numbers=listed(NUMBER),
    )  # fmt: skip

    def ask(self, given: Unsorted) -> str:
        """In ascending order."""
        return f"Sort these numbers in ascending order by bubble sort: {_listed(given.numbers)}."

    def first(self, given: Unsorted) -> Compared:
        """The first run begins."""
        return Compared(1, 0, 0, "<=", 0, 0, given.numbers)

    def next(self, given: Unsorted, state: Compared) -> Compared | None:
        """Compares the next two, in this run or in a new one."""
        size = len(given.numbers)
        run, place, swaps = state.run, state.place + 1, state.swaps
        if place > size - run:
            if not swaps:
                return None
            run, place, swaps = run + 1, 1, 0
        if len(state.numbers) != size or not 1 <= place <= size - run or run < 1:
            return None
        numbers = list(state.numbers)
        left, right = numbers[place - 1 : place + 1]
        if left > right:
            numbers[place - 1 : place + 1] = right, left
            swaps += 1
        return Compared(run, place, left, ">" if left > right else "<=", right, swaps, tuple(numbers))

    def answer(self, given: Unsorted, last: Compared) -> str:  # noqa: ARG002
        """The sorted numbers."""
        return _as_answer(last.numbers)


class Merged(NamedTuple):
    """After two neighbouring pieces were merged."""

    width: int
    start: int
    left: tuple[int, ...]
    right: tuple[int, ...]
    numbers: tuple[int, ...]


class MergeSort(Algorithm[Unsorted, Merged]):
    """Merge sort from the bottom up: pieces of 1, 2, 4 … numbers are merged in pairs, from the left."""

    name: ClassVar[str] = "merge sort"
    instance: ClassVar[type[Instance]] = Unsorted
    kind: ClassVar[AnswerKind] = "list"
    form: ClassVar[Form[Merged]] = Form(
        Merged, "Pieces of {width}, from place {start}: merge {left}; with {right}; numbers {numbers}.", width=NUMBER, start=NUMBER,
        left=listed(NUMBER), right=listed(NUMBER), numbers=listed(NUMBER),
    )  # fmt: skip

    def ask(self, given: Unsorted) -> str:
        """In ascending order."""
        return f"Sort these numbers in ascending order by merge sort from the bottom up: {_listed(given.numbers)}."

    def first(self, given: Unsorted) -> Merged:
        """Pieces of one number."""
        return Merged(1, -1, (), (), given.numbers)

    def next(self, given: Unsorted, state: Merged) -> Merged | None:
        """Merges the next two pieces; a last one without a partner stays."""
        size = len(given.numbers)
        width, start = state.width, state.start + 2 * state.width
        if start + width > size:
            width, start = 2 * width, 1
        if len(state.numbers) != size or not 0 < width < size or start < 1:
            return None
        numbers, at = state.numbers, start - 1
        left, right = numbers[at : at + width], numbers[at + width : at + 2 * width]
        merged = tuple(merge(left, right))
        return Merged(width, start, left, right, (*numbers[:at], *merged, *numbers[at + 2 * width :]))

    def answer(self, given: Unsorted, last: Merged) -> str:  # noqa: ARG002
        """The sorted numbers."""
        return _as_answer(last.numbers)

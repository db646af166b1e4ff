"""Algorithms that read a sequence from left to right: sums modulo a number (parity), swaps, automata, brackets."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from synth.algorithms.algorithm import Instance, Reader
from synth.algorithms.form import NUMBER, WORD, Form, Written, listed
from synth.records import AnswerKind

__all__ = ["Automaton", "Brackets", "Dfa", "Numbers", "Parity", "Permutation", "Signs", "Swaps"]

_MOST = 2_000
"""Items of an instance that is read from data."""


class Numbers(Instance):
    """Numbers that are added up modulo another."""

    modulus: Annotated[int, Field(ge=2, le=1_000)]
    """2 for the parity."""
    numbers: Annotated[tuple[Annotated[int, Field(ge=0, le=999)], ...], Field(max_length=_MOST)]
    """From 0 to modulus - 1."""


class Added(NamedTuple):
    """After a number."""

    position: int
    number: int
    total: int


class Parity(Reader[Numbers, Added, int]):
    """The sum of numbers modulo another one; of bits modulo 2 their parity."""

    name: ClassVar[str] = "parity"
    instance: ClassVar[type[Instance]] = Numbers
    kind: ClassVar[AnswerKind] = "number"
    form: ClassVar[Form[Added]] = Form(
        Added, "Number {position} is {number}: the sum is {total}.", position=NUMBER, number=NUMBER, total=NUMBER
    )

    def ask(self, given: Numbers) -> str:
        """Adds up from left to right."""
        return (
            f"Add these numbers modulo {given.modulus}, from left to right: {', '.join(map(str, given.numbers))}. "
            f"What is the sum modulo {given.modulus}?"
        )

    def first(self, given: Numbers) -> Added:  # noqa: ARG002
        """Nothing is added."""
        return Added(0, 0, 0)

    def after(self, given: Numbers, state: Added, item: int) -> Added:
        """Adds a number."""
        return Added(state.position + 1, item, (state.total + item) % given.modulus)

    def answer(self, given: Numbers, last: Added) -> str:  # noqa: ARG002
        """The sum."""
        return str(last.total)

    def items(self, given: Numbers) -> tuple[int, ...]:
        """The numbers."""
        return given.numbers

    def with_items(self, given: Numbers, items: tuple[int, ...]) -> Numbers:
        """Other numbers, modulo the same."""
        return given.model_copy(update={"numbers": items})

    def other(self, given: Numbers, item: int | None, place: int, random: Random) -> int:  # noqa: ARG002
        """Any other residue."""
        return random.choice([n for n in range(given.modulus) if n != item])


class Swaps(Instance):
    """Swaps of places among a few objects."""

    size: Annotated[int, Field(ge=2, le=200)]
    """How many objects there are."""
    swaps: Annotated[tuple[tuple[int, int], ...], Field(max_length=_MOST)]
    """Places, from 1; the lower first."""
    place: Annotated[int, Field(ge=1)]
    """Which place is asked for."""

    @model_validator(mode="after")
    def _are_places(self) -> Self:
        if not all(1 <= a < b <= self.size for a, b in self.swaps) or self.place > self.size:
            raise ValueError("a place that there is not")
        return self


class Swapped(NamedTuple):
    """After a swap."""

    position: int
    left: int
    right: int
    order: tuple[int, ...]


class Permutation(Reader[Swaps, Swapped, tuple[int, int]]):
    """A composition of swaps: who is where in the end."""

    name: ClassVar[str] = "permutation"
    instance: ClassVar[type[Instance]] = Swaps
    kind: ClassVar[AnswerKind] = "number"
    form: ClassVar[Form[Swapped]] = Form(
        Swapped, "Swap {position} exchanges places {left} and {right}: {order}.", position=NUMBER, left=NUMBER, right=NUMBER,
        order=listed(NUMBER),
    )  # fmt: skip

    def ask(self, given: Swaps) -> str:
        """Balls that change places."""
        swaps = "; ".join(f"places {a} and {b}" for a, b in given.swaps)
        return (
            f"Balls 1 to {given.size} lie at places 1 to {given.size}, ball 1 at place 1 and so on. The balls at two places are "
            f"exchanged, in this order: {swaps}. Which ball lies at place {given.place} in the end?"
        )

    def first(self, given: Swaps) -> Swapped:
        """Each in its own place."""
        return Swapped(0, 1, 1, tuple(range(1, given.size + 1)))

    def after(self, given: Swaps, state: Swapped, item: tuple[int, int]) -> Swapped | None:
        """Exchanges two."""
        if len(state.order) != given.size:
            return None
        order = list(state.order)
        left, right = item
        order[left - 1], order[right - 1] = order[right - 1], order[left - 1]
        return Swapped(state.position + 1, left, right, tuple(order))

    def answer(self, given: Swaps, last: Swapped) -> str:
        """The ball at the place."""
        return str(last.order[given.place - 1])

    def items(self, given: Swaps) -> tuple[tuple[int, int], ...]:
        """The swaps."""
        return given.swaps

    def with_items(self, given: Swaps, items: tuple[tuple[int, int], ...]) -> Swaps:
        """Other swaps of as many."""
        return given.model_copy(update={"swaps": items})

    def other(self, given: Swaps, item: tuple[int, int] | None, place: int, random: Random) -> tuple[int, int] | None:  # noqa: ARG002
        """Another two places."""
        left, right = sorted(random.sample(range(1, given.size + 1), 2))
        return None if (left, right) == item else (left, right)


class Dfa(Instance):
    """A deterministic finite automaton and a word."""

    table: Annotated[dict[str, dict[str, str]], Field(min_length=1, max_length=200)]
    """The next state, by state and symbol."""
    start: str
    """The state in which it begins."""
    word: Annotated[str, Field(max_length=_MOST)]
    """Its symbols, a letter each."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.start not in self.table or any(
            symbol not in row or row[symbol] not in self.table
            for row in self.table.values()
            for symbol in set(self.word)
        ):
            raise ValueError("a state without a next one")
        return self


class Entered(NamedTuple):
    """After a symbol."""

    position: int
    symbol: str
    before: str
    state: str


class Automaton(Reader[Dfa, Entered, str]):
    """The run of a deterministic finite automaton on a word."""

    name: ClassVar[str] = "automaton"
    instance: ClassVar[type[Instance]] = Dfa
    kind: ClassVar[AnswerKind] = "text"
    form: ClassVar[Form[Entered]] = Form(
        Entered, "Symbol {position} is {symbol}: from {before} to {state}.", position=NUMBER, symbol=WORD, before=WORD, state=WORD
    )  # fmt: skip

    def ask(self, given: Dfa) -> str:
        """The table in words, then the word."""
        rules = "; ".join(
            f"from {state} " + ", ".join(f"on {symbol} to {to}" for symbol, to in row.items())
            for state, row in given.table.items()
        )
        return (
            f"An automaton begins in state {given.start} and reads a word symbol by symbol. It goes {rules}. "
            f"In which state is it after the word {given.word}?"
        )

    def first(self, given: Dfa) -> Entered:
        """It begins."""
        return Entered(0, "x", given.start, given.start)

    def after(self, given: Dfa, state: Entered, item: str) -> Entered | None:
        """Reads a symbol."""
        row = given.table.get(state.state)
        return None if row is None else Entered(state.position + 1, item, state.state, row[item])

    def answer(self, given: Dfa, last: Entered) -> str:  # noqa: ARG002
        """The last state."""
        return last.state

    def items(self, given: Dfa) -> tuple[str, ...]:
        """The symbols."""
        return tuple(given.word)

    def with_items(self, given: Dfa, items: tuple[str, ...]) -> Dfa:
        """Another word."""
        return given.model_copy(update={"word": "".join(items)})

    def other(self, given: Dfa, item: str | None, place: int, random: Random) -> str | None:  # noqa: ARG002
        """Another symbol of the alphabet."""
        symbols = [symbol for symbol in given.table[given.start] if symbol != item]
        return random.choice(symbols) if symbols else None


OPENING = dict(zip(")]}>", "([{<", strict=True))
"""The opening bracket of each closing one."""
Sign = Literal["(", ")", "[", "]", "{", "}", "<", ">"]


class Signs(Instance):
    """A sequence of brackets."""

    signs: Annotated[tuple[Sign, ...], Field(max_length=_MOST)]
    """One bracket each."""
    kinds: Annotated[int, Field(ge=1, le=4)] = 4
    """How many kinds of brackets there are: the first of ( [ { <."""


class Nested(NamedTuple):
    """After a bracket."""

    position: int
    sign: str
    stack: str
    """Open brackets, the last one innermost; empty where none is open, `broken` where one was closed that was not open."""


_SIGN = Written(r"[()\[\]{}<>]", str, str)
_STACK = Written(r"[(\[{<]+|none|broken", lambda stack: stack or "none", lambda text: "" if text == "none" else text)


class Brackets(Reader[Signs, Nested, Sign]):
    """Whether brackets are balanced (a word of a Dyck language), with the stack of open ones."""

    name: ClassVar[str] = "brackets"
    instance: ClassVar[type[Instance]] = Signs
    kind: ClassVar[AnswerKind] = "boolean"
    form: ClassVar[Form[Nested]] = Form(
        Nested, "Bracket {position} is {sign}: open {stack}.", position=NUMBER, sign=_SIGN, stack=_STACK
    )

    def ask(self, given: Signs) -> str:
        """Whether each closes the last open one."""
        return f"Are these brackets balanced, so that each closing bracket closes the last open one and none stays open? {' '.join(given.signs)}"

    def first(self, given: Signs) -> Nested:  # noqa: ARG002
        """Nothing is open."""
        return Nested(0, "(", "")

    def after(self, given: Signs, state: Nested, item: Sign) -> Nested | None:  # noqa: ARG002
        """Opens or closes one; ends where that fails."""
        if state.stack == "broken":
            return None
        stack = state.stack + item
        if item in OPENING:
            stack = state.stack[:-1] if state.stack.endswith(OPENING[item]) else "broken"
        return Nested(state.position + 1, item, stack)

    def answer(self, given: Signs, last: Nested) -> str:  # noqa: ARG002
        """Yes where nothing stays open."""
        return "no" if last.stack else "yes"

    def items(self, given: Signs) -> tuple[Sign, ...]:
        """The brackets."""
        return given.signs

    def with_items(self, given: Signs, items: tuple[Sign, ...]) -> Signs:
        """Other brackets."""
        return given.model_copy(update={"signs": items})

    def other(self, given: Signs, item: Sign | None, place: int, random: Random) -> Sign | None:  # noqa: ARG002
        """Another bracket of the kinds there are."""
        signs: list[Sign] = [*"([{<"[: given.kinds], *")]}>"[: given.kinds]]
        return random.choice([sign for sign in signs if sign != item])

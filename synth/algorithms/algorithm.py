"""What an algorithm is here: an instance, states that hold all the next step needs, and one line for each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from synth.algorithms.form import Form
from synth.records import AnswerKind

__all__ = ["Algorithm", "Edit", "Instance", "Reader", "Trace"]


_DRAWS = 20
"""Of an edit that a step reads; where there is one, most draws find it."""


class Instance(BaseModel):
    """What an algorithm works on, as data: its JSON stands in `meta.instance` of a problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")


I = TypeVar("I", bound=Instance)  # noqa: E741  # an instance
S = TypeVar("S", bound=Any)
Item = TypeVar("Item")

Trace = Sequence[S]
"""The states after each step."""

Edit = bool
"""Of an edit of an instance at a step: whether the step reads what was changed."""


class Algorithm(ABC, Generic[I, S]):
    """An algorithm whose steps are unique: ties are broken by a fixed order, which its question need not state where it cannot change the answer.

    A state holds all that the next step needs beside the instance, so a step can be checked by the line before it alone
    (arXiv:2410.14198 calls this supervised chain of thought).
    """

    name: ClassVar[str]
    """Which algorithm it is; stands in `meta.algorithm`."""
    version: ClassVar[int] = 1
    """Raised when the same instance would get other lines."""
    instance: ClassVar[type[Instance]]
    """What it works on."""
    kind: ClassVar[AnswerKind]
    """How its answers are compared."""
    form: ClassVar[Form[Any]]
    """How a state is written."""

    @abstractmethod
    def ask(self, given: I) -> str:
        """The question, with all that a solver needs."""

    @abstractmethod
    def first(self, given: I) -> S:
        """The state before the first step; it has no line."""

    @abstractmethod
    def next(self, given: I, state: S) -> S | None:
        """The state after the next step; None at the end, and after a state that is none of this instance."""

    @abstractmethod
    def answer(self, given: I, last: S) -> str:
        """The answer, by the state after the last step."""

    def vary(self, given: I, trace: Trace[S], done: int, read: Edit, random: Random) -> I | None:
        """The instance with one edit, after which the steps up to `done` are the same.

        Args:
            given: the instance.
            trace: its states.
            done: so many steps have been taken, from 0; the step in question is the next one.
            read: whether this step reads what is changed, and so is another one; or reads nothing of it, and so is the same.
            random: the only source of randomness.

        Returns:
            The other instance, or None where this draw found none; there may be none.
        """
        del given, trace, done, read, random
        return None

    def misread(self, given: I, trace: Trace[S], state: S, random: Random) -> S | None:
        """The state after a step in which something that it reads is misread: a wrong step of the form of true ones.

        Args:
            given: the instance.
            trace: its states.
            state: the state before the step, which may be one after other wrong steps.
            random: the only source of randomness.

        Returns:
            The state; None where a few draws found none, or where the algorithm has come to its end.
        """
        true = self.next(given, state)
        done = next(
            (i for i, found in enumerate(trace) if true is not None and self.place(found) == self.place(true)), None
        )
        if true is None or done is None:
            return None
        for _ in range(_DRAWS):
            other = self.vary(given, trace, done, True, random)
            wrong = None if other is None else self.next(other, state)
            if wrong is not None and wrong != true:
                return wrong
        return None

    def place(self, state: S) -> Any:
        """What says of a state which step it is, whatever came before: its place in the sequence, or the node it visits."""
        return state[0]

    def trace(self, given: I) -> list[S]:
        """The states after each step of an instance."""
        return list(self._states(given))

    def _states(self, given: I) -> Iterator[S]:
        state: S | None = self.first(given)
        assert state is not None
        while (state := self.next(given, state)) is not None:
            yield state

    def solve(self, given: I) -> str:
        """The answer of an instance."""
        trace = self.trace(given)
        return self.answer(given, trace[-1] if trace else self.first(given))

    def lines(self, given: I) -> list[str]:
        """The steps of an instance, a line each."""
        return [self.form.say(state) for state in self._states(given)]

    def shared(self, one: I, other: I) -> int:
        """How many first steps two instances have in common."""
        pairs = zip(self.lines(one), self.lines(other), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def read_instance(self, data: Mapping[str, Any]) -> I | None:
        """An instance from its JSON; None where it is none."""
        try:
            return self.instance.model_validate(data)  # type: ignore[return-value]
        except ValidationError:
            return None


class Reader(Algorithm[I, S], Generic[I, S, Item]):
    """An algorithm that reads one item of a sequence in each step, in order; a field `position` of its states counts them."""

    @abstractmethod
    def items(self, given: I) -> tuple[Item, ...]:
        """The sequence."""

    @abstractmethod
    def with_items(self, given: I, items: tuple[Item, ...]) -> I:
        """The instance with another sequence."""

    @abstractmethod
    def other(self, given: I, item: Item | None, place: int, random: Random) -> Item | None:
        """Another item that can stand at a place, from 0; or, for None, any one; None where there is none."""

    @abstractmethod
    def after(self, given: I, state: S, item: Item) -> S | None:
        """The state after an item."""

    def next(self, given: I, state: S) -> S | None:
        """The state after the next item; None after the last."""
        items = self.items(given)
        return self.after(given, state, items[state.position]) if 0 <= state.position < len(items) else None

    def vary(self, given: I, trace: Trace[S], done: int, read: Edit, random: Random) -> I | None:
        """Another item where the step reads; else another, one more or one less behind it."""
        del trace
        items = list(self.items(given))
        place = done if read else random.randint(done + 1, len(items))
        if place == len(items):
            added = self.other(given, None, place, random)
            return None if added is None else self.with_items(given, (*items, added))
        if not read and random.random() < 0.25:  # a quarter of the edits
            return self.with_items(given, tuple(items[:-1]))
        other = self.other(given, items[place], place, random)
        if other is None:
            return None
        items[place] = other
        return self.with_items(given, tuple(items))

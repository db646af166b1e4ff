"""What a generator is: documented options, and a pure function from a source of randomness to a problem."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from synth.records import AnswerKind

__all__ = ["At", "Generator", "Item", "NotUnique", "Range", "Twin", "Values", "within"]

Twin = Literal["same", "changed"]
"""`same`: a change after which the answer must be the same; `changed`: one after which it must be another."""

At = Mapping[str, int]
"""The value that each option of type `Range` has for one problem."""


class NotUnique(Exception):
    """This draw gives no problem, such as one with two solutions; another draw may."""


@dataclass(frozen=True, slots=True)
class Values:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __iter__(self) -> Iterator[int]:
        """All of them, ascending."""
        return iter(range(self.low, self.high + 1))

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


_WRITTEN = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def _read(value: Any) -> Values:
    if isinstance(value, Values):
        return value
    found = _WRITTEN.fullmatch(str(value)[:20])
    if found is None:
        raise ValueError("write a whole number, or a range such as 3-7")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ValueError(f"the range begins above its end: write {high}-{low}")
    return Values(low, high)


Range = Annotated[Values, BeforeValidator(_read)]
"""A whole number, or a range such as `3-7`: the problems take its values in turn, so that each is equally frequent. With
several ranges they take every combination in turn, the last option fastest."""


def within(least: int, most: int) -> AfterValidator:
    """Bounds of a `Range`, both included: part of the annotation of an option."""

    def check(given: Values) -> Values:
        if given.low < least or given.high > most:
            raise ValueError(f"values from {least} to {most} are possible")
        return given

    return AfterValidator(check)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A problem as a generator makes it."""

    question: str
    """All that a solver needs."""
    answer: str
    """The gold answer, in the form of its kind."""
    answer_kind: AnswerKind
    """How answers are compared."""
    solution: Sequence[str]
    """True steps in order, each of one line, that lead to the answer from what the question says. The statement of the answer
    (`The answer is …`) is added after them."""
    difficulty: float
    """How hard it is; the docstring of the generator says on which scale. Greater is harder."""
    choices: tuple[str, ...] = ()
    """The options, where the kind is `choice`; the answer is then a letter."""
    context: str | None = None
    """A passage the question is about."""
    key: str | None = None
    """What makes it this problem, such as its logical form: no second problem has the same. The question itself is always a key."""
    reward: Mapping[str, JsonValue] | None = None
    """What rewards completions, as `name` and `args` of a function of `synth.rewards`; None: whether the answer is right."""
    meta: Mapping[str, JsonValue] = field(default_factory=dict)
    """Its structure, such as the statements or the graph: what a program needs to check an answer or a step."""
    world: Any = None
    """What `twin` needs of it, in Python; in no row."""


class Generator(BaseModel, ABC):
    """A source of problems with known answers. Its fields are its options.

    The docstring of a subclass begins with one line that says what it asks, and says what its difficulty is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    """By which it is registered."""

    size: Annotated[int, Field(ge=1, le=10_000_000)] = 100
    """How many problems there are; twins are not counted."""
    seed: Annotated[int, Field(ge=0)] = 1
    """The same seed and options give the same problems. The problems of a smaller size are the first ones of a larger one."""
    twins: Literal["none", "same", "changed", "both"] = "none"
    """What comes after each problem: a twin with a change that keeps the answer (`same`), one with a change after which the answer is
    another (`changed`), or both. A problem
    that has no such twin is replaced. `meta.twin_of` of a twin is `meta.item` of its problem, and `meta.twin` says which it is."""

    @abstractmethod
    def make(self, random: Random, at: At) -> Item:
        """A problem: a function of its arguments and of the options alone.

        Args:
            random: the only source of randomness.
            at: the value of each option of type `Range`, by name.

        Raises:
            NotUnique: this draw gives no problem; the next draw is tried.
        """

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        """A problem that differs in one change; a generator that does not define this makes no twins.

        Args:
            item: the problem, as `make` made it.
            kind: whether the answer is to be the same or another one.
            random: the only source of randomness.
            at: as in `make`.

        Raises:
            NotUnique: this draw gives none; the next draw is tried.
        """
        del item, kind, random, at
        raise NotUnique

"""What a constraint is: typed arguments, a checker, a sentence, a constructor, and what it claims of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from synth.constraints.draft import Draft
from synth.records import Constraint
from synth.texts import Count

__all__ = ["Claims", "ConstraintKind", "Finding", "Phrase", "Relation", "Seed", "compared"]

Relation = Literal["at least", "less than"]
"""How a count is compared with its limit, in the words of IFEval."""


class Finding(NamedTuple):
    """What a checker says of a text."""

    label: Literal["right", "wrong", "unknown"]
    """Whether the text complies; `unknown` where that cannot be said."""
    reason: str
    """Why, in a few words."""

    @property
    def value(self) -> float | None:
        """1 for right, 0 for wrong, None for unknown."""
        return None if self.label == "unknown" else float(self.label == "right")

    @classmethod
    def of(cls, holds: bool, reason: str) -> Finding:
        """Right where a condition holds, else wrong."""
        return cls("right" if holds else "wrong", reason)


class Phrase(NamedTuple):
    """Words that stand in every text that complies."""

    text: str
    """The words."""
    times: int = 1
    """How often they stand in it at least."""
    exact: bool = False
    """Whether letters have to be in the case given."""


class Claims(NamedTuple):
    """What is true of every text that complies with a constraint; two constraints whose claims exclude each other are in conflict."""

    at_least: Mapping[str, int] = MappingProxyType({})
    """The least number of something, by its name: `words`, `sentences`, `letter:e`, `word:cat`…"""
    at_most: Mapping[str, int] = MappingProxyType({})
    """The largest number of it."""
    holds: tuple[Phrase, ...] = ()
    """Phrases that stand in it."""
    bars: tuple[str, ...] = ()
    """Strings that do not stand in it."""
    bars_words: tuple[str, ...] = ()
    """Words that do not stand in it as words, in any case."""
    begins: tuple[str, ...] = ()
    """It begins with one of these, in any case; empty where with anything."""
    ends: tuple[str, ...] = ()
    """It ends with one of these, in any case; empty where with anything."""
    letters: Literal["upper", "lower"] | None = None
    """The case of all its letters that have one."""
    language: str | None = None
    """Its language (ISO 639-1)."""
    parts: tuple[tuple[Constraint, ...], ...] = ()
    """Constraints on parts of it: each part has a text of its own within it."""


class Seed(NamedTuple):
    """What arguments are drawn for."""

    question: str
    """The question that gets the constraint."""
    rng: Random
    """The source of chance."""
    taken: Sequence[Constraint] = ()
    """The constraints that it has already."""


class ConstraintKind(BaseModel, ABC):
    """The base of all constraints. A subclass sets `id`, has its arguments as fields, and is used as an instance with their values.

    A package adds its own under the entry point `synth.constraints`, with the `id` as the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: ClassVar[str]
    """The name by which rows and pipelines know it: `group:name`."""
    version: ClassVar[int] = 1
    """Raised when the same text would be judged otherwise; stands in the `judge` of scores."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Packages without which its checker says `unknown`."""
    drawn: ClassVar[bool] = True
    """Whether the step `constrain` draws it where no kinds are named."""

    def judge(self, text: str) -> Finding:
        """Whether a text complies. An empty text complies with nothing."""
        return self.check(text) if text.strip() else Finding("wrong", "the text is empty")

    @abstractmethod
    def check(self, text: str) -> Finding:
        """Whether a text that is not empty complies, in time that grows with the text and no faster."""

    @abstractmethod
    def sentence(self) -> str:
        """What it asks for, as a sentence to a model."""

    @abstractmethod
    def build(self, draft: Draft) -> None:
        """Put into a draft what makes its text comply."""

    @classmethod
    @abstractmethod
    def draw(cls, seed: Seed) -> Self | None:
        """It with arguments that fit a question; None where none do."""

    def claims(self) -> Claims:
        """What is true of every text that complies, as far as that is known for certain."""
        return Claims()

    def arguments(self) -> dict[str, Any]:
        """Its arguments as JSON."""
        return self.model_dump(mode="json")

    def record(self, on: Literal["response", "reasoning", "both"] = "response") -> Constraint:
        """It as a record."""
        return Constraint(id=self.id, args=self.arguments(), on=on)


def compared(count: Count, relation: Relation, limit: int, what: str) -> Finding:
    """Whether a count of `what` is at least, or less than, a limit; unknown where its bounds do not say."""
    found = (
        str(count.least)
        if count.exact is not None
        else f"{count.least} to {'any number' if count.most is None else count.most}"
    )
    reason = f"{found} {what}, and {relation} {limit} are asked for"
    reaches = count.least >= limit
    below = count.most is not None and count.most < limit
    if not reaches and not below:
        return Finding("unknown", reason)
    return Finding.of(reaches == (relation == "at least"), reason)

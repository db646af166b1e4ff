"""What is said of records: scores, critiques, preferences, rejections and failures."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from synth.records.record import UnitRecord

__all__ = ["Critique", "Failure", "Pair", "Part", "Rejection", "Score"]


class Part(BaseModel):
    """A part of a record, which a score or a critique is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["step", "option", "span"]
    """`step`: a step of a rationale; `option`: one of the choices of its problem; `span`: some characters of its text."""
    index: Annotated[int, Field(ge=0)] | None = None
    """Which step or option, from 0."""
    start: Annotated[int, Field(ge=0)] | None = None
    """Of a span: its first character in `text`, from 0."""
    end: Annotated[int, Field(ge=0)] | None = None
    """Of a span: the character after its last one."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        indexed = self.index is not None and self.start is None and self.end is None
        span = self.index is None and self.start is not None and self.end is not None and self.start <= self.end
        if not (span if self.kind == "span" else indexed):
            needed = "start and end, start first," if self.kind == "span" else "an index"
            raise ValueError(f"a {self.kind} has {needed} and nothing else")
        return self


class Score(UnitRecord):
    """One verdict on a record, or on a part of one."""

    table: ClassVar[str] = "scores"
    alias: ClassVar[str] = "score"

    target: str
    """Id of the record that is judged."""
    part: Part | None = None
    """The part of the target that is judged; None for the whole."""
    name: str
    """What is measured: `correct`, `review`, `value`, `confidence`…"""
    value: float | None = None
    """The verdict as a number (1 or 0 for yes and no); None where there is none."""
    label: str | None = None
    """The verdict as a word: `right`, `wrong`, `unparsed`, `timeout`…"""
    judge: str
    """Who judged: a model, or the name and version of a program."""
    reason: str | None = None
    """Why, in words."""
    call: str | None = None
    """The ledger row that made it, where a model judged."""


class Critique(UnitRecord):
    """An explained mistake."""

    table: ClassVar[str] = "critiques"
    alias: ClassVar[str] = "critique"

    target: str
    """Id of the rationale that is criticised."""
    part: Part | None = None
    """The part that is mistaken, where the critique names one: mostly a step."""
    mistake: str | None = None
    """The kind of mistake."""
    explanation: str
    """What is wrong and why."""
    correction: str | None = None
    """How it should have been."""
    critic: str
    """Who wrote it."""
    call: str | None = None
    """The ledger row that made it."""


class Pair(UnitRecord):
    """A preference between two rationales of one problem."""

    table: ClassVar[str] = "pairs"
    alias: ClassVar[str] = "pair"

    problem: str
    """Id of the problem."""
    chosen: str
    """Id of the preferred rationale."""
    rejected: str
    """Id of the other one."""
    reason: str
    """Why one is preferred: `correctness`, `score`, `siblings`…"""
    margin: float | None = None
    """By how much, in the units of the reason; None where it has none."""
    first_differing_step: int | None = None
    """Index of the first step in which the two differ, from 0."""
    length_difference: int
    """Characters of the chosen text minus those of the rejected one."""


class Rejection(UnitRecord):
    """Why a record was rejected. The record itself stays."""

    table: ClassVar[str] = "rejections"
    alias: ClassVar[str] = "rejection"

    target: str
    """Id of the rejected record."""
    target_table: str
    """Table of that record."""
    rule: str
    """The rule that put it out."""
    observed: JsonValue = None
    """What the rule saw: the value, the record it duplicates…"""


class Failure(UnitRecord):
    """What could not be made."""

    table: ClassVar[str] = "failures"
    alias: ClassVar[str] = "failure"

    target: str
    """Id of the record the step was working on."""
    cause: str
    """A stable word: `truncated`, `thought_cut`, `only_thought`, `refused`, `server`, …, how the last attempt ended (see the
    status of calls); `shape` where a reply was not valid by its response schema, `restarted` where it began again instead
    of continuing, `repeated` where a continuation is a loop."""
    message: str
    """What happened, in words."""
    raw: str | None = None
    """The reply as it came, if any."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """How many attempts were made."""
    retriable: bool = False
    """Whether asking again may succeed (`synth retry`)."""
    call: str | None = None
    """The ledger row of the last attempt, where one was sent."""

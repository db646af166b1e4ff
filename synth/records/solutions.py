"""Worked solutions, nodes of thought trees, and who wrote them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from synth.records.parts import BLANKS, solution_of, spans_of
from synth.records.record import UnitRecord

__all__ = ["Author", "Node", "Rationale", "ThoughtKind"]

Author = Literal["teacher", "student", "human", "reference", "perturbed", "program"]
"""Who wrote a text."""


ThoughtKind = Literal["raw", "summary", "hidden"]
"""What is known of a thought. `raw`: the reasoning trace itself; `summary`: what the provider writes about it; `hidden`:
the model reasoned, and no text of it was sent."""


class Rationale(UnitRecord):
    """A worked solution by somebody."""

    table: ClassVar[str] = "rationales"
    alias: ClassVar[str] = "rationale"

    problem: str
    """Id of the problem it solves."""
    author: Author
    """What kind of author wrote it."""
    model: str | None = None
    """Name of the model that wrote it, where one did."""
    style: str = "free"
    """How it was asked for: `free`, `json`, or the name of a format."""
    thought: str | None = None
    """The reasoning trace of a reasoning model, verbatim and without its tags; None where there is none."""
    thought_kind: ThoughtKind | None = None
    """What the thought is: `raw`, a `summary` by the provider, or `hidden`: the model reasoned and its provider shows none
    of it. None where there is no sign of a thought."""
    response: str
    """The visible reply, verbatim, with the statement of its answer. Of a reply with named fields (JSON): the fields laid out
    as text."""
    answer: str | None = None
    """The final answer as the response states it; None where none could be read. Never read from the thought."""
    answer_span: tuple[int, int] | None = None
    """Where `response` states the answer, as (start, end) in characters; None where it states none in a place of its own, such
    as where the last number was taken."""
    steps: tuple[str, ...] = ()
    """The reasoning cut into steps; `segmenter` says how."""
    given: Annotated[int, Field(ge=0)] = 0
    """How many of the leading steps are not by its author: it continues from them."""
    segmenter: str | None = None
    """Definition of "step" used for the cut, with its version, such as `lines/1`, or `thought lines/1` where the thought was
    cut; None where it was not cut."""
    hinted: bool = False
    """Whether the author was shown the gold answer."""
    sample: int = 0
    """Which of several samples of the same question to the same model, from 0."""
    tokens: int | None = None
    """Completion tokens the reply took, where the endpoint said so."""
    parts: JsonValue = None
    """Its content in named parts, where the method gives it some: the decisions of a path, the premises…"""
    parent: str | None = None
    """The rationale this one revises, continues or perturbs."""
    node: str | None = None
    """The leaf of a thought tree whose path it verbalizes."""
    call: str | None = None
    """The ledger row that made it."""

    @property
    def text(self) -> str:
        """The reasoning that a reader is shown: the response without the statement of its answer; where nothing else is left of
        it, the thought. Empty where there is neither.
        """
        return solution_of(self.response, self.answer_span) or (self.thought or "").strip(BLANKS)

    @property
    def reasoning(self) -> str:
        """All the reasoning there is: the thought, and after a blank line the response without the statement of its answer."""
        both = ((self.thought or "").strip(BLANKS), solution_of(self.response, self.answer_span))
        return "\n\n".join(part for part in both if part)

    @property
    def steps_of_thought(self) -> bool:
        """Whether the thought was cut into steps, and not the response."""
        return (self.segmenter or "").startswith("thought ")

    @property
    def step_spans(self) -> tuple[tuple[int, int], ...] | None:
        """Where each step stands, as (start, end) in characters of the text that was cut: the thought if `steps_of_thought`, else
        the response. None where the steps are not slices of it in this order with nothing but white space and the statement of
        the answer between them, such as imported ones.
        """
        text, statement = (self.thought or "", None) if self.steps_of_thought else (self.response, self.answer_span)
        return spans_of(self.steps, text, statement)


class Node(UnitRecord):
    """A node of a thought tree."""

    table: ClassVar[str] = "nodes"
    alias: ClassVar[str] = "node"

    problem: str
    """Id of the problem the tree is about."""
    parent: str | None = None
    """The node above; None for a root."""
    depth: Annotated[int, Field(ge=0)] = 0
    """Distance from the root."""
    text: str
    """The thought itself."""
    decision: str | None = None
    """What was decided here, where nodes decide."""
    reason: str | None = None
    """Why it was decided so."""
    quote: str | None = None
    """The words of the context the reason rests on."""
    value: float | None = None
    """Estimate of how promising the node is; the step says on which scale."""
    visits: Annotated[int, Field(ge=0)] = 0
    """How often a search passed through."""
    terminal: bool = False
    """Whether the tree ends here."""
    answer: str | None = None
    """The answer reached, at a terminal node."""
    model: str | None = None
    """Name of the model that thought it, where one did."""
    call: str | None = None
    """The ledger row that made it."""

"""The rows trainers read. Columns a trainer does not know are passed over by it; they carry the lineage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["CONTRACTS", "DpoRow", "Message", "SftRow"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Message(_Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""


class SftRow(_Row):
    """Supervised fine-tuning, conversational: TRL's language-modelling format, and what most trainers take."""

    messages: list[Message]
    """The question and the rationale with its answer."""
    record_id: str
    """Id of the rationale."""
    problem_id: str
    """Id of its problem."""
    unit: str
    """Id of the root problem; never let two rows of one unit stand on both sides of a split."""
    teacher: str | None
    """Who wrote it."""
    call_id: str | None
    """The ledger row that made it."""
    answer: str | None
    """The gold answer, or where there is none the stated one."""
    hinted: bool
    """Whether its author was shown the gold answer."""
    scores: str
    """Its scores by name, as JSON."""
    source: str | None
    """Where the problem came from."""


class DpoRow(_Row):
    """Preference pairs, conversational with an explicit prompt: TRL's preference format."""

    prompt: list[Message]
    """The question."""
    chosen: list[Message]
    """The preferred rationale."""
    rejected: list[Message]
    """The other one."""
    record_id: str
    """Id of the pair."""
    problem_id: str
    """Id of the problem."""
    unit: str
    """Id of the root problem."""
    chosen_id: str
    """Id of the preferred rationale."""
    rejected_id: str
    """Id of the other one."""
    reason: str
    """Why one is preferred."""
    margin: float | None
    """By how much."""
    first_differing_step: int | None
    """Index of the first step in which the two differ."""
    length_difference: int
    """Characters of the chosen text minus those of the rejected one."""
    chosen_teacher: str | None
    """Who wrote the preferred one."""
    rejected_teacher: str | None
    """Who wrote the other one."""
    source: str | None
    """Where the problem came from."""


CONTRACTS: dict[str, type[BaseModel]] = {"sft": SftRow, "dpo": DpoRow}
"""Row types by the name of the contract."""

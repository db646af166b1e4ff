"""What rows of several formats have in common. Columns a trainer does not know are ignored by it; they carry the lineage.

No value is ever null: `datasets` fixes the type of a JSONL column by the first rows it sees, and a column that begins with
nulls can then hold nothing else. What is not known is an empty string; what has many forms (scores) is JSON in a string.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Message", "OfProblem", "OpenAiChatRow", "Paired", "Row", "Supervised", "Task"]

Task = Literal["rationale", "feedback", "answer"]
"""What is to be learnt from a row: to reason and answer; to say what is wrong in a wrong answer; to answer."""


class Row(BaseModel):
    """The base of rows: frozen, and with no other columns than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""
    reasoning_content: str | None = None
    """The thought before it, of the assistant; in this field where the export has it there, as Qwen3, GLM and others read it."""
    thinking: str | None = None
    """The same in the field that gpt-oss and LFM2.5 read."""


class OfProblem(Row):
    """What a row stems from."""

    record_id: str
    """Id of the record the row was made of."""
    problem_id: str
    """Id of its problem."""
    unit: str
    """Id of the root problem; never let two rows of one unit stand on both sides of a split."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Supervised(OfProblem):
    """What all rows for supervised fine-tuning carry besides their text."""

    task: Task
    """What is to be learnt from it."""
    weight: float
    """Weight of its task in the loss, in (0, 1); 1 where there is one task only. TRL has no such weight: see docs/export.md."""
    model: str
    """Who wrote it; empty where nobody's name is known."""
    call_id: str
    """The ledger row that made it; empty where none did."""
    answer: str
    """The answer as the author states it; empty where there is none. Never the gold answer under a reply that has another."""
    hinted: bool
    """Whether its author was shown the gold answer."""
    scores: str
    """Its scores by name, as JSON."""


class Paired(OfProblem):
    """What all rows of preference pairs carry besides their text."""

    chosen_id: str
    """Id of the preferred rationale."""
    rejected_id: str
    """Id of the other one."""
    reason: str
    """Why one is preferred."""
    first_differing_step: int
    """Index of the first step in which the two differ; -1 where that is not known."""
    length_difference: int
    """Characters of the chosen text minus those of the rejected one."""
    chosen_model: str
    """Who wrote the preferred one."""
    rejected_model: str
    """Who wrote the other one."""


class OpenAiChatRow(Row):
    """A line of an OpenAI fine-tuning file (supervised). It takes no other columns; the lineage lies beside, line by line."""

    messages: list[Message]
    """The conversation; the last turn is the assistant's."""

"""The rows trainers read. Columns a trainer does not know are passed over by it; they carry the lineage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "CONTRACTS",
    "ContrastRow",
    "ContrastSide",
    "DpoRow",
    "JudgeRow",
    "KtoRow",
    "Message",
    "SftRow",
    "TwinRow",
]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""


class SftRow(_Row):
    """Supervised fine-tuning, conversational: TRL's language-modelling format, and what most trainers take."""

    messages: list[Message]
    """The question and the rationale with its answer; or, for the task `feedback`, a wrong answer and what is wrong in it."""
    task: Literal["rationale", "feedback", "answer"]
    """What is to be learnt from it; `answer`, to answer from a rationale, in two stages only."""
    weight: float
    """Weight of this row in the loss, in (0, 1]; 1 where there is one task only."""
    record_id: str
    """Id of the rationale, or of the critique."""
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


class KtoRow(_Row):
    """Good and bad rationales one by one: TRL's unpaired preference format, conversational."""

    prompt: list[Message]
    """The question."""
    completion: list[Message]
    """The rationale with the answer it states."""
    label: bool
    """Whether it was kept; false where its answer is wrong or its reviewers rejected it."""
    record_id: str
    """Id of the rationale."""
    problem_id: str
    """Id of its problem."""
    unit: str
    """Id of the root problem."""
    teacher: str | None
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""
    source: str | None
    """Where the problem came from."""


class JudgeRow(_Row):
    """Spoken reviews as conversations, for fine-tuning a judge."""

    messages: list[Message]
    """What the reviewer was shown and what it said."""
    value: float
    """The score it gave."""
    record_id: str
    """Id of the review."""
    target_id: str
    """Id of what was reviewed."""
    unit: str
    """Id of the root problem."""
    reviewer: str
    """Who reviewed."""
    author: str | None
    """Who wrote what was reviewed."""
    correct: float | None
    """1 or 0: whether what was reviewed reaches the gold answer; None where that is not known."""
    source: str | None
    """Where the problem came from."""


class ContrastSide(_Row):
    """One of two problems that differ in their passage alone."""

    prompt: list[Message]
    """Passage, question and options."""
    text: str
    """The analysis of every option."""
    answer: str
    """The letter of the right option."""
    spans: dict[str, list[int]]
    """By letter: where in `text` the analysis of that option stands, from and to (exclusive), in characters."""
    problem_id: str
    """Id of the problem."""
    rationale_id: str
    """Id of the rationale."""


class ContrastRow(_Row):
    """A problem and its counterfactual with the analyses of both, for contrastive losses over option paths.

    In the original, `anchor` is right; in the counterfactual it is wrong, the negative. `positives` are wrong in both.
    Source: arXiv:2409.14495.
    """

    original: ContrastSide
    """The problem as it was given."""
    counterfactual: ContrastSide
    """The same question and options under another passage."""
    anchor: str
    """Letter of the option that is right in the original."""
    positives: list[str]
    """Letters of the options that are wrong in both."""
    unit: str
    """Id of the root problem."""
    source: str | None
    """Where the problem came from."""


class TwinRow(_Row):
    """A question of an evaluation set of twins: whoever reads the passage gets both right."""

    prompt: list[Message]
    """Passage, question and options."""
    answer: str
    """The letter of the right option."""
    kind: Literal["original", "counterfactual"]
    """Which of the twins this is."""
    problem_id: str
    """Id of the problem."""
    unit: str
    """Id of the root problem, which twins share."""
    source: str | None
    """Where the problem came from."""


CONTRACTS: dict[str, type[BaseModel]] = {
    "sft": SftRow,
    "dpo": DpoRow,
    "kto": KtoRow,
    "judge": JudgeRow,
    "contrast": ContrastRow,
    "twins": TwinRow,
}
"""Row types by the name of the contract."""

"""The rows trainers read. Columns a trainer does not know are passed over by it; they carry the lineage.

No value is ever null: `datasets` fixes the type of a JSONL column by the first rows it sees, and a column that begins with
nulls can then hold nothing else. What is not known is an empty string; what has many forms (scores) is JSON in a string.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from synth.records import AnswerKind

__all__ = [
    "CONTRACTS",
    "ROWS",
    "ChatKtoRow",
    "ContrastRow",
    "ContrastSide",
    "DpoRow",
    "GrpoRow",
    "JudgeRow",
    "KtoRow",
    "Message",
    "OpenAiChatRow",
    "OpenAiInput",
    "OpenAiPreferenceRow",
    "PrmRow",
    "PromptCompletionRow",
    "RankingRow",
    "RewardRow",
    "SftRow",
    "SharegptKtoRow",
    "Span",
    "SystemInputRow",
    "Task",
    "TextRow",
    "TwinRow",
]

Task = Literal["rationale", "feedback", "answer"]
"""What is to be learnt from a row: to reason and answer; to say what is wrong in a wrong answer; to answer."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""
    reasoning_content: str | None = None
    """The thought before it, of the assistant; in this field where the export has it there, as Qwen3, GLM and others read it."""
    thinking: str | None = None
    """The same in the field that gpt-oss and LFM2.5 read."""


class _OfProblem(_Row):
    """What a row stems from."""

    record_id: str
    """Id of the record the row was made of."""
    problem_id: str
    """Id of its problem."""
    unit: str
    """Id of the root problem; never let two rows of one unit stand on both sides of a split."""
    source: str
    """Where the problem came from; empty where that is not known."""


class _Supervised(_OfProblem):
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


class SftRow(_Supervised):
    """Supervised fine-tuning, conversational: TRL's language-modelling format, and what most trainers take."""

    messages: list[Message]
    """The question, and the rationale as its author wrote it, with the thought in `reasoning_content`; or, for the
    task `feedback`, a wrong answer and what is wrong in it."""


class TextRow(_Supervised):
    """Supervised fine-tuning, plain: TRL's language-modelling format of one text."""

    text: str
    """Question, rationale and answer."""


class PromptCompletionRow(_Supervised):
    """Supervised fine-tuning in two columns, TRL's prompt-completion format: the loss is on the completion alone."""

    prompt: list[Message] | str
    """The question."""
    completion: list[Message] | str
    """The rationale with its answer."""


class _Paired(_OfProblem):
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


class DpoRow(_Paired):
    """Preference pairs with an explicit prompt: TRL's preference format."""

    prompt: list[Message] | str
    """The question."""
    chosen: list[Message] | str
    """The preferred rationale."""
    rejected: list[Message] | str
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""


class RewardRow(_Paired):
    """Preference pairs for a reward model: TRL's preference format, with the column `margin` that its trainer reads."""

    prompt: list[Message] | str
    """The question."""
    chosen: list[Message] | str
    """The preferred rationale."""
    rejected: list[Message] | str
    """The other one."""
    margin: float
    """What the reward of the chosen side should be higher by: the margin of the pair, where the export was asked for it; else 0,
    which leaves the loss as it is."""


class KtoRow(_OfProblem):
    """Good and bad rationales one by one: TRL's unpaired preference format."""

    prompt: list[Message] | str
    """The question."""
    completion: list[Message] | str
    """The rationale with the answer it states."""
    label: bool
    """Whether it was kept; false where its answer is wrong or its reviewers rejected it."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


class PrmRow(_OfProblem):
    """Rationales with a label for each step: TRL's stepwise-supervision format, for process reward models.

    The steps are those of the record, one by one; nothing is joined and cut again. Labels from a tree come with a last step that
    states the answer.
    """

    prompt: str
    """The question."""
    completions: list[str]
    """The steps in order."""
    labels: list[bool]
    """Whether each step is right; as many as there are steps."""
    labelled_by: str
    """Where the labels come from: the judges of the scores, `tree`, or the critic."""
    segmenter: str
    """The definition of "step" used; empty where it is not known."""
    model: str
    """Who wrote it."""
    answer: str
    """The answer it states; empty where it states none."""

    @model_validator(mode="after")
    def _one_label_each(self) -> PrmRow:
        if len(self.completions) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {len(self.completions)} steps")
        return self


class GrpoRow(_OfProblem):
    """Prompts with what their reward is computed from: TRL's prompt-only format, whose other columns go to the reward function."""

    prompt: list[Message] | str
    """The question."""
    answer: str
    """The gold answer; for choices the letter."""
    answer_kind: AnswerKind
    """How answers are compared."""
    choices: str
    """The options as a JSON list; `[]` where there are none."""
    reward: str
    """The function that gives the reward, as `module.function`."""
    tried: int
    """How many rationales of this run were compared with the gold answer."""
    right: int
    """How many of them had it: right / tried says how hard the problem was for their authors."""


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
    author: str
    """Who wrote what was reviewed; empty where that is not known."""
    correct: Literal["yes", "no", "unknown"]
    """Whether what was reviewed reaches the gold answer."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Span(_Row):
    """Where in a text the analysis of an option stands."""

    letter: str
    """The option."""
    begin: int
    """First character."""
    end: int
    """The one after the last."""


class ContrastSide(_Row):
    """One of two problems that differ in their passage alone."""

    prompt: list[Message]
    """Passage, question and options."""
    text: str
    """The analysis of every option."""
    answer: str
    """The letter of the right option."""
    spans: list[Span]
    """Where in `text` the analysis of each option stands, in their order."""
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
    source: str
    """Where the problem came from; empty where that is not known."""


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
    source: str
    """Where the problem came from; empty where that is not known."""


class RankingRow(_Paired):
    """Preference pairs as LLaMA-Factory (`sharegpt`, `ranking`) and Axolotl (`chat_template.default`) read them."""

    messages: list[Message]
    """The question."""
    chosen: Message
    """The preferred rationale."""
    rejected: Message
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""


class SystemInputRow(_Paired):
    """Preference pairs as Axolotl's `bradley_terry.chat_template` reads them."""

    system: str
    """The system message; empty where there is none."""
    input: str
    """The question."""
    chosen: str
    """The preferred rationale."""
    rejected: str
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""


class SharegptKtoRow(_OfProblem):
    """Good and bad rationales as LLaMA-Factory (`sharegpt`, `kto_tag`) reads them."""

    messages: list[Message]
    """The question, and the rationale with the answer it states."""
    label: bool
    """Whether it was kept."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


class ChatKtoRow(_OfProblem):
    """Good and bad rationales as Axolotl's `chatml.argilla_chat` reads them."""

    completion: list[Message]
    """The question, and the rationale with the answer it states."""
    label: bool
    """Whether it was kept."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


class OpenAiChatRow(_Row):
    """A line of an OpenAI fine-tuning file (supervised). It takes no other columns; the lineage lies beside, line by line."""

    messages: list[Message]
    """The conversation; the last turn is the assistant's."""


class OpenAiInput(_Row):
    """What both outputs answer."""

    messages: list[Message]
    """The question."""


class OpenAiPreferenceRow(_Row):
    """A line of an OpenAI fine-tuning file for preferences (DPO)."""

    input: OpenAiInput
    """The question."""
    preferred_output: list[Message]
    """The preferred rationale: one turn of the assistant."""
    non_preferred_output: list[Message]
    """The other one."""


CONTRACTS: dict[str, type[BaseModel]] = {
    "sft": SftRow,
    "dpo": DpoRow,
    "kto": KtoRow,
    "prm": PrmRow,
    "grpo": GrpoRow,
    "reward": RewardRow,
    "judge": JudgeRow,
    "contrast": ContrastRow,
    "twins": TwinRow,
}
"""Row types by the name of the contract, as TRL reads them."""

ROWS: dict[str, type[BaseModel]] = CONTRACTS | {
    "sft.text": TextRow,
    "sft.prompt-completion": PromptCompletionRow,
    "axolotl.kto": ChatKtoRow,
    "axolotl.reward": SystemInputRow,
    "llama-factory.kto": SharegptKtoRow,
    "ranking": RankingRow,
    "openai.sft": OpenAiChatRow,
    "openai.dpo": OpenAiPreferenceRow,
}
"""Every row type there is, by the name of its JSON Schema."""

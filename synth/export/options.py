"""What an export can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from synth.errors import UserError

__all__ = [
    "STEP_OPTIONS",
    "TEXT_OPTIONS",
    "THOUGHT_OPTIONS",
    "ExportOptions",
    "Thinking",
    "Trainer",
    "flag",
    "weights_of",
]

Trainer = Literal["trl", "axolotl", "llama-factory", "openai", "verl", "nemo-rl", "openrlhf", "verifiers"]

Thinking = Literal["auto", "reasoning_content", "thinking", "tags", "drop"]


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written. What does not apply to a format must be left as it is."""

    trainer: Trainer = "trl"
    """Whose columns the rows have."""
    file_format: Literal["jsonl", "parquet"] = "jsonl"
    """Kind of file."""
    layout: Literal["conversational", "plain"] | None = None
    """Messages with roles, or plain strings. None: messages, except for `prm`, whose trainers read strings only."""
    shape: Literal["language-modelling", "prompt-completion"] = "language-modelling"
    """For `sft`: one conversation (or text) a row, or prompt and completion apart, where TRL's loss is on the completion alone."""
    system: str | None = None
    """A system message for every row; in the plain layout the first paragraph of the prompt."""
    style: Literal["written", "natural", "boxed", "delimiter"] = "written"
    """How the answer is stated. `written`: as its author stated it, byte for byte. `natural`: the same, and where the author
    stated none in a place of its own, a last line "The answer is X." with the answer that was read. `boxed`: in a `\\boxed{}`,
    which takes the place of another statement. `delimiter`: `question ###` and `rationale --> answer END`, as arXiv:2212.10071."""
    thinking: Thinking = "auto"
    """Where the thought of a reasoning model stands. `reasoning_content`, `thinking`: in the field of that name of its message.
    `tags`: in tags before the response. `drop`: nowhere. `auto`: in `reasoning_content` where the trainer reads messages with it,
    else in tags."""
    tags: tuple[str, str] = ("<think>", "</think>")
    """The tags around a thought."""
    as_thought: bool = False
    """Whether a rationale without a thought is written as one: its reasoning as the thought, the statement of its answer as the
    response."""
    order: Literal["rationale-first", "answer-first"] = "rationale-first"
    """Whether the rationale stands before its answer or after it."""
    target: Literal["rationale", "answer", "both"] = "rationale"
    """For `sft`, what is to be learnt: the rationale with its answer, the answer alone, or both, as rows of the tasks `rationale`
    and `answer` over the same problems (arXiv:2305.02301; a comparison with and without rationales needs the two files). Where the
    corpus step `cot_share` has scheduled which rows have their rationale, `rationale` follows it, and the rows stand in its order."""
    ask: Mapping[str, str] = field(default_factory=dict)
    """For `sft`: by task, a last paragraph of its prompts, which distinguishes the tasks. Where `target` is `both` each has one
    that can be replaced."""
    stages: Literal["one", "two"] = "one"
    """For `sft`. `two`: question to rationale, and question and rationale to answer, as rows of their own (arXiv:2311.14109)."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """For `sft`: by task, its weight in the loss. All of them sum to 1; the tasks that are not named share the rest equally.
    (`feedback`: 1 - alpha of arXiv:2410.03663 is the weight of `rationale`.)"""
    per_problem: int | None = None
    """Most rows of a problem (for `sft`: of a problem and task); which ones is drawn by their ids, each time the same."""
    labels: Literal["auto", "scores", "tree", "critiques"] = "auto"
    """For `prm` and `steps`, where labels come from. `scores`: scores of single steps. `tree`: a step of a thought tree is right if the right
    answer was reached below it (hard estimation of arXiv:2312.08935). `critiques`: the steps before the mistake that a critic named
    are right, that one is wrong, and the row ends there. `auto`: `scores` where there are any, else `tree`."""
    step_score: str = "step_correct"
    """For `prm` and `steps`: name of the scores of single steps that labels are made of."""
    label_from: float = 0.5
    """For `prm` and `steps`: a step is right whose score is this or more."""
    values: str | None = None
    """For `prm` and `steps`: name of scores of single steps whose numbers stand beside the labels, such as `step_value`, the share of
    right continuations (soft labels, arXiv:2312.08935; two labels a step, arXiv:2503.04618)."""
    step_weight: str | None = None
    """For `sft` and `prm`: name of scores of single steps that are the weights of the steps. Below 0 they are 0: a negative weight
    has no least loss."""
    unsure: Literal["drop", "cut"] = "drop"
    """For `prm`: what becomes of a rationale of which a step has no label (or no score for another column). `drop`: it makes no row.
    `cut`: its row ends before that step."""
    steps_as: Literal["stepwise", "chat"] = "stepwise"
    """For `prm`. `chat`: a conversation, in which each step is a turn of the user and its analysis and verdict the reply."""
    verdicts: tuple[str, str] = ("right", "wrong")
    """For `prm` as chat and `steps`: the words of a verdict, for a right and for a wrong step."""
    reasons: str | None = None
    """For `prm` as chat and `steps`: name of the scores of single steps whose reasons are the analysis; only those of judges whose
    verdict is the label. None: those of `step_score`."""
    balance: tuple[int, int] | None = None
    """For `steps`: the proportion of right to wrong ones. The others are left out by a hash of their place."""
    prefix: Literal["none", "prompt", "assistant"] = "none"
    """For `dpo`: rows of the pairs' differences. The steps that both sides share stand at the end of the prompt (`prompt`), or begin
    the reply (`assistant`)."""
    rejected: Literal["rest", "step"] = "rest"
    """For `dpo` with a prefix: the rejected side is all that follows the shared steps, or its first differing step alone
    (arXiv:2404.10346)."""
    margin: bool = False
    """For `reward`: whether rows state the margin of their pair, which TRL then asks the rewards to differ by."""
    reward: str = "correct"
    """For `grpo`: the function of `synth.rewards` that rewards the completions of problems that name none themselves."""
    reward_args: Mapping[str, Any] = field(default_factory=dict)
    """For `grpo`: its options."""
    label_free: bool = False
    """For `grpo`: whether problems without a gold answer have rows too. Where they name no reward and that of the export needs an
    answer, theirs is `majority_share`."""
    begun: Literal["in_prompt", "prefill"] = "in_prompt"
    """For `grpo`: where the beginning of a reply stands from which the model continues. `in_prompt`: in the question. `prefill`: behind
    it, as what the reply begins with; in plain rows alone."""
    by_stage: bool = False
    """For `grpo`: whether each stage of a curriculum has a file of its own."""
    environment: str | None = None
    """For `grpo` and verifiers: the name of the package. None: `synth-` and the name of the pipeline."""
    replace: bool = False
    """Whether files in the output folder that are no earlier export of this run may be replaced."""


STEP_OPTIONS = frozenset({"labels", "step_score", "label_from", "values"})
"""The options of formats whose rows have labels of steps."""
THOUGHT_OPTIONS = frozenset({"thinking", "tags"})
"""The options of formats whose rows have thoughts."""
TEXT_OPTIONS = THOUGHT_OPTIONS | {"layout", "system", "style", "order", "per_problem", "as_thought"}
"""The options of formats whose rows are whole rationales."""

_FLAGS = {"trainer": "--for", "label_from": "--label-from", "weights": "--weight", "steps_as": "--as"}


def flag(name: str) -> str:
    """What the command line calls an option."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


def weights_of(tasks: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    """The weight of each task that an export has.

    Raises:
        UserError: a weight for a task that it has not, or nothing left for those that are not named.
    """
    for task in given:
        if task not in tasks:
            raise UserError(
                f"--weight {task}=…: this export has no rows of the task {task!r}",
                fix=f"its tasks: {', '.join(tasks)}",
            )
    others = [task for task in tasks if task not in given]
    rest = 1 - sum(given.values())
    if (others and rest <= 1e-9) or (not others and abs(rest) > 1e-9):
        raise UserError(
            f"--weight: the weights of {', '.join(tasks)} do not sum to 1",
            fix="leave one task out: it gets the rest",
        )
    return {task: given.get(task, rest / max(1, len(others))) for task in tasks}

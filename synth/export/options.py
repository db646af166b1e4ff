"""What an export can be asked for, and which contract and trainer each option is for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args

from synth.bounded import nearest
from synth.errors import UserError
from synth.export.contracts import CONTRACTS, Task

__all__ = ["TRAINERS", "ExportOptions", "Thinking", "Trainer", "checked", "options_of", "thought_place", "weights_of"]

Trainer = Literal["trl", "axolotl", "llama-factory", "openai"]

Thinking = Literal["auto", "reasoning_content", "thinking", "tags", "drop"]

TRAINERS: dict[str, frozenset[str]] = {
    "trl": frozenset({*CONTRACTS, "parquet"}),
    "axolotl": frozenset({"sft", "dpo", "kto", "prm", "grpo", "reward", "judge"}),
    "llama-factory": frozenset({"sft", "dpo", "kto", "reward", "judge"}),
    "openai": frozenset({"sft", "dpo", "judge"}),
}
"""The contracts each trainer has a format for. `contrast` and `twins` are ours alone, and `parquet` is no contract: all three
are written the same for everybody."""

_WHY_NOT = {
    ("llama-factory", "prm"): "it has no stepwise format",
    ("llama-factory", "grpo"): "it has no trainer with reward functions",
    ("openai", "kto"): "it fine-tunes on conversations and preferences only",
    ("openai", "prm"): "it has no stepwise format",
    ("openai", "grpo"): "its graders run there and cannot be given a function of ours",
    ("openai", "reward"): "it trains no reward models; preferences are --to dpo",
}


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written. What does not apply to a contract must be left as it is."""

    trainer: Trainer = "trl"
    """Whose format the rows have."""
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
    """For `sft`: by task, a last paragraph of its prompts, by which the tasks are told apart. Where `target` is `both` each has one
    that can be replaced."""
    stages: Literal["one", "two"] = "one"
    """For `sft`. `two`: question to rationale, and question and rationale to answer, as rows of their own (arXiv:2311.14109)."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """For `sft`: by task, its weight in the loss. All of them sum to 1; the tasks that are not named share the rest equally.
    (`feedback`: 1 - alpha of arXiv:2410.03663 is the weight of `rationale`.)"""
    per_problem: int | None = None
    """Most rows of a problem (for `sft`: of a problem and task); which ones is drawn by their ids, each time the same."""
    labels: Literal["auto", "scores", "tree", "critiques"] = "auto"
    """For `prm`, where labels come from. `scores`: scores of single steps. `tree`: a step of a thought tree is right if the right
    answer was reached below it (hard estimation of arXiv:2312.08935). `critiques`: the steps before the mistake that a critic named
    are right, that one is wrong, and the row ends there. `auto`: `scores` where there are any, else `tree`."""
    step_score: str = "step_correct"
    """For `prm`: name of the scores of single steps."""
    label_from: float = 0.5
    """For `prm`: a step is right whose score is this or more."""
    margin: bool = False
    """For `reward`: whether rows state the margin of their pair, which TRL then asks the rewards to differ by."""
    replace: bool = False
    """Whether files in the output folder that are no earlier export of this run may be replaced."""


_DEFAULT = ExportOptions()
_THOUGHTS = {"thinking", "tags"}
_TEXT = {"layout", "system", "style", "order", "per_problem", "as_thought", *_THOUGHTS}
_ALWAYS = {"trainer", "file_format", "replace"}
_APPLY: dict[str, set[str]] = {
    "sft": _TEXT | {"shape", "target", "ask", "stages", "weights"},
    "dpo": _TEXT,
    "kto": _TEXT,
    "reward": _TEXT | {"margin"},
    "prm": {"layout", "system", "per_problem", "labels", "step_score", "label_from", *_THOUGHTS},
    "grpo": {"layout", "system"},
    "judge": {"per_problem", *_THOUGHTS},
    "contrast": {"system"},
    "twins": {"system"},
    "parquet": set(),
}
"""Which options a contract has, besides those that all have."""

_FLAGS = {"trainer": "--for", "file_format": "--format", "label_from": "--label-from", "weights": "--weight"}


def checked(contract: str, options: ExportOptions) -> None:
    """Raise for everything that can be told before a run is looked at.

    Raises:
        UserError: an unknown contract, one the trainer has no format for, options that do not apply or exclude each other.
    """
    _check_apply([contract], options)
    if options.trainer not in TRAINERS:
        raise UserError(f"there is no format for {options.trainer!r}", remedy=f"trainers: {', '.join(TRAINERS)}")
    _check_trainer(contract, options)
    _check_texts(contract, options)
    _check_numbers(options)


def options_of(contracts: Sequence[str], options: ExportOptions) -> dict[str, ExportOptions]:
    """The options of each of several contracts, checked: of those given each takes what applies to it.

    Raises:
        UserError: as `checked`; and for an option that applies to none of them.
    """
    _check_apply(contracts, options)
    made = {}
    for contract in dict.fromkeys(contracts):
        without = {f.name for f in fields(ExportOptions)} - _ALWAYS - _APPLY[contract]
        if contract == "parquet" and len(contracts) > 1:
            without |= {
                "file_format",
                "trainer",
            }  # its tables are written as they are, whatever the rows beside them are
        mine = replace(options, **{name: getattr(_DEFAULT, name) for name in without})
        checked(contract, mine)
        made[contract] = mine
    return made


def _check_apply(contracts: Sequence[str], options: ExportOptions) -> None:
    """Raise for a contract there is not, and for an option that is for none of these."""
    for contract in contracts:
        if contract not in _APPLY:
            near = nearest(contract, _APPLY)
            remedy = f"contracts: {', '.join(_APPLY)}"
            raise UserError(
                f"there is no contract {contract!r}", remedy=f"did you mean {near[0]}? {remedy}" if near else remedy
            )
    for one in fields(ExportOptions):
        applies = one.name in _ALWAYS or any(one.name in _APPLY[contract] for contract in contracts)
        if not applies and getattr(options, one.name) != getattr(_DEFAULT, one.name):
            having = [c for c, names in _APPLY.items() if one.name in names]
            raise UserError(
                f"{_flag(one.name)} does not apply to {' or '.join(contracts)}",
                remedy=f"it is for {', '.join(having)}; leave it out",
            )


def _check_trainer(contract: str, options: ExportOptions) -> None:
    trainer = options.trainer
    if contract not in TRAINERS[trainer]:
        why = _WHY_NOT.get((trainer, contract), "this is read by code of your own only; leave --for out")
        having = [t for t, contracts in TRAINERS.items() if contract in contracts]
        raise UserError(f"{trainer} cannot be given {contract}: {why}", remedy=f"--for {' or '.join(having)}")
    if trainer == "openai" and options.file_format != "jsonl":
        raise UserError("OpenAI takes JSONL only", remedy="leave --format out")
    if trainer == "openai" and (options.layout == "plain" or options.shape == "prompt-completion"):
        raise UserError(
            "OpenAI takes conversations only", remedy="leave --layout plain and --shape prompt-completion out"
        )
    if options.shape == "prompt-completion" and options.layout != "plain" and trainer != "trl":
        raise UserError(
            f"{trainer} reads conversations as one, and trains on the assistant's turns alone as it is",
            remedy="leave --shape out, or take --layout plain too",
        )
    if contract == "parquet" and options.file_format != "jsonl":
        raise UserError(
            "--to parquet writes Parquet as it is", remedy="leave --format out; for rows: --to sft --format parquet"
        )
    if contract == "prm" and options.layout == "conversational":
        raise UserError(
            "trainers of process reward models read strings, not conversations", remedy="leave --layout out"
        )
    if trainer == "axolotl" and contract == "reward" and options.layout == "plain":
        raise UserError(
            "Axolotl's reward models are trained on conversations", remedy="leave --layout plain out, or --for trl"
        )
    if trainer == "axolotl" and contract == "reward" and options.margin:
        raise UserError("Axolotl's reward models know no margin", remedy="leave --margin out, or --for trl")
    if trainer == "llama-factory" and contract == "reward" and options.margin:
        raise UserError("LLaMA-Factory's reward models know no margin", remedy="leave --margin out, or --for trl")


def thought_place(contract: str, options: ExportOptions) -> Literal["reasoning_content", "thinking", "tags", "drop"]:
    """Where the thoughts of an export stand, with `auto` decided."""
    if options.thinking != "auto":
        return options.thinking
    messages = options.layout != "plain" and contract != "prm"
    # Axolotl's pairs and LLaMA-Factory's and OpenAI's lines have no field for it.
    reads_field = options.trainer == "trl" or (options.trainer == "axolotl" and contract in {"sft", "judge"})
    return "reasoning_content" if messages and reads_field else "tags"


def _check_texts(contract: str, options: ExportOptions) -> None:
    if options.style == "delimiter" and options.order == "answer-first":
        raise UserError(
            "the delimiters of --style delimiter stand between rationale and answer, in that order",
            remedy="leave out --order, or --style",
        )
    if options.as_thought and (options.order == "answer-first" or options.style == "delimiter"):
        raise UserError(
            "with --as-thought the reasoning stands in the thought, and the answer after it",
            remedy="leave out --as-thought, or --order and --style",
        )
    if options.as_thought and options.thinking == "drop":
        raise UserError(
            "--as-thought writes the reasoning as a thought, and --thinking drop leaves thoughts out",
            remedy="leave out one of them",
        )
    if options.thinking in {"reasoning_content", "thinking"} and (options.layout == "plain" or contract == "prm"):
        raise UserError(
            f"--thinking {options.thinking} is a field of a message, and these rows are strings",
            remedy="--thinking tags or --thinking drop",
        )
    if (
        options.thinking in {"reasoning_content", "thinking"}
        and thought_place(contract, replace(options, thinking="auto")) == "tags"
    ):
        raise UserError(
            f"{options.trainer} does not read the field {options.thinking} in rows of {contract}",
            remedy="--thinking tags or --thinking drop",
        )
    if not all(re.fullmatch(r"\S(?:.*\S)?", tag) for tag in options.tags):
        raise UserError(
            f"--tags {options.tags!r} does not name two tags", remedy='for example --tags "<think>...</think>"'
        )
    if options.tags[0] == options.tags[1]:
        raise UserError("the tags of --tags must differ, or nobody can tell where the thought ends")
    if options.stages == "two" and (
        options.target != "rationale" or options.order == "answer-first" or options.as_thought
    ):
        raise UserError(
            "with --stages two rationale and answer are rows of their own, in that order",
            remedy="leave out --target, --order and --as-thought, or --stages",
        )
    if options.target == "answer" and (options.order == "answer-first" or options.as_thought):
        raise UserError(
            "with --target answer no rationale is written", remedy="leave out --order and --as-thought, or --target"
        )
    for name, given in (("ask", options.ask), ("weights", options.weights)):
        for task in given:
            if task not in get_args(Task):
                raise UserError(
                    f"{_flag(name)} {task}=…: there is no task {task!r}", remedy=f"tasks: {', '.join(get_args(Task))}"
                )
    if contract == "sft" and options.system is not None and not options.system.strip():
        raise UserError("--system is empty", remedy="leave it out")


def _check_numbers(options: ExportOptions) -> None:
    if options.per_problem is not None and options.per_problem < 1:
        raise UserError("--per-problem must be 1 or more")
    if any(not 0 < weight <= 1 for weight in options.weights.values()) or sum(options.weights.values()) > 1 + 1e-9:
        raise UserError(
            "--weight: weights are above 0 and sum to 1",
            remedy="for example --weight feedback=0.3: the other tasks share the remaining 0.7",
        )


def weights_of(tasks: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    """The weight of each task that an export has.

    Raises:
        UserError: a weight for a task that it has not, or nothing left for those that are not named.
    """
    for task in given:
        if task not in tasks:
            raise UserError(
                f"--weight {task}=…: this export has no rows of the task {task!r}",
                remedy=f"its tasks: {', '.join(tasks)}",
            )
    others = [task for task in tasks if task not in given]
    rest = 1 - sum(given.values())
    if (others and rest <= 1e-9) or (not others and abs(rest) > 1e-9):
        raise UserError(
            f"--weight: the weights of {', '.join(tasks)} do not sum to 1",
            remedy="leave one task out: it gets the rest",
        )
    return {task: given.get(task, rest / max(1, len(others))) for task in tasks}


def _flag(name: str) -> str:
    return _FLAGS.get(name, "--" + name.replace("_", "-"))

"""Options of commands that export, and what they turn into."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from synth.errors import UserError

if TYPE_CHECKING:
    from synth.export import ExportOptions

__all__ = ["export_options", "license_options", "models_named", "options_from"]

F = TypeVar("F", bound=Callable[..., Any])

_EXPORT = (
    click.option(
        "--to",
        "formats",
        required=True,
        multiple=True,
        metavar="FORMAT",
        help="sft (conversations), dpo (preference pairs), kto (good and bad ones), prm (a label for each step), steps (one step with its label), grpo "
        "(prompts with what their reward is computed from), reward (pairs for a reward model), judge (verdicts of models), contrast or twins "
        "(counterfactuals), parquet (the tables of the run). May be given many times.",
    ),
    click.option(
        "--for",
        "trainer",
        type=click.Choice(["trl", "axolotl", "llama-factory", "openai", "verl", "nemo-rl", "openrlhf", "verifiers"]),
        default="trl",
        show_default=True,
        help="Whose format the rows have. Settings that read them are written beside; for verifiers a package that installs.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["conversational", "plain"]),
        help="Messages with roles, or plain strings. Default: conversational; prm: plain.",
    ),
    click.option(
        "--shape",
        type=click.Choice(["language-modelling", "prompt-completion"]),
        default="language-modelling",
        show_default=True,
        help="sft: a whole conversation or text a row, or prompt and completion apart.",
    ),
    click.option("--system", metavar="TEXT", help="A system message for every row."),
    click.option(
        "--style",
        type=click.Choice(["written", "natural", "boxed", "delimiter"]),
        default="written",
        show_default=True,
        help=r"written: the answer as its author stated it; natural: also 'The answer is X.' where the author stated none; "
        r"boxed: 'The answer is \boxed{X}.'; delimiter: 'question ###' and 'rationale --> X END' (arXiv:2212.10071).",
    ),
    click.option(
        "--thinking",
        type=click.Choice(["auto", "reasoning_content", "thinking", "tags", "drop"]),
        default="auto",
        show_default=True,
        help="Where the thought of a reasoning model stands: in a field of its message, in tags before the response, or nowhere. "
        "auto: reasoning_content where the trainer reads it, else tags.",
    ),
    click.option(
        "--tags",
        default="<think>...</think>",
        show_default=True,
        metavar="OPEN...CLOSE",
        help="The tags around a thought, where it stands in tags.",
    ),
    click.option(
        "--as-thought",
        is_flag=True,
        help="Write the reasoning of a rationale without a thought as one, and the statement of its answer as the response.",
    ),
    click.option(
        "--order",
        type=click.Choice(["rationale-first", "answer-first"]),
        default="rationale-first",
        show_default=True,
        help="Whether the rationale stands before its answer.",
    ),
    click.option(
        "--target",
        type=click.Choice(["rationale", "answer", "both"]),
        default="rationale",
        show_default=True,
        help="sft: learn the rationale with its answer, the answer alone, or both as tasks of their own (arXiv:2305.02301).",
    ),
    click.option(
        "--ask",
        "asks",
        multiple=True,
        metavar="TASK=TEXT",
        help="sft: last paragraph of the prompts of a task (rationale, answer, feedback), which distinguishes the tasks.",
    ),
    click.option(
        "--stages",
        type=click.Choice(["one", "two"]),
        default="one",
        show_default=True,
        help="sft: two writes question to rationale, and question and rationale to answer, as rows of their own.",
    ),
    click.option(
        "--weight",
        "weights",
        multiple=True,
        metavar="TASK=W",
        help="sft: weight of a task in the column `weight`; the others share the rest to 1.",
    ),
    click.option(
        "--per-problem",
        type=click.IntRange(1),
        metavar="N",
        help="Most rows of a problem (of one task), drawn by their ids.",
    ),
    click.option(
        "--labels",
        type=click.Choice(["auto", "scores", "tree", "critiques"]),
        default="auto",
        show_default=True,
        help="prm: from scores of single steps; from thought trees, where a step is right if the right answer was reached below it "
        "(arXiv:2312.08935); or up to the first mistake a critic named. auto: scores where there are any, else tree.",
    ),
    click.option(
        "--step-score",
        default="step_correct",
        show_default=True,
        metavar="NAME",
        help="prm, steps: the scores of single steps that labels are made of.",
    ),
    click.option(
        "--label-from",
        type=float,
        default=0.5,
        show_default=True,
        metavar="X",
        help="prm, steps: a step is right from this score on.",
    ),
    click.option(
        "--values",
        metavar="NAME",
        help="prm, steps: also the numbers of these scores of steps, such as step_value (soft labels; two labels a step).",
    ),
    click.option(
        "--step-weight",
        metavar="NAME",
        help="sft, prm: these scores of steps as weights of the steps, at least 0. Trainers read them by code of yours.",
    ),
    click.option(
        "--unsure",
        type=click.Choice(["drop", "cut"]),
        default="drop",
        show_default=True,
        help="prm: leave a rationale out of which a step has no label, or end its row before that step.",
    ),
    click.option(
        "--as",
        "steps_as",
        type=click.Choice(["stepwise", "chat"]),
        default="stepwise",
        show_default=True,
        help="prm: chat is a conversation for generative ones: each step, and as the reply its analysis and verdict.",
    ),
    click.option(
        "--verdicts",
        default="right,wrong",
        show_default=True,
        metavar="RIGHT,WRONG",
        help="prm --as chat, steps: the words of a verdict.",
    ),
    click.option(
        "--reasons",
        metavar="NAME",
        help="prm --as chat, steps: whose reasons are the analysis. Default: those of --step-score.",
    ),
    click.option(
        "--balance",
        metavar="RIGHT:WRONG",
        help="steps: the proportion of right to wrong ones, such as 1:1; the others are left out by a hash.",
    ),
    click.option(
        "--prefix",
        type=click.Choice(["none", "prompt", "assistant"]),
        default="none",
        show_default=True,
        help="dpo: where the sides of a pair differ. The steps they share stand at the end of the prompt, or begin both sides.",
    ),
    click.option(
        "--rejected",
        type=click.Choice(["rest", "step"]),
        default="rest",
        show_default=True,
        help="dpo --prefix: reject all that follows the shared steps, or the first differing step alone (arXiv:2404.10346).",
    ),
    click.option("--margin", is_flag=True, help="reward: state each pair's margin, which TRL puts into the loss."),
    click.option(
        "--reward",
        default="correct",
        show_default=True,
        metavar="NAME",
        help="grpo: the function of synth.rewards for problems that name none themselves.",
    ),
    click.option(
        "--reward-args",
        metavar="JSON",
        help="grpo: its options, such as '{\"high\": 300}' for length_band.",
    ),
    click.option(
        "--label-free",
        is_flag=True,
        help="grpo: also problems without a gold answer, rewarded by the share of completions with the same answer.",
    ),
    click.option(
        "--begun",
        type=click.Choice(["in_prompt", "prefill"]),
        default="in_prompt",
        show_default=True,
        help="grpo: where the beginning of a reply stands that the model continues: in the question, or behind it (plain rows).",
    ),
    click.option("--by-stage", is_flag=True, help="grpo: a file for each stage of a curriculum."),
    click.option(
        "--environment",
        metavar="NAME",
        help="grpo --for verifiers: the name of the package. Default: synth- and the name of the pipeline.",
    ),
)

_LICENSES = (
    click.option(
        "--license",
        metavar="ID",
        help="Licence of the data set, as the Hub writes it: apache-2.0, mit, cc-by-4.0, odc-by… Without it the card says unknown.",
    ),
    click.option("--input-license", metavar="TEXT", help="Licence of the problems, in words, for the card."),
    click.option(
        "--model-license",
        "model_licenses",
        multiple=True,
        metavar="MODEL=TEXT",
        help="Licence of a model, or the terms its output is under. Default: `license` in your profile.",
    ),
)


def export_options(command: F) -> F:
    """`--to`, `--for`, and how rows are written."""
    for option in reversed(_EXPORT):
        command = option(command)
    return command


def license_options(command: F) -> F:
    """`--license`, `--input-license` and `--model-license`."""
    for option in reversed(_LICENSES):
        command = option(command)
    return command


def options_from(
    tags: str,
    asks: Sequence[str],
    weights: Sequence[str],
    verdicts: str,
    balance: str | None,
    reward_args: str | None,
    **chosen: Any,
) -> ExportOptions:
    """The options of an export as they were given."""
    from synth.export import ExportOptions

    return ExportOptions(
        tags=_tags(tags),
        verdicts=_verdicts(verdicts),
        balance=None if balance is None else _proportion(balance),
        ask=dict(_named("--ask", item) for item in asks),
        weights={task: _number("--weight", weight) for task, weight in (_named("--weight", w) for w in weights)},
        reward_args={} if reward_args is None else _object("--reward-args", reward_args),
        **chosen,
    )


def models_named(items: Sequence[str]) -> dict[str, str]:
    """`--model-license` options as a mapping."""
    return dict(_named("--model-license", item, "MODEL", "gpt") for item in items)


def _tags(given: str) -> tuple[str, str]:
    opening, dots, closing = given.replace("…", "...").partition("...")
    if not (opening and dots and closing):
        raise UserError(f"--tags {given} is not OPEN...CLOSE", fix="for example --tags '<think>...</think>'")
    return opening, closing


def _verdicts(given: str) -> tuple[str, str]:
    right, comma, wrong = given.partition(",")
    if not comma:
        raise UserError(f"--verdicts {given} is not RIGHT,WRONG", fix="for example --verdicts right,wrong")
    return right.strip(), wrong.strip()


def _proportion(given: str) -> tuple[int, int]:
    right, colon, wrong = given.partition(":")
    if not (colon and all(part.isascii() and part.isdigit() and len(part) < 10 for part in (right, wrong))):
        raise UserError(f"--balance {given} is not RIGHT:WRONG", fix="for example --balance 1:1")
    return int(right), int(wrong)


def _named(option: str, item: str, what: str = "TASK", such: str = "answer") -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise UserError(f"{option} {item} is not {what}=…", fix=f"for example {option} {such}=…")
    return name.strip(), value


def _object(option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{option} {text} is not a JSON object", fix=f"for example {option} '{{\"high\": 300}}'")
    return value


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{option}: {text!r} is no number", fix=f"for example {option} answer=0.3") from None

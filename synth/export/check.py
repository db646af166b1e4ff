"""Which options go together, and which format and trainer each is for: all that can be found before a run is looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import get_args

from synth.errors import UserError
from synth.export.format import Format, thought_place
from synth.export.formats import BUILT_IN, all_formats, format_of
from synth.export.options import ExportOptions, Trainer, flag
from synth.export.row import Task

__all__ = ["TRAINERS", "checked", "options_of"]

TRAINERS: dict[str, frozenset[str]] = {
    trainer: frozenset(kind.name for kind in BUILT_IN if trainer in kind.trainers) for trainer in get_args(Trainer)
}
"""Our formats by the trainers that read them. `contrast`, `twins` and `parquet` are read only by your own code."""

_DEFAULT = ExportOptions()
_ALWAYS = {"trainer", "file_format", "replace"}
"""Options that every format has."""


def checked(to: str, options: ExportOptions) -> Format:
    """The format of that name, with all checked that can be before a run is looked at.

    Raises:
        UserError: an unknown format, one that the trainer does not read, options that do not apply or exclude each other.
    """
    (format_,) = _check_apply([to], options)
    _check_trainer(format_, options)
    _check_texts(format_, options)
    _check_numbers(options)
    format_.check(options)
    return format_


def options_of(to: Sequence[str], options: ExportOptions) -> dict[str, ExportOptions]:
    """The options of each of several formats, checked: of those given each takes what applies to it.

    Raises:
        UserError: as `checked`; and for an option that applies to none of them.
    """
    made = {}
    for format_ in _check_apply(to, options):
        without = {f.name for f in fields(ExportOptions)} - _ALWAYS - format_.options
        if format_.name == "parquet" and len(to) > 1:
            without |= {"file_format", "trainer"}  # tables are written as they are, independent of the rows beside them
        mine = replace(options, **{name: getattr(_DEFAULT, name) for name in without})
        checked(format_.name, mine)
        made[format_.name] = mine
    return made


def _check_apply(to: Sequence[str], options: ExportOptions) -> list[Format]:
    """The formats of these names, each once; raises for one there is not, and for an option that is for none of them."""
    formats = [format_of(name) for name in dict.fromkeys(to)]
    for one in fields(ExportOptions):
        applies = one.name in _ALWAYS or any(one.name in format_.options for format_ in formats)
        if not applies and getattr(options, one.name) != getattr(_DEFAULT, one.name):
            having = [f.name for f in all_formats().values() if one.name in f.options]
            raise UserError(
                f"{flag(one.name)} does not apply to {' or '.join(to)}",
                fix=f"it is for {', '.join(having)}; leave it out",
            )
    return formats


def _check_trainer(format_: Format, options: ExportOptions) -> None:
    trainer = options.trainer
    if trainer not in TRAINERS:
        raise UserError(f"there is no trainer {trainer!r}", fix=f"trainers: {', '.join(TRAINERS)}")
    if trainer not in format_.trainers:
        others = format_.trainers and f"its rows are made of {' or '.join(sorted(TRAINERS[trainer]))} alone"
        why = format_.why_not.get(trainer) or others or "this is read by code of your own only; leave --for out"
        raise UserError(
            f"{trainer} cannot be given {format_.name}: {why}",
            fix=f"--for {' or '.join(t for t in TRAINERS if t in format_.trainers)}",
        )
    if trainer == "openai" and options.file_format != "jsonl":
        raise UserError("OpenAI takes JSONL only", fix="leave --file-format out")
    if trainer == "openai" and (options.layout == "plain" or options.shape == "prompt-completion"):
        raise UserError("OpenAI takes conversations only", fix="leave --layout plain and --shape prompt-completion out")
    if options.shape == "prompt-completion" and options.layout != "plain" and trainer != "trl":
        raise UserError(
            f"{trainer} reads conversations as one, and trains on the assistant's turns alone as it is",
            fix="leave --shape out, or take --layout plain too",
        )


def _check_texts(format_: Format, options: ExportOptions) -> None:
    if options.style == "delimiter" and options.order == "answer-first":
        raise UserError(
            "the delimiters of --style delimiter stand between rationale and answer, in that order",
            fix="leave out --order, or --style",
        )
    if options.as_thought and (options.order == "answer-first" or options.style == "delimiter"):
        raise UserError(
            "with --as-thought the reasoning stands in the thought, and the answer after it",
            fix="leave out --as-thought, or --order and --style",
        )
    if options.as_thought and options.thinking == "drop":
        raise UserError(
            "--as-thought writes the reasoning as a thought, and --thinking drop leaves thoughts out",
            fix="leave out one of them",
        )
    if options.thinking in {"reasoning_content", "thinking"}:
        fix = "--thinking tags or --thinking drop"
        if not format_.conversational(options):
            raise UserError(
                f"--thinking {options.thinking} is a field of a message, and these rows are strings", fix=fix
            )
        if thought_place(format_, replace(options, thinking="auto")) == "tags":
            raise UserError(
                f"{options.trainer} does not read the field {options.thinking} in rows of {format_.name}", fix=fix
            )
    if not all(re.fullmatch(r"\S(?:.*\S)?", tag) for tag in options.tags):
        raise UserError(
            f"--tags {options.tags!r} does not name two tags", fix='for example --tags "<think>...</think>"'
        )
    if options.tags[0] == options.tags[1]:
        raise UserError("the tags of --tags must differ, or it is unclear where the thought ends")
    for name, given in (("ask", options.ask), ("weights", options.weights)):
        for task in given:
            if task not in get_args(Task):
                raise UserError(
                    f"{flag(name)} {task}=…: there is no task {task!r}", fix=f"tasks: {', '.join(get_args(Task))}"
                )


def _check_numbers(options: ExportOptions) -> None:
    if options.per_problem is not None and options.per_problem < 1:
        raise UserError("--per-problem must be 1 or more")
    if any(not 0 < weight <= 1 for weight in options.weights.values()) or sum(options.weights.values()) > 1 + 1e-9:
        raise UserError(
            "--weight: weights are above 0 and sum to 1",
            fix="for example --weight feedback=0.3: the other tasks share the remaining 0.7",
        )

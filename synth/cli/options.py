"""Options several commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from synth.errors import UserError

__all__ = ["input_options", "mapping_of", "replace_input_option", "run_argument", "teacher_options", "thresholds_of"]

F = TypeVar("F", bound=Callable[..., Any])


def input_options(command: F) -> F:
    """`--input`, `--map` and `--mapping`."""
    command = click.option(
        "--mapping",
        metavar="NAME",
        help="How rows are read that hold more than a problem: a mapping of `synth import --list`, or a file of yours.",
    )(command)
    command = click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Which column gives a field: question, answer, answer_index (from 0), answer_number (from 1), choices, context, "
        "reference_solution, answer_kind, evidence, rubric. May be given many times.",
    )(command)
    return click.option(
        "--input",
        "input_name",
        metavar="FILE",
        help="Problems: .jsonl, .json, .csv, .tsv or .parquet, also packed (.gz, .zst); - for standard input; "
        "hub:OWNER/NAME?split=train for a data set of the Hub; or "
        "gym:TASK?size=100&seed=1 for procedural ones (extra gym). "
        "Default: the pipeline's own sample.",
    )(command)


def teacher_options(command: F) -> F:
    """`--teacher` and `--profile`."""
    command = click.option(
        "--profile",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Profile with your teachers. Default: $SYNTH_TEACHERS, ./teachers.yaml, ~/.config/synth/teachers.yaml.",
    )(command)
    return click.option(
        "--teacher",
        "given",
        multiple=True,
        metavar="[ROLE=]NAME",
        help="Who plays a role (or every role): a teacher of the profile, local, local:MODEL, local:/path/to/model.gguf, "
        "scripted, or URL#MODEL. Several for one role: ROLE=A,B. Default: local, a small model on this machine.",
    )(command)


def replace_input_option(command: F) -> F:
    """`--replace-input`."""
    return click.option(
        "--replace-input",
        is_flag=True,
        help="Where the run folder was made with problems that are not in this input (or beyond --limit): exclude them from the "
        "run. Without it that is an error.",
    )(command)


def run_argument(command: F) -> F:
    """The argument RUN."""
    return click.argument("run", type=click.Path(path_type=Path, file_okay=False))(command)


def mapping_of(maps: Sequence[str]) -> Mapping[str, str]:
    """`--map` options as a mapping from field to column."""
    mapping: dict[str, str] = {}
    for item in maps:
        name, equals, column = item.partition("=")
        if not equals or not name or not column:
            raise UserError(f"--map {item} is not FIELD=COLUMN", remedy="for example --map question=prompt")
        mapping[name.strip()] = column.strip()
    return mapping


def thresholds_of(settings: Sequence[str]) -> dict[str, float]:
    """`--set` options as thresholds by the name of the audit."""
    thresholds = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            thresholds[name.strip()] = float(value)
        except ValueError:
            raise UserError(f"--set {setting} is not NAME=NUMBER", remedy="for example --set unparsed=0.05") from None
    return thresholds

"""Options several commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from synth.errors import UserError

__all__ = [
    "bounds_options",
    "code_option",
    "input_options",
    "mapping_of",
    "media_option",
    "model_options",
    "replace_input_option",
    "run_argument",
    "thresholds_of",
]

F = TypeVar("F", bound=Callable[..., Any])


def bounds_options(command: F) -> F:
    """`--timeout` and `--memory`, of questions in SQL."""
    command = click.option(
        "--memory",
        default="25%",
        show_default=True,
        metavar="SIZE",
        callback=_size,
        help="How much memory tables may take: 4GB, 500MB, or a share of this machine's. More is spilled to disk where that can be.",
    )(command)
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="After which a question is stopped; 0 for never.",
    )(command)


def _size(_ctx: click.Context, _option: click.Parameter, text: str) -> str:
    from synth.store.apart import is_size

    if not is_size(text):
        raise UserError(f"--memory {text} is no size", fix="for example --memory 4GB, or --memory 50%")
    return text


def input_options(command: F) -> F:
    """`--input`, `--map`, `--mapping` and `--media-from`."""
    command = media_option(command)
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
        "reference_solution, answer_kind, evidence, rubric, constraints, reward, tests, entry_point. May be given many times.",
    )(command)
    return click.option(
        "--input",
        "input_name",
        metavar="FILE",
        help="Problems: .jsonl, .json, .csv, .tsv or .parquet, also packed (.gz, .zst); - for standard input; "
        "hub:OWNER/NAME?split=train for a data set of the Hub; make:NAME?size=100&seed=1 for "
        "generated ones (make: lists the generators); or gym:TASK?size=100&seed=1 for those of reasoning-gym (extra gym). "
        "Default: the pipeline's own sample.",
    )(command)


def media_option(command: F) -> F:
    """`--media-from`."""
    return click.option(
        "--media-from",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="A folder from which files may be taken (images and sounds that rows name, prompts and data that a pipeline "
        "file names), beside the folder of the file that names them and those below. May be given many times.",
    )(command)


def code_option(command: F) -> F:
    """`--allow-code`, of a command with the argument PIPELINE."""

    @wraps(command)
    def allowing(*args: Any, allow_code: bool, **given: Any) -> Any:
        if allow_code:
            from synth.pipeline import allow_code as allow

            pipeline = given["pipeline" if "pipeline" in given else "name"]
            if pipeline is None:
                raise UserError("--allow-code allows the Python of one pipeline", fix="name the pipeline")
            for path in allow(pipeline, media_from=given.get("media_from")):
                click.echo(f"allowed to run, until it changes: {path}", err=True)
        return command(*args, **given)

    return click.option(
        "--allow-code",
        is_flag=True,
        help="Allow the Python that the pipeline brings (its code:) to run as you; remembered until the file changes.",
    )(cast("F", allowing))


def model_options(command: F) -> F:
    """`--model` and `--profile`."""
    command = click.option(
        "--profile",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Profile with your models. Default: $SYNTH_MODELS, ./models.yaml, ~/.config/synth/models.yaml.",
    )(command)
    return click.option(
        "--model",
        "given",
        multiple=True,
        metavar="[ROLE=]NAME",
        help="Who plays a role (or every role): a model of the profile, local, local:MODEL, local:/path/to/model.gguf, "
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
            raise UserError(f"--map {item} is not FIELD=COLUMN", fix="for example --map question=prompt")
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
            raise UserError(f"--set {setting} is not NAME=NUMBER", fix="for example --set unparsed=0.05") from None
    return thresholds

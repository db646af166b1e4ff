"""`synth curate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synth.cli.options import run_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command"]


@click.command("curate", short_help="Apply a corpus step to a finished run, or undo the last one.")
@run_argument
@click.argument("step", required=False)
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the step, its value written as in a pipeline file. May be given many times.",
)
@click.option("--undo", is_flag=True, help="Remove the step that was added last: what it rejected is back.")
@click.option(
    "--yes",
    is_flag=True,
    help="Take the steps that somebody else added to this run as yours: they may read files outside of its folder.",
)
def command(run: Path, step: str | None, options: tuple[str, ...], undo: bool, yes: bool) -> None:
    """Apply the corpus step STEP to what RUN has kept. What it rejects stays, with the reason, as of the pipeline's own
    steps, and nothing is asked of any model. Without STEP: which were added manually, and what they rejected.

    The step is noted in the run: it comes after the pipeline's own, and runs again whenever `synth run` adds to the run.

    \b
      synth curate runs/gsm8k near_duplicates --set threshold=0.7 --set keep=longest
      synth curate runs/gsm8k decontaminate --set 'against=[gsm8k_test.jsonl]'
      synth curate runs/gsm8k split --set 'shares={train: 0.9, test: 0.1}'
      synth curate runs/gsm8k --undo
      synth pipelines --step near_duplicates
    """
    from synth.engine import add_by_hand, adopt, by_hand, take_off
    from synth.errors import UserError

    def report(line: str) -> None:
        click.echo(line, err=True)

    if yes:
        adopt(run)
    if undo:
        if step is not None or options:
            raise UserError("--undo takes off the last step, whichever it is", fix="give it alone")
        click.echo(f"{take_off(run, report)} is removed")
        return
    if step is None:
        if options:
            raise UserError("no step is named", fix="synth curate RUN STEP --set …")
        names = [s.name for s in by_hand(run)]
        if not names:
            click.echo("no corpus step was added manually")
    else:
        names = [add_by_hand(run, {"step": step, **_options(options)}, report).name]
    _report_what_is_out(run, names)


def _options(words: Sequence[str]) -> dict[str, Any]:
    from synth.errors import UserError
    from synth.yaml_text import NotYaml, read_yaml

    found = {}
    for word in words:
        option, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--set {word} has no =", fix="--set OPTION=VALUE")
        try:
            found[option.strip()] = read_yaml(value)
        except NotYaml as error:
            raise UserError(
                f"--set {word[:80]}: the value is not YAML: {error.what}",
                fix="write it as in a pipeline file, in quotes of the shell",
            ) from error
    return found


def _report_what_is_out(run: Path, names: Sequence[str]) -> None:
    from synth.store.database import open_store

    query = "SELECT rule, target_table, n FROM rejection_reasons WHERE step = ? ORDER BY n DESC"
    with open_store(run) as store:
        for name in names:
            rows = store.sql(query, [name]).fetchall()
            out = "; ".join(f"{n:,} {table} out, {rule}" for rule, table, n in rows)
            click.echo(f"{name}: {out or 'nothing is rejected'}")

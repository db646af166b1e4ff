"""`synth audit`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.options import bounds_options, run_argument, thresholds_of

if TYPE_CHECKING:
    from synth.audit import Severity, Verdict

__all__ = ["command"]


@click.command("audit", short_help="Checks that a run can fail; how reviewers judge and agree.")
@run_argument
@click.option("--only", metavar="NAMES", help="Only these audits, with commas.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="The least severity of a failed audit for which the exit code is 1.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another threshold; may be given many times."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Audits of your own, NAME.sql each; one named like one of ours takes its place.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "junit"]),
    default="table",
    show_default=True,
    help="How the verdicts are written.",
)
@click.option("--list", "listing", is_flag=True, help="The audits and what they hold a run to; asks nothing.")
@click.option("--look", is_flag=True, help="Instead: tables of how reviewers judge and agree, and what they accepted.")
@click.option(
    "--save-calibration",
    "calibration_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With the tables of --look: write each reviewer's mean and standard deviation, for the option calibration of "
    "the step review.",
)
@click.option(
    "--review", default="review", show_default=True, metavar="NAME", help="Which review, for --save-calibration."
)
@bounds_options
def command(
    run: Path,
    only: str | None,
    fail_on: Severity,
    settings: tuple[str, ...],
    folder: Path | None,
    form: str,
    listing: bool,
    look: bool,
    calibration_file: Path | None,
    review: str,
    timeout: float,
    memory: str,
) -> None:
    """Hold RUN to what a corpus should be: is the answer given away in prompts, do reviewers agree, are splits apart, is one
    side of the pairs always the longer? Each audit is a question in SQL that measures something, and a threshold.

    Exit code 1 where an audit fails; of warnings only with --fail-on warning. Works while the run goes on. Each audit of --folder
    is stopped after --timeout seconds, and where it takes more than --memory.

    \b
      synth audit runs/first
      synth audit runs/first --only model_share,unparsed --set unparsed=0.05
      synth audit runs/first --folder audits --fail-on warning --format junit > audits.xml
      synth audit runs/mapd --look
    """
    from synth.audit import failing, run_audits
    from synth.audit.forms import as_json, as_junit
    from synth.render.inert import inert
    from synth.store.database import open_store
    from synth.store.invented import invented_in

    if look or calibration_file is not None:
        _look(run, calibration_file, review)
        return
    if listing:
        _list(folder)
        return
    names = [n for n in (only or "").replace(",", " ").split() if n]
    thresholds = thresholds_of(settings)
    verdicts = run_audits(run, folder=folder, only=names, thresholds=thresholds, seconds=timeout or None, memory=memory)
    if form == "table":
        _show(verdicts, fail_on)
    else:
        click.echo((as_json if form == "json" else as_junit)(verdicts, str(run), fail_on))
    with open_store(run) as store:
        if (invented := invented_in(store)) is not None:
            click.echo(f"note: {inert(invented.sentence, 1000)}", err=True)
    if failing(verdicts, fail_on):
        sys.exit(1)


def _show(verdicts: Sequence[Verdict], fail_on: Severity) -> None:
    from rich.table import Table
    from rich.text import Text

    from synth.audit import failing
    from synth.cli.tables import output
    from synth.render.inert import inert

    out = output()
    styles = {"passed": "green", "failed": "bold red", "warning": "yellow", "skipped": "dim"}
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for v in verdicts:
        word = "warning" if v.status == "failed" and v.severity == "warning" else v.status
        measured = v.value is not None and v.status != "skipped"
        bound = "≤" if v.bound == "at most" else "≥"
        said = inert("; ".join(filter(None, [v.unit if measured else None, v.note])))
        table.add_row(
            Text(word, style=styles[word]),
            Text(inert(v.name)),
            Text(_number(v.value) if measured else ""),
            Text(f"{bound} {v.threshold:g}" if measured else "", style="dim"),
            Text(said, style="dim"),
        )
    out.print(table)
    for v in verdicts:
        if v.status == "failed":
            of = f" (over {v.n:,})" if v.n is not None else ""
            out.print(
                Text(f"\n{inert(v.name)}", style="bold")
                + Text(f": {_number(v.value)} {inert(v.unit)}{of}, {v.bound} {v.threshold:g}")
            )
            out.print(Text(inert(v.meaning)))
            out.print(Text(f"→ {inert(v.fix)}"))
            if v.examples:
                out.print(Text(f"such as {inert(', '.join(v.examples))}", style="dim"))
    counts = {s: sum(v.status == s for v in verdicts) for s in ("passed", "failed", "skipped")}
    counted = ", ".join(f"{n} {status}" for status, n in counts.items())
    spared = counts["failed"] - len(failing(verdicts, fail_on))
    out.print(Text(f"\n{counted}" + (f" ({spared} of these only warn)" if spared else "")))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _list(folder: Path | None) -> None:
    from synth.audit import load_audits
    from synth.cli.tables import output, table_of

    audits = {a.name: a for a in (*load_audits(), *(load_audits(folder) if folder is not None else ()))}
    rows = [
        {"audit": a.name, "severity": a.severity, "passes": f"{a.bound} {a.threshold:g}", "what is measured": a.unit}
        for a in sorted(audits.values(), key=lambda a: a.name)
    ]
    output().print(table_of(rows))


def _look(run: Path, calibration_file: Path | None, review: str) -> None:
    import orjson
    from rich.text import Text

    from synth.audit import look_over, rater_calibration
    from synth.cli.tables import output, table_of
    from synth.errors import UserError
    from synth.files import write_file
    from synth.store.database import open_store

    out = output()
    with open_store(run) as store:
        sections = look_over(store)
        known = rater_calibration(store, review) if calibration_file is not None else {}
    for section in sections:
        out.print(Text(f"\n{section.title}", style="bold"))
        out.print(Text(section.meaning, style="dim"))
        rows = [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in section.rows]
        out.print(table_of(rows))
    if not sections:
        out.print("no reviews, critiques or pairs to look at")
    if calibration_file is not None:
        if not known:
            raise UserError(
                f"the run has no reviews named {review!r}", fix="name the score of its step review: --review NAME"
            )
        write_file(calibration_file, orjson.dumps(known, option=orjson.OPT_INDENT_2))
        out.print(f"\ncalibration of {len(known)} reviewers in {calibration_file}")

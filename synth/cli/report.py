"""`synth report`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("report", short_help="One HTML file that shows what a run is, to read or to send.")
@run_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it. Default: RUN/report.html.",
)
def command(run: Path, out: Path | None) -> None:
    """Write what RUN is into one HTML file: the funnel, why records were rejected, cost and tokens, scores and lengths, how
    reviewers agree, audits, and examples of rationales, pairs and trees. It needs no network and runs no script;
    examples are sampled, so that it can be mailed. Works while the run goes on.

    \b
      synth report runs/first
      synth report runs/first --out first.html
    """
    from synth.render.report import write_report

    where = out or run / "report.html"
    size = write_report(run, where)
    click.echo(f"{where} written, {size / 1024:,.0f} KB")

"""`synth retry`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("retry", short_help="Do the failed records of a run again.")
@run_argument
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also failures that asking again is not expected to mend (refusals, bad requests).",
)
def command(run: Path, everything: bool) -> None:
    """Do the units of RUN again in which something failed. Replies on record are used again; only the failed calls are asked.

    No other problems are begun: where a run ended early, the command of the run goes on with it.
    """
    from synth.cli.panel import show
    from synth.engine import failed_units, reopen
    from synth.store.run_folder import read_manifest

    manifest = read_manifest(run)
    units, others = failed_units(run, everything=everything)
    if not units:
        more = f"; {others} are not worth asking again (--all does)" if others and not everything else ""
        click.echo(f"nothing to retry{more}")
        return
    words = manifest["words"]
    show(reopen(run, words), run, limit=manifest["limit"], skip_bad=words["skip_bad"], again=units, again_only=True)

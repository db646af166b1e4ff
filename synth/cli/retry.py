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
    """Do the units of RUN again in which something failed. Replies on record are used again; only the failed calls are asked."""
    from synth.cli.panel import show
    from synth.engine import reopen
    from synth.store.database import open_store
    from synth.store.run_folder import read_manifest

    manifest = read_manifest(run)
    with open_store(run) as store:
        failed = store.sql("SELECT DISTINCT unit FROM failures WHERE retriable OR ?", [everything]).fetchall()
        units = frozenset(unit for (unit,) in failed)
        others = store.sql("SELECT count(*) FROM failures WHERE NOT retriable").fetchone()
    if not units:
        more = (
            f"; {others[0]} are not worth asking again (--all does)" if others and others[0] and not everything else ""
        )
        click.echo(f"nothing to retry{more}")
        return
    words = manifest["words"]
    show(reopen(run, words), run, limit=manifest["limit"], skip_bad=words["skip_bad"], again=units)

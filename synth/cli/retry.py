"""`synth retry`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.approving import asking, yes_option
from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("retry", short_help="Do the failed records of a run again.")
@run_argument
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also failures that asking again is not expected to fix (refusals, bad requests).",
)
@yes_option
def command(run: Path, everything: bool, yes: bool) -> None:
    """Do the units of RUN again in which something failed. Replies on record are used again; only the failed calls are asked.

    No other problems are begun: where a run ended early, the command of the run resumes it.

    The folder says which pipeline, problems, profile and models are used. Where it was not you who made it, on this machine,
    all of that is shown, with the hosts that keys and prompts would go to, and asked for first.
    """
    from synth.cli.panel import show
    from synth.engine import corpus_is_due, failed_in, forget, reopen
    from synth.store.manifest import read_manifest

    manifest = read_manifest(run)
    failed = failed_in(run, everything=everything)
    if not failed.units and not corpus_is_due(run):
        more = f"; {failed.others} are not worth asking again (--all does)" if failed.others and not everything else ""
        click.echo(f"nothing to retry{more}")
        return
    session = reopen(run, manifest, approve=asking(yes=yes))
    forget(run, failed.unusable)
    skip_invalid = manifest.words is not None and manifest.words.skip_invalid
    show(session, run, limit=manifest.limit, skip_invalid=skip_invalid, again=failed.units, again_only=True)

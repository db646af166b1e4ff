"""`synth push`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synth.cli.approving import asking, yes_option
from synth.cli.export_options import export_options, license_options, models_named, options_from
from synth.cli.options import run_argument, thresholds_of

if TYPE_CHECKING:
    from synth.publish import Pushed

__all__ = ["command"]


@click.command("push", short_help="Publish exports on the Hugging Face Hub.")
@run_argument
@click.argument("repo")
@export_options
@click.option("--public", is_flag=True, help="For everybody to see. Default: a new repository is private.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent, replaced and removed; nothing is written.")
@license_options
@click.option("--branch", "--revision", metavar="NAME", help="Another branch than main; made if it is not there.")
@click.option("--message", metavar="TEXT", help="Of the commit.")
@click.option("--ignore-audits", is_flag=True, help="Publish although audits fail; the card says so.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another threshold of an audit; may be given many times.",
)
@click.option(
    "--audits",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Audits of your own, NAME.sql each.",
)
@click.option(
    "--allow-secret",
    "not_secrets",
    multiple=True,
    metavar="MARK",
    help="What looks like a secret and is none, by the fingerprint that the refusal shows; may be given many times.",
)
@click.option(
    "--profile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Profile with your models, for their licences and the names of their keys. Default: as of `synth run`.",
)
@click.option("--replace", is_flag=True, help="Replace or remove files there that are in the way and not from a push.")
@yes_option
def command(
    run: Path,
    repo: str,
    formats: Sequence[str],
    public: bool,
    dry_run: bool,
    license: str | None,  # noqa: A002 - the word of the Hub
    input_license: str | None,
    model_licenses: Sequence[str],
    branch: str | None,
    message: str | None,
    ignore_audits: bool,
    settings: Sequence[str],
    audits: Path | None,
    not_secrets: Sequence[str],
    profile: Path | None,
    yes: bool,
    **chosen: Any,
) -> None:
    """Publish exports of RUN as the data set REPO (OWNER/NAME) of the Hugging Face Hub: a configuration for each --to, with the
    splits of the run, as Parquet; a card that says how it was made, what it cost and what was checked; the pipeline, the
    audits and a report.

    A new repository is private. What an earlier push wrote and this one does not is removed; files of others stay.
    Nothing is sent that the Hub has already: cut off half way, the same command resumes, and until its end nothing of it is to
    be seen. What fails an audit, or holds what looks like a key, is not published (exit code 1). Nor is what the scripted model
    wrote (synth rehearse, --model scripted): its text is invented.

    The token is that of HF_TOKEN, or of `hf auth login`. HF_ENDPOINT names another Hub, which is asked for once. docs/publish.md has more.

    \b
      synth push runs/first me/first --to sft --to dpo --dry-run
      synth push runs/first me/first --to sft --to dpo --license cc-by-4.0
    """
    from synth.publish import push

    pushed = push(
        run,
        repo,
        formats,
        options_from(**chosen),
        public=public,
        dry_run=dry_run,
        license=license,
        input_license=input_license,
        model_licenses=models_named(model_licenses),
        profile=profile,
        branch=branch,
        message=message,
        ignore_audits=ignore_audits,
        audits=audits,
        thresholds=thresholds_of(settings),
        not_secrets=not_secrets,
        approve=asking(yes=yes),
    )
    _show(pushed, dry_run=dry_run)


def _show(pushed: Pushed, *, dry_run: bool) -> None:
    from synth.render.inert import inert

    seen = "private" if pushed.private else "public"
    state = "" if pushed.exists else ", new"
    click.echo(f"{pushed.repo}: {seen}{state}, branch {pushed.branch}")
    widths = [max(len(text) for text in column) for column in zip(*map(_cells, pushed.changes), strict=True)]
    for change in pushed.changes:
        what, path, rows, size = _cells(change)
        line = f"{what:{widths[0]}}  {inert(path):{widths[1]}}  {rows:>{widths[2]}}  {size:>{widths[3]}}"
        click.echo(f"{line}  sha256 {change.sha256}" if change.sha256 else line.rstrip())
    if pushed.others:
        click.echo(f"not from a push, and left as they are: {inert(', '.join(pushed.others), 1000)}")
    for line in (*pushed.left_out, *pushed.notes):
        click.echo(f"note: {inert(line)}", err=True)
    written = pushed.written
    sent = sum(c.size for c in written)
    gone = sum(c.what == "gone" for c in written)
    if not written:
        click.echo(f"nothing to send: {pushed.url} has all of it")
    elif dry_run:
        click.echo(f"would send {len(written) - gone} files ({sent:,} bytes) and remove {gone}; nothing was written")
    else:
        click.echo(f"{len(written) - gone} files ({sent:,} bytes) sent, {gone} removed: {pushed.url}")


def _cells(change: Any) -> tuple[str, str, str, str]:
    rows = f"{change.rows:,} rows" if change.rows is not None else ""
    return change.what, change.path, rows, f"{change.size:,} bytes" if change.sha256 else ""

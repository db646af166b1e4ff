"""`synth audit`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("audit", short_help="How reviewers judge and agree; what is odd in what was kept.")
@run_argument
@click.option(
    "--save-leniency",
    "leniency_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write each reviewer's mean and standard deviation, for the option calibration of the step review.",
)
@click.option(
    "--review", default="review", show_default=True, metavar="NAME", help="Which review, for --save-leniency."
)
def command(run: Path, leniency_file: Path | None, review: str) -> None:
    """Look RUN over: how lenient and how informative its reviewers are and whether they agree, what they accepted that
    never names the gold number, whether critiques find the mistake, and whether pairs teach length.

    \b
      synth audit runs/mapd
      synth audit runs/mapd --save-leniency reviewers.json
    """
    import orjson
    from rich.text import Text

    from synth.audit import leniency, look_over
    from synth.cli.tables import output, table_of
    from synth.errors import UserError
    from synth.store.database import open_store

    out = output()
    with open_store(run) as store:
        sections = look_over(store)
        known = leniency(store, review) if leniency_file is not None else {}
    for section in sections:
        out.print(Text(f"\n{section.title}", style="bold"))
        out.print(Text(section.meaning, style="dim"))
        rows = [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in section.rows]
        out.print(table_of(rows))
    if not sections:
        out.print("no reviews, critiques or pairs to look at")
    if leniency_file is not None:
        if not known:
            raise UserError(
                f"the run has no reviews named {review!r}", remedy="name the score of its step review: --review NAME"
            )
        leniency_file.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2))
        out.print(f"\nleniency of {len(known)} reviewers in {leniency_file}")

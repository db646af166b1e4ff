"""`synth import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.sources import Source

__all__ = ["command"]


@click.command("import", short_help="Turn data you own into records of a run.")
@click.argument("input_name", required=False, metavar="INPUT")
@click.option("--mapping", metavar="NAME", help="How its rows are read: a shipped mapping, or a file of yours.")
@click.option(
    "--run", "run_path", type=click.Path(path_type=Path), metavar="DIR", help="The run folder. Default: runs/MAPPING."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option("--skip-bad", is_flag=True, help="Where some rows do not fit, list them and go on with the others.")
@click.option("--dry-run", is_flag=True, help="Read all of it, show the first records, and write nothing.")
@click.option("--list", "listing", is_flag=True, help="The shipped mappings.")
@click.option("--show", "shown", is_flag=True, help="The text of the mapping, to begin one of your own with.")
def command(
    input_name: str | None,
    mapping: str | None,
    run_path: Path | None,
    limit: int | None,
    skip_bad: bool,
    dry_run: bool,
    listing: bool,
    shown: bool,
) -> None:
    """Read INPUT by a declared mapping into a run of its own: problems, and the rationales, pairs, scores of steps or of
    whole rationales, and critiques that its rows hold. Nothing is asked of any teacher.

    INPUT is a file (.jsonl, .csv, .tsv, .parquet) or a data set of the Hub (hub:OWNER/NAME?split=train). Every row that
    does not fit is told, with line and reason, before anything is written. What comes of it is a run like any other:
    `synth audit`, `synth view`, `synth export` work on it, and pipelines with `imports:` work on such input directly.

    \b
      synth import --list
      synth import train.jsonl --mapping prm800k --run runs/prm800k
      synth import hub:Anthropic/hh-rlhf --mapping hh-rlhf --limit 1000 --dry-run
    """
    from synth.cli.panel import show
    from synth.engine import open_session
    from synth.errors import UserError
    from synth.pipeline import read_pipeline
    from synth.sources import load_mapping
    from synth.sources.mapping_files import find_mapping

    if listing:
        _list()
        return
    if mapping is None:
        raise UserError("no mapping is named", remedy="--mapping NAME; synth import --list shows them")
    if shown:
        click.echo(find_mapping(mapping).read_text(encoding="utf-8"), nl=False)
        return
    if input_name is None:
        raise UserError("no input is named", remedy="synth import FILE --mapping NAME")
    declared = load_mapping(mapping)
    draft = read_pipeline(
        {
            "pipeline": f"import/{declared.mapping}",
            "title": declared.title,
            "cites": declared.cites,
            "imports": declared.gives(),
        }
    )
    session = open_session(draft, input_name=input_name, mapping=mapping)
    if dry_run:
        _preview(session.source, limit)
        return
    show(session, run_path or session.default_folder, limit=limit, skip_bad=skip_bad)


def _list() -> None:
    from rich.table import Table

    from synth.cli.tables import output
    from synth.sources import load_mapping, shipped_mappings

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("mapping", "reads", "gives beside problems"):
        table.add_column(column, overflow="fold", no_wrap=column == "mapping")
    for name in shipped_mappings():
        made = load_mapping(name)
        table.add_row(name, made.title, ", ".join(made.gives()))
    out = output()
    out.print(table)
    out.print("one of your own: synth import --mapping NAME --show > mine.yaml, and change it", highlight=False)


def _preview(source: Source, limit: int | None) -> None:
    from itertools import islice

    from rich.text import Text

    from synth.cli.tables import inert_lines, output, record_of

    scan, out = source.scan(), output()
    beside = "".join(f", {n:,} {table}" for table, n in scan.records.items())
    out.print(f"{scan.good:,} rows: {scan.problems:,} problems{beside}", highlight=False)
    if scan.passed_over:
        out.print(f"{scan.passed_over:,} rows are left aside by where:", highlight=False)
    if scan.bad:
        out.print(f"{len(scan.bad):,} rows do not fit:", highlight=False)
        for bad in scan.bad[:10]:
            out.print(Text(inert_lines(f"  line {bad.line}: {bad.why}")))
    for given in islice(source.problems(), min(limit or 1, 20)):
        for record in (given.problem, *given.records):
            out.print(Text(record.table, style="bold"))
            shown = record.model_dump(mode="json", exclude_defaults=True, exclude={"id", "unit", "step", "problem"})
            out.print(record_of(shown))
    out.print("nothing was written (--dry-run)", highlight=False)

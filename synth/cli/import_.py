"""`synth import`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.approving import asking, yes_option
from synth.cli.options import mapping_of, media_option

if TYPE_CHECKING:
    from synth.sources import Source

__all__ = ["command"]


@click.command("import", short_help="Turn data you own into records of a run.")
@click.argument("input_name", required=False, metavar="INPUT")
@click.option(
    "--mapping",
    metavar="NAME",
    help="How its rows are read: a shipped mapping, or a file of yours. Default: the one that recognises them; else rows are "
    "problems with their worked solutions.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Of rows that are problems: which column gives a field (question, answer, choices, …). May be given many times.",
)
@media_option
@click.option(
    "--run", "run_path", type=click.Path(path_type=Path), metavar="DIR", help="The run folder. Default: runs/MAPPING."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option(
    "--skip-invalid", is_flag=True, help="Where some rows do not fit, list them and continue with the others."
)
@click.option("--dry-run", is_flag=True, help="Read all of it, show the first records, and write nothing.")
@click.option("--list", "listing", is_flag=True, help="The shipped mappings.")
@click.option("--show", "shown", is_flag=True, help="The text of the mapping, to begin one of your own with.")
@yes_option
def command(
    input_name: str | None,
    mapping: str | None,
    maps: tuple[str, ...],
    media_from: tuple[Path, ...],
    run_path: Path | None,
    limit: int | None,
    skip_invalid: bool,
    dry_run: bool,
    listing: bool,
    shown: bool,
    yes: bool,
) -> None:
    """Read INPUT into a run of its own: problems, and the rationales, pairs, scores of steps or of whole rationales, and
    critiques that its rows hold. No model is asked.

    INPUT is a file (.jsonl, .json, .csv, .tsv, .parquet; also packed: .gz, .zst), `-` for standard input (copied into the run
    folder), or a data set of the Hub (hub:OWNER/NAME?split=train). Common formats are recognised by their rows; --mapping
    names how others are read. Every row that does not fit is reported, with line and reason, before anything is written.

    A thought (`<think>…</think>` and the tags of other models, or a column of its own) is set apart from the response. Texts
    that the data call bad (labelled wrong, a step labelled wrong, the rejected side of a pair) are rejected: no export
    trains on them as good ones; dpo, reward, kto, prm and audits still see them.

    What comes of it is a run like any other: `synth audit`, `synth view`, `synth export` work on it, and pipelines with
    `imports:` work on such input directly.

    \b
      synth import --list
      synth import gsm8k.jsonl                            # recognised: problems and their worked solutions
      synth import train.jsonl --mapping prm800k --run runs/prm800k
      synth import hub:Anthropic/hh-rlhf --mapping hh-rlhf --limit 1000 --dry-run
      zcat chats.jsonl.gz | synth import - --run runs/chats
    """
    from synth.errors import UserError
    from synth.files import temporary_folder
    from synth.sources.mapping_files import find_mapping

    if listing:
        _list()
        return
    if shown:
        if mapping is None:
            raise UserError("no mapping is named", fix="--mapping NAME; synth import --list shows them")
        click.echo(find_mapping(mapping).read_text(encoding="utf-8"), nl=False)
        return
    if input_name is None:
        raise UserError("no input is named", fix="synth import FILE")
    with temporary_folder() as beside:
        _import(
            input_name,
            mapping,
            mapping_of(maps),
            run_path,
            limit,
            Path(beside),
            media_from=media_from,
            skip_invalid=skip_invalid,
            dry_run=dry_run,
            yes=yes,
        )


def _import(
    input_name: str,
    mapping: str | None,
    maps: Mapping[str, str],
    run_path: Path | None,
    limit: int | None,
    beside: Path,
    *,
    media_from: tuple[Path, ...],
    skip_invalid: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Read an input into a run, or show what would be read; `beside` is a folder for what came by standard input."""
    from synth.approvals import sent_to_hub, settle
    from synth.cli.panel import show
    from synth.engine import open_session
    from synth.engine.stdin import keep_stdin
    from synth.pipeline import read_pipeline
    from synth.sources import load_mapping, mapping_for

    if input_name == "-":
        input_name = str(keep_stdin(beside if dry_run else run_path or Path("runs") / "stdin"))
        run_path = run_path or Path("runs") / "stdin"
    if input_name.startswith("hub:"):
        settle(sent_to_hub(), asking(yes=yes))
    if mapping is None and not maps:
        mapping = mapping_for(input_name)
        how = f"the mapping {mapping}" if mapping is not None else "problems with their worked solutions"
        click.echo(f"its rows are read as {how} (other ways: --mapping NAME, --map FIELD=COLUMN)", err=True)
    declared = load_mapping(mapping) if mapping is not None else None
    gives = declared.gives() if declared is not None else ("rationale",)
    draft = read_pipeline(
        {
            "pipeline": f"import/{declared.mapping if declared is not None else 'problems'}",
            "title": declared.title if declared is not None else "Problems with their worked solutions",
            "cites": declared.cites if declared is not None else (),
            "imports": gives,
        }
    )
    session = open_session(
        draft,
        input_name=input_name,
        maps=maps,
        mapping=mapping,
        references=declared is None,
        media_from=media_from,
    )
    if dry_run:
        _preview(session.source, limit)
        return
    formats = [c for c, given in (("dpo", "pair"), ("prm", "score.step_correct")) if given in gives]
    show(session, run_path or session.default_folder, formats=formats, limit=limit, skip_invalid=skip_invalid)


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

    from synth.cli.tables import output, record_of
    from synth.render.inert import inert_lines

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
    for note in source.notes():
        out.print(Text(inert_lines(note)))
    out.print("nothing was written (--dry-run)", highlight=False)

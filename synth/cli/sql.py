"""`synth sql`."""

from __future__ import annotations

import csv
import sys
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, Any

import click

from synth.cli.options import bounds_options, run_argument

if TYPE_CHECKING:
    from synth.store.apart import Answer, Asker

__all__ = ["command"]

_MOST_COLUMNS = 12
"""Columns of a table; where there are more, each row is shown as a list."""


@click.command("sql", short_help="Ask a run a question in SQL.")
@run_argument
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the rows are written.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Most rows of a table; csv and json give all.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the rows to a file instead: .parquet, .csv or .jsonl.",
)
@click.option("--raw", is_flag=True, help="CSV: texts as they are, also those a spreadsheet would take for formulas.")
@bounds_options
@click.option("--schema", is_flag=True, help="The tables and views with their columns.")
def command(
    run: Path,
    query: str | None,
    form: str,
    limit: int,
    out: Path | None,
    raw: bool,
    timeout: float,
    memory: str,
    schema: bool,
) -> None:
    """Ask RUN a question in DuckDB's SQL. Read-only, and works while the run goes on.

    Each question is one SELECT; no other statement is taken. Tables: problems, rationales, nodes, scores, critiques, pairs,
    rejections, failures, calls. Views: kept_problems, kept_rationales, kept_pairs, wide_rationales (a column for each
    score), funnel, rejection_reasons, models, lineage; --schema lists all, and every column.

    A question is stopped after --timeout seconds, and where it takes more than --memory, so that one that you have from
    somebody else cannot hold up your machine. In CSV a text that a spreadsheet would take for a formula gets a ' before it.

    \b
      synth sql runs/first "SELECT * FROM funnel"
      synth sql runs/first "SELECT question, gold, answer, text FROM wide_rationales WHERE NOT kept LIMIT 5"
      synth sql runs/first "FROM kept_rationales" --out kept.parquet
      synth sql runs/first "SELECT c.messages, c.reply FROM calls c JOIN kept_rationales r ON r.call = c.id LIMIT 1" --format json
    """
    from synth.errors import UserError
    from synth.store.apart import Asker, QuestionError

    if schema or query is None:
        _print_schema(run)
        return
    with Asker(run, timeout or None, memory, "synth.audit.functions") as asker:
        asker.start()
        from synth.cli.tables import output, record_of, table_of  # while the process starts

        try:
            if out is not None:
                _write(asker, query, out, raw)
                return
            answer = asker.ask(query)
            if form == "csv":
                _write_csv(answer, sys.stdout, raw)
                return
            if form == "json":
                _write_json(answer, sys.stdout, sys.stdout.isatty())
                return
            rows = [dict(zip(answer.names, row, strict=True)) for row in islice(answer, limit + 1)]
        except QuestionError as error:
            fix = error.fix or f"synth sql {quote(str(run))} --schema shows tables and columns"
            raise UserError(f"DuckDB says: {error.what}", fix=fix) from error
    console = output()
    if not rows:
        console.print("no rows")
    elif len(answer.names) > _MOST_COLUMNS:
        for row in rows[:limit]:
            console.print(record_of(row))
    else:
        console.print(table_of(rows[:limit]))
    if len(rows) > limit:
        console.print(f"… more than {limit} rows (--limit)")


def _write(asker: Asker, query: str, out: Path, raw: bool) -> None:
    """The rows of a question in a file."""
    from synth.errors import UserError
    from synth.files import advice_for, draft, writing

    kinds = (".parquet", ".csv", ".jsonl")
    if out.suffix not in kinds:
        raise UserError("the kind of file is not known", where=str(out), fix=f"let it end in {', '.join(kinds)}")
    try:
        if out.suffix == ".parquet":
            with draft(out) as new:
                asker.write_parquet(query, new)
        else:
            with writing(out) as file, TextIOWrapper(file, encoding="utf-8", newline="") as text:
                if out.suffix == ".csv":
                    _write_csv(asker.ask(query), text, raw)
                else:
                    _write_json(asker.ask(query), text, False)
    except OSError as error:
        what = f"the file cannot be written: {error.strerror or error}"
        raise UserError(what, where=str(out), fix=advice_for(error)) from error
    click.echo(f"{out} written")


def _write_json(answer: Answer, file: IO[str], ascii_only: bool) -> None:
    import json

    for row in answer:
        named = dict(zip(answer.names, row, strict=True))
        file.write(json.dumps(named, ensure_ascii=ascii_only, default=str) + "\n")


def _write_csv(answer: Answer, file: IO[str], raw: bool) -> None:
    """Rows as CSV. Texts that a spreadsheet would take for a formula get a `'` before them, unless they are to be `raw`; a note says
    of how many this is so.
    """
    from synth.cli.tables import is_formula
    from synth.render.inert import inert

    marked = 0

    def cell(value: Any) -> Any:
        nonlocal marked
        if isinstance(value, (list, dict)):
            value = str(value)
        if not isinstance(value, str):
            return value
        if file.isatty():  # which would act on more than a spreadsheet does
            value = inert(value)
        if raw or not is_formula(value):
            return value
        marked += 1
        return f"'{value}"

    writer = csv.writer(file)
    writer.writerow([cell(name) for name in answer.names])
    for row in answer:
        writer.writerow([cell(value) for value in row])
    if marked:
        cells = (
            f"{marked:,} cells begin like formulas and were" if marked > 1 else "a cell begins like a formula and was"
        )
        click.echo(f"note: {cells} written with ' before; --raw writes texts as they are", err=True)


def _print_schema(run: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from synth.audit import FUNCTIONS
    from synth.cli.tables import output
    from synth.render.inert import inert
    from synth.store.columns import TABLES, column_docs, columns
    from synth.store.database import open_store
    from synth.store.views import view_docs

    out = output()
    for table, kind in TABLES.items():
        out.print(Text(f"{table}", style="bold") + Text(f"  {(kind.__doc__ or '').splitlines()[0]}"))
        grid = Table.grid(padding=(0, 2))
        for name, sql in columns(kind).items():
            grid.add_row(Text(f"  {name}"), Text(sql), Text(column_docs(kind).get(name, "")))
        out.print(grid)
    with open_store(run) as store:
        described = 'SELECT column_name, column_type FROM (DESCRIBE "{}")'
        found = {view: store.sql(described.format(view)).fetchall() for view in view_docs()}
    for view, doc in view_docs().items():
        out.print(Text(f"view {view}", style="bold") + Text(f"  {doc.meaning}"))
        grid = Table.grid(padding=(0, 2))
        for name, sql in found[view]:
            grid.add_row(Text(f"  {inert(name)}"), Text(sql), Text(doc.column(name)))
        out.print(grid)
    out.print(Text("functions", style="bold") + Text("  beside those of DuckDB"))
    grid = Table.grid(padding=(0, 2))
    for function in FUNCTIONS:
        grid.add_row(
            Text(f"  {function.name}({', '.join(function.takes)})"), Text(function.gives), Text(function.meaning)
        )
    out.print(grid)

"""`synth sql`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from synth.cli.options import run_argument

if TYPE_CHECKING:
    from synth.store.database import Store

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
@click.option("--schema", is_flag=True, help="The tables and views with their columns.")
def command(run: Path, query: str | None, form: str, limit: int, out: Path | None, schema: bool) -> None:
    """Ask RUN a question in DuckDB's SQL. Read-only, and works while the run goes on.

    Each question is one SELECT; no other statement is taken. Tables: problems, rationales, nodes, scores, critiques, pairs,
    rejections, failures, calls. Views: kept_problems, kept_rationales, kept_pairs, wide_rationales (a column for each
    score), funnel, rejection_reasons, teachers, lineage; --schema tells all, and every column.

    \b
      synth sql runs/first "SELECT * FROM funnel"
      synth sql runs/first "SELECT question, gold, answer, text FROM wide_rationales WHERE NOT kept LIMIT 5"
      synth sql runs/first "FROM kept_rationales" --out kept.parquet
      synth sql runs/first "SELECT c.messages, c.reply FROM calls c JOIN kept_rationales r ON r.call = c.id LIMIT 1" --format json
    """
    import duckdb

    from synth.audit import add_functions
    from synth.cli.tables import output, record_of, table_of
    from synth.errors import UserError
    from synth.store.database import open_store

    with open_store(run) as store:
        add_functions(store)
        if schema or query is None:
            _print_schema(store)
            return
        try:
            if out is not None:
                _write(store, query, out)
                return
            if form == "csv":
                _write_csv(store, query, sys.stdout)
                return
            result = store.ask(query)
            names = [d[0] for d in result.description or []]
            rows = result.fetchall() if form == "json" else result.fetchmany(limit + 1)
        except duckdb.Error as error:
            raise UserError(
                f"DuckDB says: {error}", remedy=f"synth sql {run} --schema shows tables and columns"
            ) from error
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    if form == "json":
        import json

        for row in dicts:
            sys.stdout.write(json.dumps(row, ensure_ascii=sys.stdout.isatty(), default=str) + "\n")
        return
    console = output()
    if not dicts:
        console.print("no rows")
    elif len(names) > _MOST_COLUMNS:
        for row in dicts[:limit]:
            console.print(record_of(row))
    else:
        console.print(table_of(dicts[:limit]))
    if len(dicts) > limit:
        console.print(f"… more than {limit} rows (--limit)")


def _write(store: Store, query: str, out: Path) -> None:
    """The rows of a question in a file."""
    from synth.errors import UserError

    kinds = (".parquet", ".csv", ".jsonl")
    if out.suffix not in kinds:
        raise UserError("cannot tell the kind of file", where=str(out), remedy=f"let it end in {', '.join(kinds)}")
    try:
        if out.suffix != ".csv":
            store.ask(query)
        if out.suffix == ".csv":  # lists and structures as text, which polars does not write
            with out.open("w", encoding="utf-8", newline="") as file:
                _write_csv(store, query, file)
        elif out.suffix == ".parquet":
            store.frame(query).write_parquet(out)
        else:
            store.frame(query).write_ndjson(out)
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}", where=str(out)) from error
    click.echo(f"{out} written")


def _write_csv(store: Store, query: str, file: IO[str]) -> None:
    from synth.cli.tables import inert

    result = store.ask(query)
    writer = csv.writer(file)
    shown = inert if file.isatty() else str  # a file gets what there is, a terminal nothing it would act on
    writer.writerow([shown(d[0]) for d in result.description or []])
    for row in iter(result.fetchone, None):
        writer.writerow([shown(v) if isinstance(v, str) else v for v in row])


def _print_schema(store: Store) -> None:
    from rich.table import Table
    from rich.text import Text

    from synth.audit import FUNCTIONS
    from synth.cli.tables import inert, output
    from synth.store.columns import TABLES, column_docs, columns
    from synth.store.views import view_docs

    out = output()
    for table, kind in TABLES.items():
        out.print(Text(f"{table}", style="bold") + Text(f"  {(kind.__doc__ or '').splitlines()[0]}"))
        grid = Table.grid(padding=(0, 2))
        for name, sql in columns(kind).items():
            grid.add_row(Text(f"  {name}"), Text(sql), Text(column_docs(kind).get(name, "")))
        out.print(grid)
    for view, doc in view_docs().items():
        out.print(Text(f"view {view}", style="bold") + Text(f"  {doc.meaning}"))
        grid = Table.grid(padding=(0, 2))
        for name, sql in store.sql(f'SELECT column_name, column_type FROM (DESCRIBE "{view}")').fetchall():
            grid.add_row(Text(f"  {inert(name)}"), Text(sql), Text(doc.column(name)))
        out.print(grid)
    out.print(Text("functions", style="bold") + Text("  beside those of DuckDB"))
    grid = Table.grid(padding=(0, 2))
    for function in FUNCTIONS:
        grid.add_row(
            Text(f"  {function.name}({', '.join(function.takes)})"), Text(function.gives), Text(function.meaning)
        )
    out.print(grid)

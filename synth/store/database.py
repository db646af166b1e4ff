"""A run, open for reading: the tables, and the views people ask questions of."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
import orjson

from synth.files import temporary_folder
from synth.records import Critique, Pair, Problem, Rationale, Record, UnitRecord
from synth.store.answer import Answer, create_function, typed
from synth.store.columns import TABLES, columns, recorded, stored_columns
from synth.store.entries import find_damage
from synth.store.incoming import Rows, Seen
from synth.store.journal import START, reaches, read_blocks
from synth.store.manifest import read_manifest
from synth.store.materialize import BATCH_BYTES, BLOCK_BYTES, materialized_up_to
from synth.store.sealed import (
    DATABASE,
    Held,
    Unusable,
    attach,
    connect,
    files_of,
    is_sound,
    make_tables,
    quote,
    set_aside,
)

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

__all__ = ["VIEWS", "Store", "open_store"]

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_OF_DAMAGE = (
    duckdb.Error,
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
"""What DuckDB raises where a block cannot be read; a question that is wrong raises others."""
_HAS_VIEW = {Problem, Rationale, Critique, Pair}
"""Types of which there is a view `kept_…`."""
VIEWS = Path(__file__).with_name("views.sql")
"""The views, with what is said of each and of its columns."""
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
"""PIVOT is made of several; a file or another database it cannot reach either."""


class Store:
    """A run, open for reading: the tables, and the views of `views.sql`. Works while the run goes on.

    Where `corpus.duckdb` is absent, damaged or not ours, all is read from the journal; a damaged one is reported once, in the log.

    Args:
        run: the run folder.
        memory: that tables of questions may take, in DuckDB's words (`4GB`, `25%`); its own limit, most of the machine's, if not given.
            What is more is spilled to a folder that only this user can read.

    Raises:
        RunFolderError: there is no run in this folder, or its journal is damaged.
    """

    def __init__(self, run: Path, memory: str | None = None) -> None:
        self.manifest = read_manifest(run)
        """What the run folder says of itself."""
        self.run = run
        self._memory = memory
        self._functions: dict[str, tuple[Callable[..., Any], Sequence[str], str]] = {}
        self._asked: duckdb.DuckDBPyConnection | None = None
        """What somebody else's last question is asked of."""
        self._materialized = False
        """Whether `corpus.duckdb` is read, and only what is newer from the journal."""
        try:
            self._con = self._open(derived=True)
        except (duckdb.Error, Unusable) as error:
            self._report(error)
            if isinstance(error, duckdb.Error):
                self._set_aside()
            self._con = self._open(derived=False)

    def _report(self, error: Exception) -> None:
        if isinstance(error, Unusable):
            _LOG.warning(
                "%s is not used: %s. All is read from the journal; the next run makes it again",
                self.run / DATABASE,
                error,
            )
        else:
            _LOG.warning(
                "%s is damaged. All is read from the journal; the next run makes it again", self.run / DATABASE
            )

    def _set_aside(self) -> None:
        """Set the damaged database aside: the next `materialize` would continue with it, as it reads little of it."""
        path = self.run / DATABASE
        with suppress(OSError):  # the folder may not be written
            if os.access(path, os.R_OK):
                set_aside(path)

    def _open(self, *, derived: bool) -> duckdb.DuckDBPyConnection:
        """A connection to the run.

        Args:
            derived: whether `corpus.duckdb` is read where it is there.

        Raises:
            Unusable, duckdb.Error: it is not ours, or damaged.
            RunFolderError: the journal is damaged.
        """
        path = self.run / DATABASE
        with temporary_folder() as rows:
            con = connect((*files_of(path), Path(rows)) if derived else [Path(rows)], memory=self._memory)
            try:
                self._materialized = derived and self._attach(con, path)
                self._make_tables(con, Path(rows))
                self._make_steps(con)
                con.execute(VIEWS.read_text(encoding="utf-8"))
                self._make_wide(con)
                for name, given in self._functions.items():
                    create_function(con, name, *given)
            except BaseException:
                con.close()
                raise
        return con

    def _make_tables(self, con: duckdb.DuckDBPyConnection, rows: Path) -> None:
        begin = materialized_up_to(con, "folded") if self._materialized else START
        blocks = read_blocks(self.run / "journal", begin, BLOCK_BYTES)
        first = next(blocks, None)
        newer = first is not None or not self._materialized
        if newer:
            self._read_tail(con, rows, (lines for _, lines in chain([first] if first is not None else [], blocks)))
        for table, kind in TABLES.items():
            names = ", ".join(f'"{c}"' for c in columns(kind))
            # Where all is materialized, DuckDB is to see the bare table: it then reads texts only of rows that are asked for.
            old = f'SELECT {names} FROM folded.main."{table}"' if self._materialized else ""
            if old and newer:
                old += " WHERE owner IS NULL OR owner NOT IN (SELECT owner FROM tail.newer) UNION ALL "
            new = f'SELECT {names} FROM tail."{table}"' if newer else ""
            con.execute(f'CREATE VIEW "{table}" AS {old}{new}')

    def _read_tail(self, con: duckdb.DuckDBPyConnection, folder: Path, blocks: Iterable[bytes]) -> None:
        """Take in what is not materialized yet, beside what is."""
        con.execute("CREATE SCHEMA tail")
        make_tables(con, "tail")
        seen = Seen()
        seen.begin(con, "folded.main", materialized_up_to(con, "folded") if self._materialized else START)
        try:
            with Rows(con, "tail", folder, seen) as rows:
                size = 0
                for lines in blocks:
                    rows.take(lines)
                    size += len(lines)
                    if size >= BATCH_BYTES:
                        rows.insert()
                        size = 0
                rows.insert()
                owners = rows.owners()
        except (duckdb.Error, ValueError) as error:
            if (damage := find_damage(self.run / "journal")) is not None:
                raise damage from error
            raise
        con.execute("CREATE TABLE tail.newer AS SELECT unnest($1::VARCHAR[]) AS owner", [owners])

    def _attach(self, con: duckdb.DuckDBPyConnection, path: Path) -> bool:
        """Attach the database; False where there is none, or none that goes as far as it says."""
        if not os.path.lexists(path):
            return False
        try:
            found = attach(con, path, "folded", read_only=True)
        except Held:  # being written this moment, here or elsewhere: the journal has it all
            return False
        return found and reaches(self.run / "journal", materialized_up_to(con, "folded"))

    def _make_steps(self, con: duckdb.DuckDBPyConnection) -> None:
        steps = [*self.manifest.described.steps, *self.manifest.corpus, *self.manifest.curated]
        con.execute(
            """CREATE TABLE pipeline_steps AS SELECT i AS position, s->>'name' AS name, s->>'step' AS step, s AS options,
              (s->>'name') IN (SELECT unnest($2::VARCHAR[])) AS writes,
              (s->>'name') IN (SELECT unnest($3::VARCHAR[])) AS judges
            FROM (SELECT unnest($1::JSON[]) AS s, generate_subscripts($1::JSON[], 1) AS i)""",
            [
                [orjson.dumps(s.model_dump(exclude_unset=True)).decode() for s in steps],
                self.manifest.writers,
                self.manifest.judges,
            ],
        )

    def _make_wide(self, con: duckdb.DuckDBPyConnection) -> None:
        names = [
            n for (n,) in con.execute("SELECT DISTINCT name FROM scores WHERE part IS NULL ORDER BY name").fetchall()
        ]
        safe = {n: re.sub(r"\W", "_", n) for n in names}
        picked = "".join(
            f", any_value(s.value) FILTER (s.name = {quote(n)}) AS score_{c}, any_value(s.label) FILTER (s.name = {quote(n)}) AS label_{c}"
            for n, c in safe.items()
        )
        con.execute(
            f"""CREATE VIEW wide_rationales AS
            SELECT r.*, p.question, p.answer AS gold, r.id IN (SELECT id FROM kept_rationales) AS kept,
              (SELECT any_value(j.step || ': ' || j.rule) FROM rejections j WHERE j.target = r.id) AS rejected_by {picked}
            FROM rationales r JOIN problems p ON p.id = r.problem
            LEFT JOIN current_scores s ON s.target = r.id AND s.part IS NULL
            GROUP BY ALL"""
        )

    def fall_back(self, error: Exception) -> bool:
        """Read all from the journal from now on, where a damaged database is why a question failed. False where it is not."""
        if not self._materialized or type(error) not in _OF_DAMAGE or is_sound(self._con, "folded"):
            return False
        self._report(error)
        self._con.close()
        self._set_aside()
        self._con = self._open(derived=False)
        return True

    def retried(self, ask: Callable[[], T]) -> T:
        """What a question gives; asked of the journal, where the database turns out to be damaged."""
        try:
            return ask()
        except duckdb.Error as error:
            if not self.fall_back(error):
                raise
            return ask()

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> Answer:
        """Ask a question; the result is like DuckDB's (`fetchall`, `fetchmany`, `description`)."""
        return Answer(self, lambda: self._con.execute(query, list(parameters)))

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> Answer:
        """Ask a question that somebody else wrote: as `sql`, but one statement alone, and one that only reads.

        Raises:
            duckdb.Error: it is none, or DuckDB cannot answer it.
        """
        statements = self._con.extract_statements(query)
        if len(statements) != 1 or not _reads(statements[0]):
            raise duckdb.InvalidInputException(
                "not a question: one SELECT (or FROM, WITH, DESCRIBE, PIVOT) is, and a run is only read"
            )

        def ask() -> duckdb.DuckDBPyConnection:
            cursor = self._con.cursor()  # with a transaction of its own, which ends with it
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            self._asked = cursor
            return cursor.execute(query, list(parameters))

        return Answer(self, ask)

    def add_function(self, name: str, function: Callable[..., Any], takes: Sequence[str], gives: str) -> None:
        """A function for questions, over values of the SQL types named; NULL is given to it as None. One of a name."""
        if name in self._functions:
            return
        self._functions[name] = (function, takes, gives)
        create_function(self._con, name, function, takes, gives)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Ask a question; the rows as dictionaries."""
        result = self.sql(query, parameters)
        names = [d[0] for d in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def apart(self, query: str, parameters: Sequence[Any] = ()) -> Answer:
        """As `sql`, on a connection of its own: the rows are read as they are gone through, also while others are asked."""
        return Answer(self, lambda: self._con.cursor().execute(query, list(parameters)))

    def each(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """Ask a question; the rows one after another, read as they are gone through, also while others are asked."""
        result = self.apart(query, parameters)
        names = [d[0] for d in result.description or []]
        while some := result.fetchmany(1024):
            yield from (dict(zip(names, row, strict=True)) for row in some)

    def batches(self, query: str) -> pa.RecordBatchReader:
        """Ask a question; the rows in Arrow batches, read as they are gone through."""
        import pyarrow as pa

        def begin() -> tuple[pa.Schema, list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
            batches = pa.RecordBatchReader.from_stream(self._con.cursor().sql(query))
            try:
                first = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise duckdb.IOException(str(error)) from error
            return batches.schema, [first] if first is not None else [], batches

        schema, first, rest = self.retried(begin)
        return pa.RecordBatchReader.from_batches(schema, chain(first, rest))

    def frame(self, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Ask a question; the rows as a frame, which writes Parquet, CSV and more."""
        rows: pl.DataFrame = self.retried(lambda: self._con.sql(query, params=list(parameters)).pl())
        return rows

    def dataset(self, query: str, parameters: Sequence[Any] = ()) -> datasets.Dataset:
        """Ask a question; the rows as a `datasets.Dataset`."""
        from datasets import Dataset

        return Dataset(self.retried(lambda: self._con.sql(query, params=list(parameters)).to_arrow_table()))

    def records(self, kind: type[R], *, kept: bool = False, where: str = "true") -> Iterator[R]:
        """Records as typed objects, in order of their ids, read as they are gone through.

            for rationale in store.records(Rationale, kept=True, where="model = 'gpt'"):
                print(rationale.text)

        Args:
            kind: which: `Problem`, `Rationale`, `Pair`, `Score`, `Call`…
            kept: only what no step has rejected, nor its problem.
            where: a condition in SQL over the columns of that table.

        Raises:
            duckdb.Error: the condition is none.
            ValueError: calls are neither kept nor rejected.
        """
        if kept and not issubclass(kind, UnitRecord):
            raise ValueError(f"{kind.table} are neither kept nor rejected")
        table, among = kind.table, "true"
        if kept and kind in _HAS_VIEW:
            table = f"kept_{table}"
        elif kept:
            owners = [c for c in ("id", "problem", "unit") if c in stored_columns(kind)]
            among = " AND ".join(f"{c} NOT IN (FROM excluded)" for c in owners)
        found = self.ask(f'SELECT {recorded(kind)} FROM "{table}" WHERE {among} AND ({where}\n) ORDER BY id')
        return typed(found, kind)

    def interrupt(self) -> None:
        """End the question being asked, from another thread; it raises `duckdb.InterruptException`."""
        self._con.interrupt()
        if self._asked is not None:
            self._asked.interrupt()

    def close(self) -> None:
        """Let go of the files."""
        self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reads(statement: duckdb.Statement) -> bool:
    try:
        return statement.type in _READING
    except ValueError:  # of a kind the package has no name for, such as UPDATE EXTENSIONS
        return False


def open_store(run: Path | str) -> Store:
    """A run, open for reading."""
    return Store(Path(run))

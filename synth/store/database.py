"""The fold of the journal into DuckDB, and the read-only view of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
import orjson

from synth.errors import RunFolderError
from synth.records import Pair, Problem, Rationale, Record, UnitRecord
from synth.store.columns import TABLES, columns, derived_columns, stored_columns
from synth.store.commits import read_commit
from synth.store.journal import START, Position, find_damage, make_safe, reaches, read_blocks

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

__all__ = ["BY_HAND", "CORPUS", "HUMAN_OWNER", "VIEWS", "Store", "fold", "open_store"]

R = TypeVar("R", bound=Record)

CORPUS = "corpus"
"""Owner of the rows that corpus steps made; a unit's rows are owned by the unit, a call by nobody."""

BY_HAND = "by hand"
"""Owner of the rows that corpus steps made which were added to a run by hand."""

HUMAN_OWNER = "human:"
"""How owners of what people judged begin: `human:NAME:RECORD`, one for each person and record."""

_BLOCK_BYTES = 2**19
"""Of the journal, read at once."""
_BATCH_BYTES = 4 * 2**20
"""Of the journal, folded at once."""
_CALL, _COMMIT = b'{"kind":"call","body":', b'{"kind":"commit","body":'
"""How the entries that hold rows begin; the body ends one brace before the line does."""
_RECORDS_AT_ONCE = 8192
"""That expressions are asked of: each batch looks through the tables once."""
_MEMORY = ("48MB", "256MB")
"""What a fold may take; and where that was not enough, as for texts of 60 kB. Half of the first is what DuckDB needs at least."""
VIEWS = Path(__file__).with_name("views.sql")
"""The views, with what is said of each and of its columns."""
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
"""PIVOT is made of several; a file or another database it cannot reach either."""


def fold(run: Path) -> bool:
    """Bring `corpus.duckdb` up to date with the journal.

    Returns False where another process reads the file and it must wait: nothing is lost, the journal has it all.

    Raises:
        RunFolderError: DuckDB cannot write it (a full disk).
    """
    path, journal = run / "corpus.duckdb", run / "journal"
    try:
        for memory in _MEMORY:
            try:
                return _fold_within(path, journal, memory)
            except duckdb.Error:  # out of memory: there are several that say so, and in a checkpoint it is fatal
                continue  # with what is not committed
        return _fold_within(path, journal, None)
    except (duckdb.Error, ValueError, LookupError, OSError) as error:
        if (damage := find_damage(journal)) is not None:
            raise damage from error
        remedy = "make room and give the same command again: the journal has it all"
        raise RunFolderError(f"DuckDB cannot write: {error}", where=str(path), remedy=remedy) from error


def _fold_within(path: Path, journal: Path, memory: str | None) -> bool:
    """Fold, and take so much memory; None for DuckDB's own limit, most of the machine's. False where it must wait."""
    try:
        con = duckdb.connect(str(path))
        if not _is_current(con, "corpus", journal):  # the journal has it all, but where its end was lost
            if _has_tables(con, "corpus"):
                con.execute("CHECKPOINT")
                path.replace(path.with_name("corpus.before.duckdb"))
            con.close()
            for file in (path, path.with_name(f"{path.name}.wal")):
                file.unlink(missing_ok=True)
            con = duckdb.connect(str(path))
            con.begin()  # all of them, or none
            _make_tables(con, "main")
            con.execute("CREATE TABLE folded (segment BIGINT, byte_offset BIGINT)")
            con.commit()
    except duckdb.OperationalError:
        return False
    with con:
        con.execute("SET threads = 1")  # a second one costs more than it gives
        if memory is not None:
            con.execute(f"SET memory_limit = '{memory}'")
        if memory != _MEMORY[0]:  # long texts: each checkpoint would write anew those of some hundred MB
            con.execute("SET wal_autocheckpoint = '128MB'")
        _add(con, journal)
    return True


def _add(con: duckdb.DuckDBPyConnection, journal: Path) -> None:
    """Add what the tables lack of the journal."""
    begin = _folded_up_to(con, "corpus")
    blocks = read_blocks(journal, begin, _BLOCK_BYTES)
    while (first := next(blocks, None)) is not None:
        con.begin()
        with _Rows(con, "main") as rows:
            position, lines = first
            rows.take(lines)
            size = len(lines)
            while size < _BATCH_BYTES and (more := next(blocks, None)) is not None:
                position, lines = more
                rows.take(lines)
                size += len(lines)
            rows.insert()
        make_safe(journal, begin, position)  # or a power cut would leave here what the journal has lost
        begin = position
        con.execute("DELETE FROM folded")
        con.execute("INSERT INTO folded VALUES (?, ?)", [position.segment, position.offset])
        con.commit()


def _folded_up_to(con: duckdb.DuckDBPyConnection, database: str) -> Position:
    """The place in the journal up to which a database has it all."""
    row = con.execute(f"SELECT segment, byte_offset FROM {database}.folded").fetchone()
    return Position(*row) if row else START


def _is_current(con: duckdb.DuckDBPyConnection, database: str, journal: Path) -> bool:
    """Whether a database has the tables of today, and no more rows than the journal."""
    return _has_tables(con, database) and reaches(journal, _folded_up_to(con, database))


def _has_tables(con: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether a database has the tables of today."""
    have = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = $1"
    found = set(con.execute(have, [database]).fetchall())
    wanted = {(t, n, sql) for t, kind in TABLES.items() for n, sql in {"owner": "VARCHAR", **columns(kind)}.items()}
    wanted |= {("folded", "segment", "BIGINT"), ("folded", "byte_offset", "BIGINT")}
    return found == wanted


def _make_tables(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    for table, kind in TABLES.items():
        typed = [f'"{name}" {sql}' for name, sql in stored_columns(kind).items()]
        derived = [
            f'"{name}" VARCHAR GENERATED ALWAYS AS ({sql}) VIRTUAL' for name, sql in derived_columns(kind).items()
        ]
        con.execute(f'CREATE TABLE IF NOT EXISTS {schema}."{table}" (owner VARCHAR, {", ".join(typed + derived)})')


class _Rows:
    """Rows on their way from the journal into tables, in a file for each table: DuckDB reads files best.

    Args:
        con: where to.
        schema: of the tables.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._con = con
        self._schema = schema
        self._folder = TemporaryDirectory(prefix="synth-")
        self._gathered: dict[str, list[bytes]] = {}
        self._longest: dict[str, int] = {}
        """The longest row in the file of each table."""
        self._replaced: list[str] = []
        """Whose commits come in the stead of earlier ones, if they have made any."""
        self._owners: set[bytes] = set()
        self._waiting: set[bytes] = set()
        """Owners of the rows that are not in the tables yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def take(self, lines: bytes) -> None:
        """Take in some entries of the journal."""
        calls = self._gathered.setdefault("calls", [])
        for line in lines.splitlines():
            if line.startswith(_CALL):
                calls.append(line[len(_CALL) : -1])
            elif line.startswith(_COMMIT):
                owner, first, rows = read_commit(line[len(_COMMIT) : -1])
                if not first:
                    if owner in self._waiting:  # what it made before is among these rows
                        self.insert()
                        calls = self._gathered.setdefault("calls", [])
                    self._replaced.append(orjson.loads(owner))
                self._owners.add(owner)
                self._waiting.add(owner)
                for table, row in rows:
                    self._gathered.setdefault(table, []).append(row)
        self._put_down()

    def _put_down(self) -> None:
        for table, rows in self._gathered.items():
            if rows:
                self._longest[table] = max(self._longest.get(table, 0), *map(len, rows))
                with self._file(table).open("ab") as file:
                    file.write(b"\n".join((*rows, b"")))
        self._gathered = {}

    def _file(self, table: str) -> Path:
        return Path(self._folder.name) / f"{table}.jsonl"

    def insert(self) -> None:
        """Put into the tables what was taken in."""
        self._put_down()
        if self._replaced:
            _take_out(self._con, self._schema, self._replaced)
        for table, longest in self._longest.items():
            file = self._file(table)
            self._con.execute(
                f"""INSERT INTO {self._schema}."{table}" BY NAME SELECT * FROM read_json({_quote(str(file))},
                format = 'newline_delimited', maximum_object_size = {longest + 1}, columns = {_row_of(table)})"""
            )
            file.unlink()
        self._replaced, self._longest = [], {}
        self._waiting.clear()

    def owners(self) -> list[str]:
        """Whose commits were taken in."""
        return sorted(orjson.loads(owner) for owner in self._owners)


def _take_out(con: duckdb.DuckDBPyConnection, schema: str, owners: Sequence[str]) -> None:
    """Delete what these owners committed before."""
    con.execute("CREATE OR REPLACE TEMP TABLE commits AS SELECT unnest($1::VARCHAR[]) AS owner", [list(owners)])
    # A unit's first commit brings its problem: where none is there, there is nothing of that unit to take out.
    units = not any(owner in {CORPUS, BY_HAND} or owner.startswith(HUMAN_OWNER) for owner in owners)
    again = f"SELECT 1 FROM {schema}.problems SEMI JOIN commits USING (owner) LIMIT 1"
    if units and con.execute(again).fetchone() is None:
        return
    for table in TABLES:
        if table != "calls":
            con.execute(f'DELETE FROM {schema}."{table}" WHERE owner IN (SELECT owner FROM commits)')


@cache
def _row_of(table: str) -> str:
    """The columns of a table, as `read_json` wants them."""
    owned = {} if table == "calls" else {"owner": "VARCHAR"}
    return (
        "{"
        + ", ".join(f"{_quote(n)}: {_quote(t)}" for n, t in {**owned, **stored_columns(TABLES[table])}.items())
        + "}"
    )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_SIDE = """SELECT a.id, a.unit, 'pairs' AS tab, a.step, a.problem, r.teacher, p.source, p.answer, r.reasoning AS text
  FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales r ON r.id = a."""
_SEEN = {
    "problem": """SELECT id, unit, 'problems' AS tab, step, id AS problem, NULL AS teacher, source, answer,
      concat_ws(' ', context, question, array_to_string(choices, ' ')) AS text FROM kept_problems""",
    "rationale": """SELECT r.id, r.unit, 'rationales' AS tab, r.step, r.problem, r.teacher, p.source, p.answer, r.reasoning AS text
      FROM kept_rationales r JOIN problems p ON p.id = r.problem""",
    "chosen": f"{_SIDE}chosen",
    "rejected": f"{_SIDE}rejected",
}
"""What corpus steps look at, by target."""


class Store:
    """A run, open for reading: the tables, and the views of `views.sql`. Works while the run goes on.

    Args:
        run: the run folder.

    Raises:
        RunFolderError: there is no run in this folder.
    """

    def __init__(self, run: Path) -> None:
        if not (run / "run.json").is_file():
            raise RunFolderError(
                "there is no run in this folder", where=str(run), remedy="synth run … --run FOLDER makes one"
            )
        self.run = run
        self._con = duckdb.connect(":memory:")
        self._functions: set[str] = set()
        self._asked: duckdb.DuckDBPyConnection | None = None
        """What somebody else's last question is asked of."""
        folded = self._attach()
        begin = _folded_up_to(self._con, "folded") if folded else START
        blocks = read_blocks(run / "journal", begin, _BLOCK_BYTES)
        first = next(blocks, None)
        newer = first is not None or not folded
        if newer:
            self._read_tail(lines for _, lines in chain([first] if first is not None else [], blocks))
        for table, kind in TABLES.items():
            names = ", ".join(f'"{c}"' for c in columns(kind))
            # Where all is folded, DuckDB is to see the bare table: it then reads texts only of rows that are asked for.
            old = f'SELECT {names} FROM folded.main."{table}"' if folded else ""
            if old and newer:
                old += " WHERE owner IS NULL OR owner NOT IN (SELECT owner FROM tail.newer) UNION ALL "
            new = f'SELECT {names} FROM tail."{table}"' if newer else ""
            self._con.execute(f'CREATE VIEW "{table}" AS {old}{new}')
        self._make_steps()
        self._con.execute(VIEWS.read_text(encoding="utf-8"))
        self._make_wide()
        # From here on: no files, no extensions, no variables of this program, no settings. Writing reaches this
        # connection's memory at most.
        self._con.execute("SET enable_progress_bar = false")  # which would be drawn amid what commands write
        self._con.execute("SET autoinstall_known_extensions = false")
        self._con.execute("SET autoload_known_extensions = false")
        self._con.execute("SET enable_external_access = false")
        self._con.execute("SET lock_configuration = true")

    def _read_tail(self, blocks: Iterable[bytes]) -> None:
        """Take in what is not folded yet, beside what is."""
        self._con.execute("CREATE SCHEMA tail")
        _make_tables(self._con, "tail")
        try:
            with _Rows(self._con, "tail") as rows:
                size = 0
                for lines in blocks:
                    rows.take(lines)
                    size += len(lines)
                    if size >= _BATCH_BYTES:
                        rows.insert()
                        size = 0
                rows.insert()
                owners = rows.owners()
        except (duckdb.Error, ValueError, LookupError) as error:
            if (damage := find_damage(self.run / "journal")) is not None:
                raise damage from error
            raise
        self._con.execute("CREATE TABLE tail.newer AS SELECT unnest($1::VARCHAR[]) AS owner", [owners])

    def _attach(self) -> bool:
        path = self.run / "corpus.duckdb"
        if not path.is_file():
            return False
        quoted = str(path).replace("'", "''")
        try:
            self._con.execute(f"ATTACH '{quoted}' AS folded (READ_ONLY)")
        except duckdb.OperationalError:  # being folded this moment, here or elsewhere: the journal has it all
            return False
        return _is_current(self._con, "folded", self.run / "journal")

    def _make_steps(self) -> None:
        manifest = orjson.loads((self.run / "run.json").read_bytes())
        steps = [
            *manifest.get("described", {}).get("steps", []),
            *manifest.get("corpus", []),
            *manifest.get("curated", []),
        ]
        self._con.execute(
            """CREATE TABLE pipeline_steps AS SELECT i AS position, s->>'name' AS name, s->>'step' AS step, s AS options,
              (s->>'name') IN (SELECT unnest($2::VARCHAR[])) AS writes
            FROM (SELECT unnest($1::JSON[]) AS s, generate_subscripts($1::JSON[], 1) AS i)""",
            [[orjson.dumps(s).decode() for s in steps], manifest.get("writers", [])],
        )

    def _make_wide(self) -> None:
        names = [
            n
            for (n,) in self._con.execute(
                "SELECT DISTINCT name FROM scores WHERE step_index IS NULL ORDER BY name"
            ).fetchall()
        ]
        safe = {n: re.sub(r"\W", "_", n) for n in names}
        picked = "".join(
            f", any_value(s.value) FILTER (s.name = {_quote(n)}) AS score_{c}, any_value(s.label) FILTER (s.name = {_quote(n)}) AS label_{c}"
            for n, c in safe.items()
        )
        self._con.execute(
            f"""CREATE VIEW wide_rationales AS
            SELECT r.*, p.question, p.answer AS gold, r.id IN (SELECT id FROM kept_rationales) AS kept,
              (SELECT any_value(j.step || ': ' || j.rule) FROM rejections j WHERE j.target = r.id) AS rejected_by {picked}
            FROM rationales r JOIN problems p ON p.id = r.problem
            LEFT JOIN scores s ON s.target = r.id AND s.step_index IS NULL
            GROUP BY ALL"""
        )

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Ask a question; the result is DuckDB's (`fetchall`, `fetchmany`, `description`)."""
        return self._con.execute(query, list(parameters))

    def ask(self, query: str) -> duckdb.DuckDBPyConnection:
        """Ask a question that somebody else wrote: as `sql`, but one statement alone, and one that only reads.

        Raises:
            duckdb.Error: it is none, or DuckDB cannot answer it.
        """
        statements = self._con.extract_statements(query)
        if len(statements) != 1 or not _reads(statements[0]):
            raise duckdb.InvalidInputException(
                "not a question: one SELECT (or FROM, WITH, DESCRIBE, PIVOT) is, and a run is only read"
            )
        cursor = self._con.cursor()  # with a transaction of its own, which ends with it
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        self._asked = cursor
        return cursor.execute(query)

    def add_function(self, name: str, function: Callable[..., Any], takes: Sequence[str], gives: str) -> None:
        """A function for questions, over values of the SQL types named; NULL is given to it as None. One of a name."""
        if name in self._functions:
            return
        self._functions.add(name)
        types = [duckdb.type(t) for t in takes]
        self._con.create_function(name, function, types, duckdb.type(gives), null_handling="special")  # type: ignore[call-overload]  # the word does in every version

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Ask a question; the rows as dictionaries."""
        result = self.sql(query, parameters)
        names = [d[0] for d in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def each(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """Ask a question; the rows one after another, read as they are gone through, also while others are asked."""
        result = self._con.cursor().execute(query, list(parameters))
        names = [d[0] for d in result.description or []]
        while some := result.fetchmany(1024):
            yield from (dict(zip(names, row, strict=True)) for row in some)

    def batches(self, query: str) -> pa.RecordBatchReader:
        """Ask a question; the rows in Arrow batches, read as they are gone through."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_stream(self._con.cursor().sql(query))

    def frame(self, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Ask a question; the rows as a frame, which writes Parquet, CSV and more."""
        rows: pl.DataFrame = self._con.sql(query, params=list(parameters)).pl()
        return rows

    def dataset(self, query: str, parameters: Sequence[Any] = ()) -> datasets.Dataset:
        """Ask a question; the rows as a `datasets.Dataset`."""
        from datasets import Dataset

        return Dataset(self._con.sql(query, params=list(parameters)).to_arrow_table())

    def records(self, kind: type[R], *, kept: bool = False, where: str = "true") -> Iterator[R]:
        """Records as typed objects, in order of their ids, read as they are gone through.

            for rationale in store.records(Rationale, kept=True, where="teacher = 'gpt'"):
                print(rationale.text)

        Args:
            kind: which: `Problem`, `Rationale`, `Pair`, `Score`, `Call`…
            kept: only what no step has put out, nor its problem.
            where: a condition in SQL over the columns of that table.

        Raises:
            duckdb.Error: the condition is none.
            ValueError: calls are neither kept nor put out.
        """
        if kept and not issubclass(kind, UnitRecord):
            raise ValueError(f"{kind.table} are neither kept nor put out")
        typed = stored_columns(kind)
        owners = [c for c in ("id", "problem", "unit") if c in typed]
        among = " AND ".join(f"{c} NOT IN (SELECT target FROM rejections)" for c in owners) if kept else "true"
        names = ", ".join(f'"{c}"' for c in typed)
        found = self.ask(f'SELECT {names} FROM "{kind.table}" WHERE {among} AND ({where}\n) ORDER BY id')
        return _typed(found, kind)

    def kept(self, target: str) -> list[Any]:
        """What corpus steps see: the kept records, in order of their ids; see `synth.corpus.CorpusView`."""
        from synth.corpus.step import CorpusRecord

        query = f"SELECT id, unit, tab, step, problem, teacher, source, answer FROM ({_SEEN[target]}) ORDER BY id"
        return [CorpusRecord(*row) for row in self.sql(query).fetchall()]

    def texts(self, target: str) -> _Column:
        """The texts of the same records in the same order, read as they are gone through."""
        return _Column(self._con, f"SELECT coalesce(text, '') FROM ({_SEEN[target]}) ORDER BY id")

    def values(self, target: str, name: str) -> list[float | None]:
        """A number for each of the same records in the same order."""
        value, given = (
            "(SELECT any_value(s.value) FROM scores s WHERE s.target = t.id AND s.name = $1 AND s.step_index IS NULL)",
            [name],
        )
        if name == "length":
            value, given = "length(text)", []
        elif name == "pass_rate" and target == "problem":
            value = """(SELECT avg(s.value) FROM scores s JOIN rationales r ON r.id = s.target
                WHERE r.problem = t.id AND s.name = $1)"""
            given = ["correct"]
        query = f"SELECT ({value})::DOUBLE FROM ({_SEEN[target]}) t ORDER BY id"
        return [v for (v,) in self.sql(query, given).fetchall()]

    def variables(self, target: str) -> Iterator[dict[str, Any]]:
        """What an expression sees of each of the same records in the same order; some thousands are in memory at once."""
        kind: type[Any] = {"problem": Problem, "rationale": Rationale}.get(target, Pair)
        ids = self._con.cursor().execute(f"SELECT id FROM ({_SEEN[target]}) ORDER BY id")
        while some := [i for (i,) in ids.fetchmany(_RECORDS_AT_ONCE)]:
            records = self._of_ids(kind, some)
            problems = records if kind is Problem else self._of_ids(Problem, [r.problem for r in records.values()])
            sides = self._of_ids(Rationale, [getattr(r, target) for r in records.values()]) if kind is Pair else {}
            values, labels = self._scores_of([*records, *sides])
            for record in map(records.__getitem__, some):
                seen = {"record": record, "problem": problems[record.id if kind is Problem else record.problem]}
                ids_of_scores = [record.id]
                if kind is Pair:
                    seen["rationale"] = sides[getattr(record, target)]
                    ids_of_scores.insert(0, seen["rationale"].id)
                seen[record.alias] = record
                for name, of in (("score", values), ("label", labels)):
                    seen[name] = _ByName({k: v for i in ids_of_scores for k, v in of.get(i, {}).items()})
                yield seen

    def _of_ids(self, kind: type[Any], ids: Iterable[str]) -> dict[str, Any]:
        names = ", ".join(f'"{c}"' for c in stored_columns(kind))
        query = f'SELECT {names} FROM "{kind.table}" WHERE id IN (SELECT unnest($1::VARCHAR[]))'
        return {r.id: r for r in _typed(self._con.cursor().execute(query, [list(set(ids))]), kind)}

    def _scores_of(self, ids: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        query = """SELECT target, name, any_value(value), any_value(label) FROM scores
            WHERE step_index IS NULL AND target IN (SELECT unnest($1::VARCHAR[])) GROUP BY target, name"""
        values: dict[str, dict[str, Any]] = {}
        labels: dict[str, dict[str, Any]] = {}
        for target, name, value, label in self._con.cursor().execute(query, [list(ids)]).fetchall():
            values.setdefault(target, {})[name] = value
            labels.setdefault(target, {})[name] = label
        return values, labels

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


def _typed(found: duckdb.DuckDBPyConnection, kind: type[R]) -> Iterator[R]:
    typed = stored_columns(kind)
    as_json = [name for name, sql in typed.items() if sql == "JSON"]
    while some := found.fetchmany(1024):
        for values in some:
            row = {name: value for name, value in zip(typed, values, strict=True) if value is not None}
            row |= {name: orjson.loads(row[name]) for name in as_json if name in row}
            yield kind.model_validate(row)


def _reads(statement: duckdb.Statement) -> bool:
    try:
        return statement.type in _READING
    except ValueError:  # of a kind the package has no name for, such as UPDATE EXTENSIONS
        return False


class _ByName(dict[str, Any]):
    """Scores by name; one that a record does not have is None."""

    def __missing__(self, name: str) -> None:
        return None


class _Column:
    """The one column of a query, asked anew each time somebody goes through it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, query: str) -> None:
        self._con, self._query = con, query

    def __len__(self) -> int:
        row = self._con.cursor().execute(f"SELECT count(*) FROM ({self._query})").fetchone()
        return row[0] if row else 0

    def __iter__(self) -> Iterator[str]:
        rows = self._con.cursor().execute(self._query)
        while some := rows.fetchmany(2048):
            yield from (text for (text,) in some)


def open_store(run: Path | str) -> Store:
    """A run, open for reading."""
    return Store(Path(run))

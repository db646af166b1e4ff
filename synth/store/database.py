"""The fold of the journal into DuckDB, and the read-only view of both."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
import orjson
from pydantic import ValidationError

from synth.errors import RunFolderError
from synth.files import draft, temporary_folder
from synth.records import Critique, Pair, Problem, Rationale, Record, UnitRecord
from synth.store.columns import TABLES, columns, from_journal, journal_columns, recorded, stored_columns
from synth.store.commits import cut_commit
from synth.store.entries import Entry, find_damage, parse_entry
from synth.store.journal import ID_LETTERS, START, Position, make_safe, reaches, read_blocks
from synth.store.manifest import read_manifest
from synth.store.sealed import (
    DATABASE,
    Held,
    Unusable,
    attach,
    connect,
    files_of,
    is_sound,
    make_tables,
    note_written,
    quote,
    set_aside,
)

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

__all__ = ["BY_HAND", "CORPUS", "HUMAN_OWNER", "VIEWS", "Answer", "Store", "fold", "open_store"]

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
_CALL, _COMMIT, _BETWEEN = b'{"kind":"call","body":', b'{"kind":"commit","id":"', b'","body":'
"""How the entries that hold rows begin, and what stands between an id and a body, which ends one brace before the line does."""
_BODY = len(_COMMIT) + ID_LETTERS + len(_BETWEEN)
"""Where the body of a commit begins."""
_RECORDS_AT_ONCE = 8192
"""That expressions are asked of: each batch looks through the tables once."""
_MEMORY = ("48MB", "256MB")
"""What a fold may take; and where that was not enough, as for texts of 60 kB. Half of the first is what DuckDB needs at least."""
_HAS_VIEW = {Problem, Rationale, Critique, Pair}
"""Types of which there is a view `kept_…`."""
VIEWS = Path(__file__).with_name("views.sql")
"""The views, with what is said of each and of its columns."""
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
"""PIVOT is made of several; a file or another database it cannot reach either."""


def fold(run: Path, since: Position | None = None) -> bool:
    """Bring `corpus.duckdb` up to date with the journal.

    A database that is damaged, of another version or not ours is set aside, and made again from the journal.

    Args:
        run: the run folder.
        since: from where on this process has written the journal. Entries from there on are known to be whole, and to stand there
            once, so that they need not be parsed.

    Returns:
        False where another process reads the file and it must wait: nothing is lost, the journal has it all.

    Raises:
        RunFolderError: DuckDB cannot write it (a full disk); an entry of the journal is damaged.
    """
    path, journal = run / DATABASE, run / "journal"
    try:
        try:
            _fold_in_memory(path, journal, since)
        except (duckdb.Error, Unusable, ValueError, OSError) as error:
            if (damage := find_damage(journal)) is not None:
                raise damage from error
            _make_again(path, journal)
    except Held:
        return False
    except (duckdb.Error, Unusable, ValueError, OSError) as error:
        remedy = "make room and give the same command again: the journal has it all"
        raise RunFolderError(f"DuckDB cannot write: {error}", where=str(path), remedy=remedy) from error
    return True


def _make_again(path: Path, journal: Path) -> None:
    """Make a database from the journal alone, and put it in the place of the one that is there, which is set aside."""
    for left in path.parent.glob(f".{DATABASE}.*.draft*"):  # by a process that was killed; no other makes one now
        left.unlink(missing_ok=True)
    aside = None if path.is_file() and not path.is_symlink() else set_aside(path)  # a draft goes through a pipe
    with draft(path) as new:
        new.unlink()  # the name is what is wanted: DuckDB makes the file
        try:
            _fold_in_memory(new, journal, None)
            aside = set_aside(path) or aside
        finally:
            for file in files_of(new)[1:]:
                file.unlink(missing_ok=True)
    if aside is not None:
        _LOG.warning("%s could not be used: it was moved to %s, and made again from the journal", path, aside.name)


def _fold_in_memory(path: Path, journal: Path, since: Position | None) -> None:
    """Fold, in as much memory as it takes: the usual, more, or DuckDB's own limit."""
    seen = _Seen()
    for memory in _MEMORY:
        try:
            _fold_within(path, journal, memory, since, seen)
        except duckdb.Error:  # out of memory: there are several that say so, and in a checkpoint it is fatal
            continue  # with what is not committed
        return
    _fold_within(path, journal, None, since, seen)


def _fold_within(path: Path, journal: Path, memory: str | None, since: Position | None, seen: _Seen) -> None:
    """Fold, and take so much memory; None for DuckDB's own limit, most of the machine's.

    Raises:
        Held: somebody else has the database open.
        Unusable: it is not ours, or has what the journal lost.
        duckdb.Error: memory does not suffice, the disk is full, or the database is damaged.
    """
    settings = {"threads": "1"}  # a second one costs more than it gives
    if memory != _MEMORY[0]:  # long texts: each checkpoint would write anew those of some hundred MB
        settings["wal_autocheckpoint"] = "'128MB'"
    with (
        temporary_folder() as rows,
        connect((*files_of(path), Path(rows)), memory=memory, settings=settings) as con,
    ):
        if not attach(con, path, "corpus", read_only=False):
            con.begin()  # all of them, or none
            make_tables(con, "corpus.main")
            con.commit()
            path.chmod(0o600)
        if not reaches(journal, _folded_up_to(con, "corpus")):
            raise Unusable("the journal has lost its end")
        _add(con, journal, Path(rows), since, seen)
    note_written(path)


def _add(con: duckdb.DuckDBPyConnection, journal: Path, folder: Path, since: Position | None, seen: _Seen) -> None:
    """Add what the tables lack of the journal."""
    begin = _folded_up_to(con, "corpus")
    blocks = read_blocks(journal, begin, _BLOCK_BYTES)
    seen.begin(con, "corpus.main", begin)
    while (first := next(blocks, None)) is not None:
        con.begin()
        seen.forget()  # what an earlier attempt had taken in, and memory did not suffice for
        with _Rows(con, "corpus.main", folder, seen) as rows:
            before, (position, lines), size = begin, first, 0
            while True:
                rows.take(lines, ours=since is not None and before >= since)
                size += len(lines)
                if size >= _BATCH_BYTES or (more := next(blocks, None)) is None:
                    break
                before, (position, lines) = position, more
            rows.insert()
        make_safe(journal, begin, position)  # or a power cut would leave here what the journal has lost
        begin = position
        con.execute("DELETE FROM corpus.main.folded")
        con.execute("INSERT INTO corpus.main.folded VALUES (?, ?)", [position.segment, position.offset])
        con.commit()
        seen.settle(position)


def _folded_up_to(con: duckdb.DuckDBPyConnection, database: str) -> Position:
    """The place in the journal up to which a database has it all.

    Raises:
        Unusable: it does not say one.
    """
    rows = con.execute(f"SELECT segment, byte_offset FROM {database}.main.folded LIMIT 2").fetchall()
    if not rows:
        return START
    if len(rows) > 1 or any(n is None or n < 0 for n in rows[0]):
        raise Unusable("it does not say how far it goes")
    return Position(*rows[0])


class _Seen:
    """Which entries were taken in before, so that each is taken in once, however often a journal that was merged has it."""

    def __init__(self) -> None:
        self._ids: set[int] = set()  # hashes: a journal may hold millions
        self._owners: set[int] = set()
        self._new_ids: set[int] = set()
        self._new_owners: set[int] = set()
        """Of entries that are not in the tables for good yet."""
        self._con: duckdb.DuckDBPyConnection | None = None
        self._before = ""
        self._end = START

    def begin(self, con: duckdb.DuckDBPyConnection, before: str, end: Position) -> None:
        """Go on with tables that hold the journal up to a place. Where not all of that was seen here, they are asked for the rest.

        Args:
            con: where they are.
            before: the tables.
            end: the place.
        """
        self._con = con if end != self._end else None
        self._before = before

    def settle(self, end: Position) -> None:
        """Note that all up to a place is in the tables for good."""
        self._ids |= self._new_ids
        self._owners |= self._new_owners
        self.forget()
        self._end = end

    def forget(self) -> None:
        """Forget the entries since then: they are not in the tables."""
        self._new_ids, self._new_owners = set(), set()

    def new(self, lines: Iterable[bytes]) -> Iterator[Entry]:
        """Those of some entries that were not taken in before, parsed; from now on they were.

        Raises:
            ValueError: one is damaged.
        """
        entries: Iterable[Entry] = map(parse_entry, lines)  # one by one: many at once keep the garbage collector busy
        known: set[int] = set()
        if self._con is not None:
            entries = list(entries)
            known = {hash((kind, i)) for kind in ("call", "commit") for i in self._known(self._con, kind, entries)}
        for entry in entries:
            if entry.id is not None:
                mark = hash((entry.kind, entry.id))
                if mark in known or mark in self._ids or mark in self._new_ids:
                    continue
                self._new_ids.add(mark)
            yield entry

    def _known(self, con: duckdb.DuckDBPyConnection, kind: str, entries: Iterable[Entry]) -> list[str]:
        ids = [e.id for e in entries if e.kind == kind and e.id is not None]
        query = f"SELECT id FROM {self._before}.{kind}s WHERE id IN (SELECT unnest($1::VARCHAR[]))"
        return [i for (i,) in con.execute(query, [ids]).fetchall()] if ids else []

    def is_first(self, owner: str) -> bool:
        """Whether an owner has certainly committed nothing before; from now on it has."""
        mark = hash(owner)
        first = self._con is None and mark not in self._owners and mark not in self._new_owners
        self._new_owners.add(mark)
        return first


class _Rows:
    """Rows on their way from the journal into tables, in a file for each table: DuckDB reads files best.

    Args:
        con: where to.
        schema: of the tables.
        folder: for these files.
        seen: what was taken in before.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, schema: str, folder: Path, seen: _Seen) -> None:
        self._con = con
        self._schema = schema
        self._folder = folder
        self._seen = seen
        self._unread: list[bytes] = []
        """Entries that are not known to be whole, until some MB of them are parsed at once."""
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
        for file in self._folder.glob("*.jsonl"):
            file.unlink()

    def take(self, lines: bytes, *, ours: bool = False) -> None:
        """Take in some entries of the journal.

        Args:
            lines: the entries.
            ours: whether this process has written them. Others are parsed, and are taken in once.
        """
        if not ours:
            self._unread.append(lines)
            return
        self._parse()
        calls = self._gathered.setdefault("calls", [])
        for line in lines[:-1].split(b"\n"):
            if line.startswith(_CALL):
                calls.append(line[len(_CALL) : -1])
            elif line.startswith(_COMMIT):
                id_, body = line[len(_COMMIT) : _BODY - len(_BETWEEN)], line[_BODY:-1]
                owner, first, rows = cut_commit(body)
                self._commit(id_, owner, rows, first=first)
                calls = self._gathered.setdefault("calls", [])
        self._put_down()

    def _parse(self) -> None:
        """Take in the entries that are to be parsed.

        Raises:
            ValueError: one is damaged.
        """
        lines = b"".join(self._unread)
        self._unread = []
        if not lines:
            return
        calls = self._gathered.setdefault("calls", [])
        for kind, id_, body in self._seen.new(lines[:-1].split(b"\n")):
            if kind == "call":
                calls.append(orjson.dumps(body))
            elif kind == "commit":
                owner = orjson.dumps(body["owner"])
                rows = [(t, _owned(owner, row)) for t, of_table in body["records"].items() for row in of_table]
                id_json = orjson.dumps(id_)[1:-1] if id_ is not None else None
                self._commit(id_json, owner, rows, first=self._seen.is_first(body["owner"]))
                calls = self._gathered.setdefault("calls", [])
        self._put_down()

    def _commit(self, id_: bytes | None, owner: bytes, rows: Iterable[tuple[str, bytes]], *, first: bool) -> None:
        """Take in a commit; its id and its owner as in JSON."""
        if not first:
            if owner in self._waiting:  # what it made before is among these rows
                self._insert()
            self._replaced.append(orjson.loads(owner))
        self._owners.add(owner)
        self._waiting.add(owner)
        if id_ is not None:
            self._gathered.setdefault("commits", []).append(b'{"id":"%b"}' % id_)
        for table, row in rows:
            self._gathered.setdefault(table, []).append(row)

    def _put_down(self) -> None:
        for table, rows in self._gathered.items():
            if rows:
                self._longest[table] = max(self._longest.get(table, 0), *map(len, rows))
                with self._file(table).open("ab") as file:
                    file.write(b"\n".join((*rows, b"")))
        self._gathered = {}

    def _file(self, table: str) -> Path:
        return self._folder / f"{table}.jsonl"

    def insert(self) -> None:
        """Put into the tables what was taken in.

        Raises:
            ValueError: an entry is damaged.
        """
        self._parse()
        self._insert()

    def _insert(self) -> None:
        self._put_down()
        if self._replaced:
            _take_out(self._con, self._schema, self._replaced)
        for table, longest in self._longest.items():
            file = self._file(table)
            self._con.execute(
                f"""INSERT INTO {self._schema}."{table}" BY NAME SELECT {from_journal(table)} FROM read_json({quote(str(file))},
                format = 'newline_delimited', maximum_object_size = {longest + 1}, columns = {_row_of(table)})"""
            )
            file.unlink()
        self._replaced, self._longest = [], {}
        self._waiting.clear()

    def owners(self) -> list[str]:
        """Whose commits were taken in."""
        return sorted(orjson.loads(owner) for owner in self._owners)


def _owned(owner: bytes, row: dict[str, Any]) -> bytes:
    """A row as JSON, with its owner, which is JSON already."""
    row.pop("owner", None)
    return b'{"owner":%b,%b' % (owner, orjson.dumps(row)[1:]) if row else b'{"owner":%b}' % owner


def _take_out(con: duckdb.DuckDBPyConnection, schema: str, owners: Sequence[str]) -> None:
    """Delete what these owners committed before."""
    con.execute("CREATE OR REPLACE TEMP TABLE replaced AS SELECT unnest($1::VARCHAR[]) AS owner", [list(owners)])
    # A unit's first commit brings its problem: where none is there, there is nothing of that unit to take out.
    units = not any(owner in {CORPUS, BY_HAND} or owner.startswith(HUMAN_OWNER) for owner in owners)
    again = f"SELECT 1 FROM {schema}.problems SEMI JOIN replaced USING (owner) LIMIT 1"
    if units and con.execute(again).fetchone() is None:
        return
    for table in TABLES:
        if table != "calls":
            con.execute(f'DELETE FROM {schema}."{table}" WHERE owner IN (SELECT owner FROM replaced)')


@cache
def _row_of(table: str) -> str:
    """The columns of a table, as `read_json` wants them."""
    columns = {"id": "VARCHAR"} if table == "commits" else journal_columns(TABLES[table])
    owned = {} if table in {"calls", "commits"} else {"owner": "VARCHAR"}
    return "{" + ", ".join(f"{quote(n)}: {quote(t)}" for n, t in {**owned, **columns}.items()) + "}"


_SIDE = """SELECT a.id, a.unit, 'pairs' AS tab, a.step, a.problem, r.model, p.source, p.answer, r.reasoning AS text
  FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales r ON r.id = a."""
_SEEN = {
    "problem": """SELECT id, unit, 'problems' AS tab, step, id AS problem, NULL AS model, source, answer,
      concat_ws(' ', context, question, array_to_string(choices, ' ')) AS text FROM kept_problems""",
    "rationale": """SELECT r.id, r.unit, 'rationales' AS tab, r.step, r.problem, r.model, p.source, p.answer, r.reasoning AS text
      FROM kept_rationales r JOIN problems p ON p.id = r.problem""",
    "chosen": f"{_SIDE}chosen",
    "rejected": f"{_SIDE}rejected",
}
"""What corpus steps look at, by target."""


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
        self._folded = False
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
        """Set the damaged database aside: the next fold would go on with it, as it reads little of it."""
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
                self._folded = derived and self._attach(con, path)
                self._make_tables(con, Path(rows))
                self._make_steps(con)
                con.execute(VIEWS.read_text(encoding="utf-8"))
                self._make_wide(con)
                for name, given in self._functions.items():
                    _create_function(con, name, *given)
            except BaseException:
                con.close()
                raise
        return con

    def _make_tables(self, con: duckdb.DuckDBPyConnection, rows: Path) -> None:
        begin = _folded_up_to(con, "folded") if self._folded else START
        blocks = read_blocks(self.run / "journal", begin, _BLOCK_BYTES)
        first = next(blocks, None)
        newer = first is not None or not self._folded
        if newer:
            self._read_tail(con, rows, (lines for _, lines in chain([first] if first is not None else [], blocks)))
        for table, kind in TABLES.items():
            names = ", ".join(f'"{c}"' for c in columns(kind))
            # Where all is folded, DuckDB is to see the bare table: it then reads texts only of rows that are asked for.
            old = f'SELECT {names} FROM folded.main."{table}"' if self._folded else ""
            if old and newer:
                old += " WHERE owner IS NULL OR owner NOT IN (SELECT owner FROM tail.newer) UNION ALL "
            new = f'SELECT {names} FROM tail."{table}"' if newer else ""
            con.execute(f'CREATE VIEW "{table}" AS {old}{new}')

    def _read_tail(self, con: duckdb.DuckDBPyConnection, folder: Path, blocks: Iterable[bytes]) -> None:
        """Take in what is not folded yet, beside what is."""
        con.execute("CREATE SCHEMA tail")
        make_tables(con, "tail")
        seen = _Seen()
        seen.begin(con, "folded.main", _folded_up_to(con, "folded") if self._folded else START)
        try:
            with _Rows(con, "tail", folder, seen) as rows:
                size = 0
                for lines in blocks:
                    rows.take(lines)
                    size += len(lines)
                    if size >= _BATCH_BYTES:
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
        except Held:  # being folded this moment, here or elsewhere: the journal has it all
            return False
        return found and reaches(self.run / "journal", _folded_up_to(con, "folded"))

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
        if not self._folded or type(error) not in _OF_DAMAGE or is_sound(self._con, "folded"):
            return False
        self._report(error)
        self._con.close()
        self._set_aside()
        self._con = self._open(derived=False)
        return True

    def _retried(self, ask: Callable[[], T]) -> T:
        """What a question gives; of the journal, where the database turns out to be damaged."""
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
        _create_function(self._con, name, function, takes, gives)

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

        schema, first, rest = self._retried(begin)
        return pa.RecordBatchReader.from_batches(schema, chain(first, rest))

    def frame(self, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Ask a question; the rows as a frame, which writes Parquet, CSV and more."""
        rows: pl.DataFrame = self._retried(lambda: self._con.sql(query, params=list(parameters)).pl())
        return rows

    def dataset(self, query: str, parameters: Sequence[Any] = ()) -> datasets.Dataset:
        """Ask a question; the rows as a `datasets.Dataset`."""
        from datasets import Dataset

        return Dataset(self._retried(lambda: self._con.sql(query, params=list(parameters)).to_arrow_table()))

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
            ValueError: calls are neither kept nor put out.
        """
        if kept and not issubclass(kind, UnitRecord):
            raise ValueError(f"{kind.table} are neither kept nor put out")
        table, among = kind.table, "true"
        if kept and kind in _HAS_VIEW:
            table = f"kept_{table}"
        elif kept:
            owners = [c for c in ("id", "problem", "unit") if c in stored_columns(kind)]
            among = " AND ".join(f"{c} NOT IN (FROM excluded)" for c in owners)
        found = self.ask(f'SELECT {recorded(kind)} FROM "{table}" WHERE {among} AND ({where}\n) ORDER BY id')
        return _typed(found, kind)

    def kept(self, target: str) -> list[Any]:
        """What corpus steps see: the kept records, in order of their ids; see `synth.corpus.CorpusView`."""
        from synth.corpus.step import CorpusRecord

        query = f"SELECT id, unit, tab, step, problem, model, source, answer FROM ({_SEEN[target]}) ORDER BY id"
        return [CorpusRecord(*row) for row in self.sql(query).fetchall()]

    def texts(self, target: str) -> _Column:
        """The texts of the same records in the same order, read as they are gone through."""
        return _Column(self, f"SELECT coalesce(text, '') FROM ({_SEEN[target]}) ORDER BY id")

    def values(self, target: str, name: str) -> list[float | None]:
        """A number for each of the same records in the same order."""
        value, given = (
            "(SELECT s.value FROM current_scores s WHERE s.target = t.id AND s.name = $1 AND s.part IS NULL)",
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
        ids = self.apart(f"SELECT id FROM ({_SEEN[target]}) ORDER BY id")
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
        query = f'SELECT {recorded(kind)} FROM "{kind.table}" WHERE id IN (SELECT unnest($1::VARCHAR[]))'
        return {r.id: r for r in _typed(self.apart(query, [list(set(ids))]), kind)}

    def _scores_of(self, ids: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        query = """SELECT target, name, value, label FROM current_scores
            WHERE part IS NULL AND target IN (SELECT unnest($1::VARCHAR[]))"""
        values: dict[str, dict[str, Any]] = {}
        labels: dict[str, dict[str, Any]] = {}
        for target, name, value, label in self.apart(query, [list(ids)]).fetchall():
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


class Answer:
    """The rows of a question. Where the database turns out to be damaged before any row was read, it is asked of the journal.

    Args:
        store: what is asked.
        ask: asks the question.
    """

    def __init__(self, store: Store, ask: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._store, self._ask = store, ask
        self._begun = False
        self._result = store._retried(ask)  # noqa: SLF001

    @property
    def description(self) -> list[Any]:
        """The columns; the name is the first of each."""
        return self._result.description or []

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        return self._fetch(lambda result: result.fetchall())

    def fetchmany(self, size: int) -> list[Any]:
        """The next so many rows, at most."""
        return self._fetch(lambda result: result.fetchmany(size))

    def fetchone(self) -> Any:
        """The next row; None where there is none."""
        return self._fetch(lambda result: result.fetchone())

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The rows in Arrow batches, read as they are gone through."""
        return self._fetch(lambda result: result.to_arrow_reader())

    def _fetch(self, fetch: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        try:
            rows = fetch(self._result)
        except duckdb.Error as error:
            if not self._store.fall_back(error):
                raise
            if self._begun:  # of the journal the rows might come in another order
                raise RunFolderError(
                    f"{DATABASE} is damaged, and was set aside",
                    where=str(self._store.run),
                    remedy="give the same command again: the journal has it all",
                ) from error
            self._result = self._ask()
            rows = fetch(self._result)
        self._begun = True
        return rows


def _create_function(
    con: duckdb.DuckDBPyConnection, name: str, function: Callable[..., Any], takes: Sequence[str], gives: str
) -> None:
    types = [duckdb.type(t) for t in takes]
    con.create_function(name, function, types, duckdb.type(gives), null_handling="special")  # type: ignore[call-overload]  # the word does in every version


def _typed(found: Answer, kind: type[R]) -> Iterator[R]:
    typed = stored_columns(kind)
    as_json = [name for name, sql in typed.items() if sql == "JSON"]
    while some := found.fetchmany(1024):
        for values in some:
            row = {name: value for name, value in zip(typed, values, strict=True) if value is not None}
            row |= {name: orjson.loads(row[name]) for name in as_json if name in row}
            try:
                yield kind.model_validate(row)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                raise RunFolderError(
                    f"a row of {kind.table} cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                    where=str(row.get("id")),
                    remedy="the run was made by another version of synth, or its journal was changed",
                ) from error


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

    def __init__(self, store: Store, query: str) -> None:
        self._store, self._query = store, query

    def __len__(self) -> int:
        row = self._store.apart(f"SELECT count(*) FROM ({self._query})").fetchone()
        return row[0] if row else 0

    def __iter__(self) -> Iterator[str]:
        rows = self._store.apart(self._query)
        while some := rows.fetchmany(2048):
            yield from (text for (text,) in some)


def open_store(run: Path | str) -> Store:
    """A run, open for reading."""
    return Store(Path(run))

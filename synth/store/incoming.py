"""Rows on their way from the journal into tables: each entry once, the last commit of each owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

import duckdb
import orjson

from synth.store.columns import LEDGERS, TABLES, from_journal, journal_columns
from synth.store.commits import cut_commit
from synth.store.entries import Entry, parse_entry
from synth.store.journal import ID_LETTERS, START, Position
from synth.store.owners import BY_HAND, CORPUS, HUMAN_OWNER
from synth.store.sealed import quote

__all__ = ["Rows", "Seen"]

_COMMIT, _BETWEEN = b'{"kind":"commit","id":"', b'","body":'
"""How the entries that hold rows begin, and what stands between an id and a body, which ends one brace before the line does."""
_ROWS = tuple((b'{"kind":"%b","body":' % kind.encode(), table) for kind, table in LEDGERS.items())
"""How an entry begins that is one row, with its table."""
_BODY = len(_COMMIT) + ID_LETTERS + len(_BETWEEN)
"""Where the body of a commit begins."""


class Seen:
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
        """Continue with tables that hold the journal up to a place. Where not all of that was seen here, they are asked for the rest.

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
            known = {hash((kind, i)) for kind in (*LEDGERS, "commit") for i in self._known(self._con, kind, entries)}
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


class Rows:
    """Rows on their way from the journal into tables, in a file for each table: DuckDB reads files best.

    Args:
        con: where to.
        schema: of the tables.
        folder: for these files.
        seen: what was taken in before.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, schema: str, folder: Path, seen: Seen) -> None:
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
        """Owners whose new commit replaces their earlier one."""
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
        for line in lines[:-1].split(b"\n"):
            if line.startswith(_COMMIT):
                id_, body = line[len(_COMMIT) : _BODY - len(_BETWEEN)], line[_BODY:-1]
                owner, first, rows = cut_commit(body)
                self._commit(id_, owner, rows, first=first)
                continue
            for begin, table in _ROWS:
                if line.startswith(begin):
                    self._gathered.setdefault(table, []).append(line[len(begin) : -1])
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
        for kind, id_, body in self._seen.new(lines[:-1].split(b"\n")):
            if kind in LEDGERS:
                self._gathered.setdefault(LEDGERS[kind], []).append(orjson.dumps(body))
            elif kind == "commit":
                owner = orjson.dumps(body["owner"])
                rows = [(t, _owned(owner, row)) for t, of_table in body["records"].items() for row in of_table]
                id_json = orjson.dumps(id_)[1:-1] if id_ is not None else None
                self._commit(id_json, owner, rows, first=self._seen.is_first(body["owner"]))
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
        if table not in LEDGERS.values():
            con.execute(f'DELETE FROM {schema}."{table}" WHERE owner IN (SELECT owner FROM replaced)')


@cache
def _row_of(table: str) -> str:
    """The columns of a table, as `read_json` wants them."""
    columns = {"id": "VARCHAR"} if table == "commits" else journal_columns(TABLES[table])
    owned = {} if table in {*LEDGERS.values(), "commits"} else {"owner": "VARCHAR"}
    return "{" + ", ".join(f"{quote(n)}: {quote(t)}" for n, t in {**owned, **columns}.items()) + "}"

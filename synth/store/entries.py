"""Entries of the journal, parsed: the one reader of its bytes, for the ledger and for the tables alike.

A journal may be damaged, merged with another, or come from a stranger. What does not parse here is damaged for everybody, and what
does is the same for everybody: DuckDB is given the entry as it was understood here, never the bytes as they stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from synth.errors import RunFolderError
from synth.records import UnitRecord
from synth.store.columns import LEDGERS, PART, TABLES, journal_columns, part_columns
from synth.store.journal import Location, damaged, read_entries

__all__ = ["LAYOUT", "Entry", "find_damage", "parse_entry", "read_journal"]

LAYOUT = 2
"""Version of the layout of entries, which the entry `run` at the beginning of a journal notes."""
_DEEPEST = 200
"""Brackets below which an entry cannot be nested more deeply than `orjson` writes (254)."""
_MOST_SIGNATURES = 10_000
_COMMITTED = {name: kind for name, kind in TABLES.items() if issubclass(kind, UnitRecord)}


class Entry(NamedTuple):
    """An entry, parsed and checked."""

    kind: str
    """`call`, `commit`, `execution`, `forget`, `note` or `run`."""
    id: str | None
    """What it is known by where it stands in the journal more than once; None for one that older versions wrote."""
    body: dict[str, Any]


def parse_entry(line: bytes, *, rows: bool = False) -> Entry:
    """Parse one entry.

    Args:
        line: the entry.
        rows: whether the rows of a commit are checked too, column by column. DuckDB checks them when it takes them in; this
            finds out which entry it could not take in.

    Raises:
        ValueError: it is damaged: not JSON, of no known kind, or a field is absent or of another type.
    """
    entry = orjson.loads(line)
    if line.count(b"{") + line.count(b"[") > _DEEPEST:
        try:
            orjson.dumps(entry)
        except TypeError as error:
            raise ValueError("it is nested too deeply") from error
    if type(entry) is not dict:
        raise ValueError("it is not an object")
    kind, body = entry.get("kind"), entry.get("body")
    if type(kind) is not str or type(body) is not dict or kind not in _CHECKS:
        raise ValueError("it is of no known kind")
    _CHECKS[kind](body)
    id_ = body["id"] if kind in LEDGERS else entry.get("id")
    if id_ is not None and type(id_) is not str:
        raise ValueError("its id is not a string")
    if rows and kind == "commit":
        for table, of_table in body["records"].items():
            for row in of_table:
                _check_row(table, row)
    return Entry(kind, id_, body)


def read_journal(folder: Path) -> Iterator[tuple[Location, Entry]]:
    """Every entry of a journal, oldest first. One that stands there again, as in a journal that was merged or copied twice, is
    passed over: the first stands.

    Raises:
        RunFolderError: an entry is damaged, and the message names its line; or a newer version wrote the journal.
    """
    seen: set[int] = set()  # hashes: a journal may hold millions of ids
    for location, line in read_entries(folder):
        try:
            entry = parse_entry(line)
        except ValueError as error:
            raise damaged(folder, location) from error
        if entry.kind == "run" and entry.body.get("format", LAYOUT) != LAYOUT:
            raise RunFolderError(
                f"the journal was made by another version of synth ({entry.body.get('synth', '?')}, layout {entry.body['format']})",
                where=str(folder),
                fix="use the version that made it, or another folder",
            )
        if entry.id is not None:
            mark = hash((entry.kind, entry.id))
            if mark in seen:
                continue
            seen.add(mark)
        yield location, entry


def find_damage(folder: Path) -> RunFolderError | None:
    """What to say of the first entry that cannot be read; None where all can."""
    for location, line in read_entries(folder):
        try:
            parse_entry(line, rows=True)
        except ValueError:
            return damaged(folder, location)
    return None


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_integer(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


_IS: dict[str, Callable[[Any], bool]] = {
    "VARCHAR": _is_text,
    "BIGINT": _is_integer,
    "DOUBLE": _is_number,
    "BOOLEAN": lambda value: type(value) is bool,
    "VARCHAR[]": lambda value: type(value) is list and all(map(_is_text, value)),
    "BIGINT[]": lambda value: type(value) is list and all(map(_is_integer, value)),
    "DOUBLE[]": lambda value: type(value) is list and all(map(_is_number, value)),
    "JSON": lambda _: True,
}
_PART = {name: _IS[sql] for name, sql in part_columns().items()}


def _is_part(value: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() <= _PART.keys()
        and all(_PART[name](field) for name, field in value.items() if field is not None)
    )


_IS[PART] = _is_part
_SETTLED = {str, bool, float, type(None)}
"""Types of which a value needs no look of its own: the type says it all."""


@cache
def _checks_of(table: str) -> tuple[dict[str, Callable[[Any], bool]], frozenset[str]]:
    """How the columns of a table are checked, and which it must have."""
    kind = TABLES[table]
    required = frozenset(name for name, field in kind.model_fields.items() if field.is_required())
    return {name: _IS[sql] for name, sql in journal_columns(kind).items()}, required


_plans: dict[tuple[str, tuple[str, ...], tuple[type, ...]], tuple[str, ...] | None] = {}
"""By table, columns and their Python types: the columns whose values need a look; None where such a row is damaged.

Rows of one kind have the same types, so that nearly every row costs one question of this dictionary.
"""


def _check_row(table: str, row: dict[str, Any]) -> None:
    """Raise ValueError where a row does not fit its table. Columns that the table does not have are of a newer version."""
    signature = (table, tuple(row), tuple(map(type, row.values())))
    try:
        plan = _plans[signature]
    except KeyError:
        if len(_plans) >= _MOST_SIGNATURES:
            _plans.clear()
        plan = _plans[signature] = _plan(table, row)
    if plan is None:
        raise ValueError(f"a row of {table} lacks a column, or has one of another type")
    if plan:
        checks, _ = _checks_of(table)
        for name in plan:
            if not checks[name](row[name]):
                raise ValueError(f"{name} of a row of {table} is of another type")


def _plan(table: str, row: Mapping[str, Any]) -> tuple[str, ...] | None:
    checks, required = _checks_of(table)
    if (
        any(row.get(name) is None and checks[name] is not _IS["JSON"] for name in required)
        or not required <= row.keys()
    ):
        return None
    known = [(name, value) for name, value in row.items() if name in checks]
    if any(type(value) in _SETTLED and value is not None and not checks[name](value) for name, value in known):
        return None
    return tuple(name for name, value in known if type(value) not in _SETTLED and checks[name] is not _IS["JSON"])


def _check_call(body: dict[str, Any]) -> None:
    _check_row("calls", body)
    messages = body["messages"]
    if type(messages) is not list or not all(type(m) is dict for m in messages):
        raise ValueError("the messages are not a list of objects")


def _check_commit(body: dict[str, Any]) -> None:
    _check_texts(body, "owner", "fingerprint")
    records = body.get("records")
    if type(records) is not dict:
        raise ValueError("the records are not an object")
    for table, rows in records.items():
        if table not in _COMMITTED or type(rows) is not list:
            raise ValueError(f"{table} is not a table of records")
        for row in rows:
            if type(row) is not dict:
                raise ValueError(f"a row of {table} is not an object")


def _check_texts(body: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if type(body.get(name)) is not str:
            raise ValueError(f"{name} is not a string")


def _check_forget(body: dict[str, Any]) -> None:
    _check_texts(body, "key")
    if body.get("unit") is not None:
        _check_texts(body, "unit")


def _check_note(body: dict[str, Any]) -> None:
    _check_texts(body, "model")
    if type(body.get("note")) is not dict:
        raise ValueError("the note is not an object")


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "call": _check_call,
    "commit": _check_commit,
    "execution": lambda body: _check_row("executions", body),
    "forget": _check_forget,
    "note": _check_note,
    "run": lambda body: _check_texts(body, "pipeline"),
}

"""From record types to typed DuckDB columns."""

from __future__ import annotations

from functools import cache
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from synth.documented import field_docs
from synth.records import RECORD_TYPES, Part, Record
from synth.records.parts import OWN_BEGINNING, OWN_END

__all__ = [
    "LEDGERS",
    "PART",
    "TABLES",
    "column_docs",
    "columns",
    "derived_columns",
    "from_journal",
    "journal_columns",
    "part_columns",
    "recorded",
    "stored_columns",
]

TABLES: dict[str, type[Record]] = {kind.table: kind for kind in RECORD_TYPES}
"""Record types by table."""
LEDGERS: dict[str, str] = {"call": "calls", "execution": "executions"}
"""Entries of the journal that are one row each, with the table: they belong to the run, and to no unit."""

_PLAIN = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


_BEGINNING, _END = (pattern.replace("'", "''") for pattern in (OWN_BEGINNING, OWN_END))
_BLANK = "[ \\t\\n\\r\\f\\v]"


def _stripped(text: str, *, left: bool = True, right: bool = True) -> str:
    """A text without white space at its ends, in SQL. DuckDB's own `trim` reads all of a text, and takes 20 times as long."""
    if left:
        text = f"regexp_replace({text}, '^{_BLANK}+', '')"
    return f"regexp_replace({text}, '{_BLANK}+$', '')" if right else text


_SOLUTION = _stripped(f"""CASE WHEN answer_span IS NOT NULL
  AND regexp_matches(left(response, answer_span[1]), '{_BEGINNING}')
  AND regexp_matches(substr(response, answer_span[2] + 1), '{_END}')
  THEN {_stripped("left(response, answer_span[1])", left=False)} || chr(10) || {_stripped("substr(response, answer_span[2] + 1)", right=False)}
  ELSE response END""")
_THOUGHT = _stripped("coalesce(thought, '')")
_DERIVED: dict[str, dict[str, str]] = {
    "rationales": {
        "text": f"CASE WHEN {_SOLUTION} = '' THEN {_THOUGHT} ELSE {_SOLUTION} END",
        "reasoning": f"concat_ws(chr(10) || chr(10), nullif({_THOUGHT}, ''), nullif({_SOLUTION}, ''))",
    }
}
"""By table, the columns that DuckDB computes when they are read: the properties of that name, in SQL. A test holds both
equal.
"""


_TIMES = {"calls": ("started",), "executions": ("started",)}
"""By table, the columns that hold a moment: seconds since the epoch in records and in the journal, TIMESTAMPTZ in DuckDB."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999, the last one that Python's and Arrow's readers take."""


@cache
def journal_columns(kind: type[Record]) -> dict[str, str]:
    """The columns that a record type fills, with the DuckDB types of their values in the journal; what has no plain type is JSON."""
    return {name: _sql_type(f.annotation) for name, f in kind.model_fields.items()}


@cache
def stored_columns(kind: type[Record]) -> dict[str, str]:
    """The same columns with the types that they have in the tables."""
    return {**journal_columns(kind), **dict.fromkeys(_TIMES.get(kind.table, ()), "TIMESTAMPTZ")}


def from_journal(table: str) -> str:
    """What to select of rows of the journal, for a table. A moment that no calendar has becomes NULL."""
    moments = ", ".join(
        f"CASE WHEN {name} BETWEEN 0 AND {_LAST_SECOND} THEN to_timestamp({name}) END AS {name}"
        for name in _TIMES.get(table, ())
    )
    return f"* REPLACE ({moments})" if moments else "*"


def recorded(kind: type[Record]) -> str:
    """What to select of a table, for the fields of its record type."""
    times = _TIMES.get(kind.table, ())
    return ", ".join(f'epoch("{c}") AS "{c}"' if c in times else f'"{c}"' for c in journal_columns(kind))


def derived_columns(kind: type[Record]) -> dict[str, str]:
    """The text columns that DuckDB computes of the stored ones, with their expressions."""
    return _DERIVED.get(kind.table, {})


def column_docs(kind: type[Record]) -> dict[str, str]:
    """What each column of the table of a record type holds."""
    return {**field_docs(kind), **{name: cleandoc(getattr(kind, name).__doc__) for name in derived_columns(kind)}}


def columns(kind: type[Record]) -> dict[str, str]:
    """All columns of the table of a record type, with their DuckDB types."""
    return {**stored_columns(kind), **dict.fromkeys(derived_columns(kind), "VARCHAR")}


def part_columns() -> dict[str, str]:
    """The fields of a part of a record, with their DuckDB types."""
    return {name: _sql_type(field.annotation) for name, field in Part.model_fields.items()}


def _sql_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _sql_type(args[0])
    if origin in {Union, UnionType}:
        kinds = {_sql_type(a) for a in args if a is not NoneType}
        return kinds.pop() if len(kinds) == 1 else "JSON"
    if origin is Literal:
        return "VARCHAR"
    if origin is tuple and args[0] in _PLAIN:
        return f"{_PLAIN[args[0]]}[]"
    if annotation is Part:
        return PART
    return _PLAIN.get(annotation, "JSON")


PART = "STRUCT({})".format(", ".join(f'"{name}" {kind}' for name, kind in part_columns().items()))
"""The DuckDB type of a part of a record."""

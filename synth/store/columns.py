"""From record types to typed DuckDB columns."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from synth.records import RECORD_TYPES, Record

__all__ = ["TABLES", "columns"]

TABLES: dict[str, type[Record]] = {kind.table: kind for kind in RECORD_TYPES}
"""Record types by table."""

_PLAIN = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def columns(kind: type[Record]) -> dict[str, str]:
    """The columns of a record type with their DuckDB types; what has no plain type is JSON."""
    return {name: _sql_type(field.annotation) for name, field in kind.model_fields.items()}


def _sql_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _sql_type(args[0])
    if origin in {Union, UnionType}:
        kinds = {_sql_type(a) for a in args if a is not NoneType}
        return kinds.pop() if len(kinds) == 1 else "JSON"
    if origin is Literal:
        return "VARCHAR"
    if origin is tuple and args[0] is str:
        return "VARCHAR[]"
    return _PLAIN.get(annotation, "JSON")

"""What a question to a run gives: rows, and records of a type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import orjson
from pydantic import ValidationError

from synth.errors import RunFolderError
from synth.records import Record
from synth.store.columns import stored_columns
from synth.store.sealed import DATABASE

if TYPE_CHECKING:
    import pyarrow as pa

    from synth.store.database import Store

__all__ = ["Answer", "create_function", "typed"]

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Answer:
    """The rows of a question. Where the database turns out to be damaged before any row was read, it is asked of the journal.

    Args:
        store: what is asked.
        ask: asks the question.
    """

    def __init__(self, store: Store, ask: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._store, self._ask = store, ask
        self._begun = False
        self._result = store.retried(ask)

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
                    fix="give the same command again: the journal has it all",
                ) from error
            self._result = self._ask()
            rows = fetch(self._result)
        self._begun = True
        return rows


def create_function(
    con: duckdb.DuckDBPyConnection, name: str, function: Callable[..., Any], takes: Sequence[str], gives: str
) -> None:
    """Add a Python function to a connection, over values of the SQL types named; NULL is given to it as None."""
    types = [duckdb.type(t) for t in takes]
    con.create_function(name, function, types, duckdb.type(gives), null_handling="special")  # type: ignore[call-overload]  # the word does in every version


def typed(found: Answer, kind: type[R]) -> Iterator[R]:
    """The rows of a question, which asked for all columns of a type (`recorded`), as records of it.

    Raises:
        RunFolderError: a row is not a record of that type.
    """
    columns = stored_columns(kind)
    as_json = [name for name, sql in columns.items() if sql == "JSON"]
    while some := found.fetchmany(1024):
        for values in some:
            row = {name: value for name, value in zip(columns, values, strict=True) if value is not None}
            row |= {name: orjson.loads(row[name]) for name in as_json if name in row}
            try:
                yield kind.model_validate(row)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                raise RunFolderError(
                    f"a row of {kind.table} cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                    where=str(row.get("id")),
                    fix="the run was made by another version of synth, or its journal was changed",
                ) from error

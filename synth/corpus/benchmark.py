"""Items of benchmarks, read from files: what no record may give away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from synth.corpus.shingles import normalise

__all__ = ["BenchmarkItem", "read_items"]


class BenchmarkItem(NamedTuple):
    """One item of a benchmark."""

    file: str
    """The file as it was named."""
    row: int
    """Its row there, from 1."""
    text: str
    """Its columns, one a line."""


def read_items(files: Iterable[tuple[str, Path]], columns: Sequence[str], shortest: int = 1) -> list[BenchmarkItem]:
    """The items of these files that have so many words.

    Args:
        files: names, and where the files are; `.parquet`, `.csv`, `.tsv`, and all else JSON Lines.
        columns: what an item's text is made of; those that are null are left out.
        shortest: words below which an item is passed over.

    Raises:
        ValueError: a file cannot be read, holds no row, or lacks a column; the message names file and row.
    """
    items = []
    for name, path in files:
        number = 0
        for number, row in enumerate(_rows(name, path), 1):
            absent = [c for c in columns if c not in row]
            if absent:
                raise ValueError(f"row {number} of {name} has no column {absent[0]!r} (it has {', '.join(row)})")
            text = "\n".join(str(row[c]) for c in columns if row[c] is not None)
            if len(normalise(text)) >= shortest:
                items.append(BenchmarkItem(name, number, text))
        if number == 0:
            raise ValueError(f"{name} holds no row")
    return items


def _rows(name: str, path: Path) -> Iterable[dict[str, Any]]:
    if path.suffix in {".parquet", ".csv", ".tsv"}:
        yield from _table(name, path)
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise ValueError(f"line {number} of {name} is no JSON: {error}") from error
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} of {name} is no JSON object")  # noqa: TRY004  # a wrong file, no wrong call
                yield row
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def _table(name: str, path: Path) -> Iterable[dict[str, Any]]:
    import polars as pl

    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False, separator="\t" if path.suffix == ".tsv" else ",")
    except pl.exceptions.NoDataError:
        return
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{name} cannot be read: {str(error).splitlines()[0]}") from error
    yield from frame.iter_rows(named=True)

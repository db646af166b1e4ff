"""Rows out of files: JSONL, CSV, Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from synth.errors import InputError

__all__ = ["ENDINGS", "Row", "read_rows"]

Row = tuple[int, dict[str, Any] | str]
"""The line (JSONL) or row number, from 1, and the row; or, in words, why it cannot be read."""

ENDINGS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a file, with memory that does not grow with it.

    Raises:
        InputError: there is no such file, or it is of another kind.
    """
    if not path.is_file():
        what = "this is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(what, where=str(path), remedy="give a file with --input, or none for the pipeline's sample")
    if path.suffix in {".jsonl", ".ndjson"}:
        yield from _jsonl(path)
    elif path.suffix in {".csv", ".tsv"}:
        yield from _csv(path, "\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".parquet":
        yield from _parquet(path)
    else:
        raise InputError(
            f"cannot tell what kind of file this is from {path.suffix!r}",
            where=str(path),
            remedy=f"use {', '.join(ENDINGS)}",
        )


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except orjson.JSONDecodeError as error:
                try:
                    line.decode("utf-8")
                    yield number, f"this is not JSON: {error.msg} (column {error.colno})"
                except UnicodeDecodeError:
                    yield number, "this is not UTF-8 text"
                continue
            yield number, row if isinstance(row, dict) else f"this is a JSON {type(row).__name__}, not an object"


def _csv(path: Path, separator: str) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=separator, restkey="")
            for row in reader:
                if "" in row:
                    yield reader.line_num, "this row has more cells than the header"
                elif None in row.values():
                    yield reader.line_num, "this row has fewer cells than the header"
                else:
                    yield reader.line_num, dict(row)
    except UnicodeDecodeError as error:
        raise InputError("this is not UTF-8 text", where=str(path), remedy="save it as UTF-8") from error


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except Exception as error:
        raise InputError(f"this is not a Parquet file: {error}", where=str(path)) from error
    number = 0
    for batch in file.iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield number, row

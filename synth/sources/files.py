"""Rows out of files: JSON Lines, JSON, CSV, Parquet; packed or not."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import IO, Any

from synth.errors import InputError
from synth.nesting import TOO_DEEP, too_deep
from synth.sources.json_values import NotJson, Written, parse_json

__all__ = [
    "ENDINGS",
    "MISSING",
    "MOST_BYTES",
    "MOST_ROW_BYTES",
    "PACKED",
    "Row",
    "kind_of_bytes",
    "opened",
    "read_rows",
]

Row = tuple[int, dict[str, Any] | str]
"""The line (JSON Lines, CSV) or row number, from 1, and the row; or, in words, why it cannot be read."""

ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PACKED = (".gz", ".zst")
"""What may follow one of the former."""

MOST_ROW_BYTES = 2**26
"""Of a row, unpacked: a few kilobytes of a packed file can be a row of any size."""
MOST_BYTES = 2**30
"""Of a file that has to be read whole (`.json`, and Parquet that is packed again), unpacked."""
_TOO_LARGE = f"this row has more than {MOST_ROW_BYTES // 2**20} MiB"

MISSING = frozenset({"NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A"})
"""Cells of CSV by which programs say that there is no value."""

_BLOCK = 2**20
_MAGIC = ((b"PAR1", ".parquet"), (b"\x1f\x8b", ".gz"), (b"\x28\xb5\x2f\xfd", ".zst"))
_CHAT = frozenset({"role", "from"})


_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that stands for a larger one in a Git repository; mirrors of data sets often hold these alone."""


def read_rows(path: Path, notes: Counter[str] | None = None) -> Iterator[Row]:
    """Every row of a file, with memory that does not grow with it; of `.json` the whole is in memory.

    Args:
        path: the file; the ending says what it is.
        notes: takes counts of what was read in a way that has to be reported.

    Raises:
        InputError: there is no such file, or it is of another kind, or damaged.
    """
    if not path.is_file():
        what = "this is a folder, not a file" if path.is_dir() else "there is no such file"
        what = "this is not a regular file" if path.exists() and not path.is_dir() else what
        raise InputError(what, where=str(path), fix="give a file with --input, or none for the pipeline's sample")
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            what = f"this is a Git LFS pointer of {path.stat().st_size} bytes, and not the data that it points to"
            raise InputError(what, where=str(path), fix=f"fetch the data: git lfs pull --include {path.name}")
    packing = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    ending = Path(path.stem).suffix.lower() if packing else path.suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        raise InputError(
            f"the kind of this file does not follow from {''.join(path.suffixes[-2:] if packing else path.suffixes[-1:])!r}",
            where=str(path),
            fix=f"use {', '.join(ENDINGS)}, also with {' or '.join(PACKED)} behind it",
        )
    with opened(path, packing) as file:
        yield from reader(path, file, notes if notes is not None else Counter())


def kind_of_bytes(beginning: bytes) -> str:
    """The ending that fits what a file begins with; packed ones are known by their packing alone."""
    for magic, ending in _MAGIC:
        if beginning.startswith(magic):
            return ending
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return ".json"
    if text.startswith(b"{"):
        first = text.partition(b"\n")[0].rstrip()
        return ".jsonl" if first.endswith(b"}") or b"\n" not in text else ".json"
    return ".tsv" if b"\t" in text.partition(b"\n")[0] else ".csv"


@contextmanager
def opened(path: Path, packing: str) -> Iterator[IO[bytes]]:
    """The content of a file.

    Raises:
        InputError: it is packed, and damaged.
    """
    try:
        with path.open("rb") as raw:
            if packing == ".gz":
                yield io.BufferedReader(gzip.GzipFile(fileobj=raw))
            elif packing == ".zst":
                import pyarrow as pa

                yield io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))
            else:
                yield raw
    except InputError:
        raise
    except (EOFError, zlib.error, OSError) as error:
        if not packing:
            raise InputError(f"the file cannot be read: {error}", where=str(path)) from error
        what = f"the {packing[1:]} file is damaged, or ends early: {error}"
        raise InputError(what, where=str(path), fix="fetch or pack it again") from error


def _check_encoding(path: Path, beginning: bytes) -> None:
    for mark, name in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16BE")):
        if beginning.startswith(mark):
            raise InputError(
                "this is UTF-16 text, not UTF-8 text",
                where=str(path),
                fix=f"save it as UTF-8, such as with: iconv -f {name} -t UTF-8 {quote(path.name)} > {quote(f'new{path.suffix}')}",
            )


def _jsonl(path: Path, file: IO[bytes], _: Counter[str]) -> Iterator[Row]:
    for number, line in enumerate(iter(lambda: file.readline(MOST_ROW_BYTES + 1), b""), 1):
        if number == 1:
            _check_encoding(path, line)
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
        if len(line) > MOST_ROW_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(_BLOCK)  # noqa: PLW2901
            yield number, _TOO_LARGE
        elif line.strip():
            yield number, _row(line)


def _row(line: bytes) -> dict[str, Any] | str:
    try:
        return _object(parse_json(line))
    except NotJson as error:
        return str(error)


def _object(row: Any) -> dict[str, Any] | str:
    kind = type(row).__name__ if row is not None else "null"
    return row if isinstance(row, dict) else f"this is a JSON {kind}, not an object"


def _json(path: Path, file: IO[bytes], _: Counter[str]) -> Iterator[Row]:
    """A list of objects; an object with one such list; columns or rows by name; or, as often, JSON Lines under this name."""
    data = _whole(path, file)
    _check_encoding(path, data)
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not data:
        return
    try:
        value = parse_json(data)
    except NotJson as error:
        lines = data.splitlines()
        if len(lines) > 1 and isinstance(_row(lines[0]), dict):
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _row(line)
            return
        raise InputError(str(error), where=str(path), fix="give a list of objects, or one object a line") from error
    yield from enumerate(map(_object, value if isinstance(value, list) else _inside(path, value)), 1)


def _whole(path: Path, file: IO[bytes]) -> bytes:
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        what = f"the file has more than {MOST_BYTES // 2**20:,} MiB, and has to be read whole"
        raise InputError(
            what, where=str(path), fix="give one object a line (.jsonl), or Parquet that is not packed again"
        )
    return data


def _inside(path: Path, value: Any) -> Sequence[Any]:
    """The rows that an object holds."""
    if not isinstance(value, dict):
        return [value]
    lists = [k for k, v in value.items() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)]
    lists = [k for k in lists if not _CHAT & value[k][0].keys()]
    if len(lists) == 1:
        return value[lists[0]]  # type: ignore[no-any-return]
    if len(lists) > 1:
        what = f"the object has {len(lists)} lists of rows: {', '.join(map(repr, lists))}"
        raise InputError(what, where=str(path), fix="give a file with one of them")
    if {"columns", "data"} <= value.keys():  # pandas, orient="split"
        return [dict(zip(value["columns"], cells, strict=False)) for cells in value["data"]]
    inner = list(value.values())
    if len(inner) > 1 and all(isinstance(v, dict) for v in inner):
        keys = list(inner[0])
        if all(k.isdigit() for k in keys) and all(list(v) == keys for v in inner):  # pandas, orient="columns"
            return [{name: column[k] for name, column in value.items()} for k in keys]
        return [{"key": key, **row} for key, row in value.items()]
    return [value]


def _separated(separators: str) -> Callable[[Path, IO[bytes], Counter[str]], Iterator[Row]]:
    def read(path: Path, file: IO[bytes], notes: Counter[str]) -> Iterator[Row]:
        buffered = file if hasattr(file, "peek") else io.BufferedReader(file)  # type: ignore[type-var]
        _check_encoding(path, buffered.peek(4))
        text = io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
        try:
            yield from _cells(path, text, separators, notes)
        except UnicodeDecodeError as error:
            raise InputError("this is not UTF-8 text", where=str(path), fix="save it as UTF-8") from error
        finally:
            text.detach()

    return read


def _cells(path: Path, text: io.TextIOWrapper, separators: str, notes: Counter[str]) -> Iterator[Row]:
    # Of one size for all readers of CSV in this process: the default would refuse a long text.
    csv.field_size_limit(max(csv.field_size_limit(), MOST_ROW_BYTES))
    lines = _Lines(text)
    try:
        first = next((line for line in lines if line.strip()), "")
        separator = max(separators, key=lambda s: (first.count(s), -separators.index(s)))
        reader = csv.reader(chain([first], lines), delimiter=separator, strict=True)
        header = next(reader, [])
    except _TooLargeError as error:
        raise InputError(f"the header is not CSV: {_TOO_LARGE}", where=str(path)) from error
    except csv.Error as error:
        raise InputError(f"the header is not CSV: {error}", where=str(path), fix="close its quotation marks") from error
    names = _names(path, header)
    while True:
        line = reader.line_num + 1
        lines.letters = 0
        try:
            cells = next(reader, None)
        except _TooLargeError:
            yield line, f"{_TOO_LARGE}; what follows it is not read (is a quotation mark not closed?)"
            return
        except csv.Error as error:
            yield line, _quoting(error)
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            yield line, f"this row has {'more' if len(cells) > len(header) else 'fewer'} cells than the header"
            continue
        row: dict[str, Any] = {}
        for name, cell in zip(names, cells, strict=True):
            if name is None:
                continue
            if cell in MISSING:
                notes[f"read as missing: {cell!r} in the column {name!r}"] += 1
                row[name] = None
            else:
                row[name] = cell
        yield line, row


class _TooLargeError(Exception):
    """A row of CSV does not end."""


class _Lines:
    """The lines of a text, as long as those of one row are not too many.

    Attributes:
        letters: of the lines since a row began.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.letters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MOST_ROW_BYTES + 1)
        self.letters += len(line)
        if self.letters > MOST_ROW_BYTES:
            raise _TooLargeError
        if not line:
            raise StopIteration
        return line


def _quoting(error: csv.Error) -> str:
    if "end of data" in str(error):
        return 'a quotation mark that opens in this row is never closed: write one inside of a cell as "" (and the cell in quotation marks)'
    if "expected after" in str(error):
        return 'text follows the closing quotation mark of a cell: write a quotation mark inside of a cell as "" (and the cell in quotation marks)'
    return f"this is not CSV: {error}"


def _names(path: Path, header: Sequence[str]) -> list[str | None]:
    """The columns; None for the unnamed first one, in which pandas writes its index."""
    names: list[str | None] = []
    for number, cell in enumerate(header, 1):
        name = cell.strip()
        names.append(name or (None if number == 1 else f"column {number}"))
    twice = next((n for n in names if n is not None and names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"two columns are named {twice!r}", where=str(path), fix="give each a name of its own")
    return names


def _parquet(path: Path, file: IO[bytes], _: Counter[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        whole = file if file.seekable() and hasattr(file, "name") else io.BytesIO(_whole(path, file))
        parquet = pq.ParquetFile(whole)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"this is not a Parquet file: {error}", where=str(path)) from error
    # Of a float of 32 bits Python would show the digits of one of 64.
    short = [f.name for f in parquet.schema_arrow if pa.types.is_float32(f.type) or pa.types.is_float16(f.type)]
    number = 0
    try:
        for number, row in enumerate(_parquet_rows(parquet, short), 1):
            yield number, TOO_DEEP if too_deep(row) else row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = f"the Parquet file is damaged after row {number:,}: {error}"
        raise InputError(what, where=str(path), fix="fetch or write it again") from error


def _parquet_rows(parquet: Any, short: Sequence[str]) -> Iterator[dict[str, Any]]:
    for batch in parquet.iter_batches(batch_size=1024):
        shown = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in short}
        for at, row in enumerate(batch.to_pylist()):
            for name in short:
                row[name] = None if row[name] is None else Written(str(shown[name][at]))
            yield {k: None if isinstance(v, float) and v != v else v for k, v in row.items()}  # noqa: PLR0124


_READERS: dict[str, Callable[[Path, IO[bytes], Counter[str]], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _separated(",;\t|"),
    ".tsv": _separated("\t,;|"),
    ".parquet": _parquet,
}

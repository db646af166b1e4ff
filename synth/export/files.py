"""The folder an export lies in: written as a whole or not at all, and never beside what is left of another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

from synth.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Folder", "Part", "arrow_schema", "columns_of", "exports_in"]

MANIFEST = ".synth-export.json"
"""What lies in a folder, of which run; hidden, so that loaders of whole folders pass it over."""
_BATCH = 4096
"""Rows of a Parquet row group, at most."""


def columns_of(kind: type[BaseModel]) -> list[str]:
    """The columns of a row type: what is trained on first, then the lineage."""
    own = [name for name in kind.model_fields if name in kind.__annotations__]
    return [*own, *(name for name in kind.model_fields if name not in own)]


class Part:
    """A file of rows that is being written: Parquet where it is given a schema, else JSONL. It takes its name when it is done."""

    def __init__(self, path: Path, columns: Sequence[str], schema: pa.Schema | None = None) -> None:
        self.path, self.rows = path, 0
        self._draft = path.with_name(f".{path.name}.new")
        self._columns, self._table = columns, schema
        self._waiting: list[dict[str, Any]] = []
        self._writer: Any = None
        self._file: Any = None
        self._draft.parent.mkdir(parents=True, exist_ok=True)
        if self._table is not None:
            import pyarrow.parquet as pq

            self._writer = pq.ParquetWriter(self._draft, self._table)
        else:
            self._file = self._draft.open("wb")

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; of what it holds, the columns of this file."""
        content = {name: row[name] for name in self._columns}
        self.rows += 1
        if self._file is not None:
            self._file.write(orjson.dumps(content) + b"\n")
            return
        self._waiting.append(content)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Write many rows of a Parquet file at once."""
        import pyarrow as pa

        self.rows += batch.num_rows
        self._writer.write_table(pa.Table.from_batches([batch]).cast(self._table))

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self._table))
        self._waiting = []

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        if self._writer is not None:
            if self._waiting:
                self._flush()
            self._writer.close()
        if self._file is not None:
            self._file.close()
        self._writer = self._file = None

    def keep(self) -> None:
        """Give it its name."""
        self._draft.replace(self.path)

    def discard(self) -> None:
        """Remove what was written, unless it has its name by now."""
        with suppress(OSError):
            self.close()
        self._draft.unlink(missing_ok=True)


class Folder:
    """The output folder of one export.

    Args:
        out: the folder; made when the first row is written.
        key: what is exported, in which kind of file; the files of an earlier export with the same key are replaced.
        names: a regular expression for the names its files can have.
        run: the run it is of.
        replace: whether files that are no export of this run may be replaced.
        invented: names of scripted models that wrote text of the run; noted with the files.

    Raises:
        UserError: there are such files, and they may not.
    """

    def __init__(
        self, out: Path, key: str, names: str, run: Path, *, replace: bool, invented: Sequence[str] = ()
    ) -> None:
        self.out, self._key, self._run = out, key, str(run.resolve())
        self._more = {"invented": list(invented)} if invented else {}
        self._absent = [p for p in (out / "lineage", out, *out.parents) if not p.exists()]
        self._parts: dict[str, Part] = {}
        if out.exists() and not out.is_dir():
            raise UserError("this is a file", where=str(out), remedy="name a folder")
        self._exports: dict[str, Any] = exports_in(out)
        mine = self._exports.get(key, {})
        self._old = [out / name for name in mine.get("files", []) if _inside(name)]
        if mine and mine["run"] != self._run and not replace:
            what = f"there is an export of another run in this folder: {', '.join(mine['files'])}, of {mine['run']}"
            raise UserError(what, where=str(out), remedy="take another folder, or --replace, which removes those files")
        self._replace = replace
        strange = [p.name for p in _listed(out) if re.fullmatch(names, p.name)]
        self._refuse_strange(strange)
        self._old += [out / name for name in strange if out / name not in self._old]

    def _refuse_strange(self, names: Sequence[str]) -> None:
        """Raise where one of these is a file that no export has written, and it may not be replaced."""
        written = {file for export in self._exports.values() for file in export["files"]}
        strange = [name for name in names if (self.out / name).exists() and name not in written]
        if strange and not self._replace:
            raise UserError(
                f"{strange[0]} is there and was not written by an export",
                where=str(self.out),
                remedy="take another folder, or --replace, which removes it",
            )

    def part(self, name: str, columns: Sequence[str], schema: pa.Schema | None = None) -> Part:
        """The file of that name, opened when it is first asked for."""
        if name not in self._parts:
            self._parts[name] = Part(self.out / name, columns, schema)
        return self._parts[name]

    @property
    def earlier(self) -> list[str]:
        """Names of the files that this export takes the place of."""
        return [path.relative_to(self.out).as_posix() for path in self._old]

    def check(self, beside: Iterable[str] = ()) -> None:
        """Raise where a file of this export would replace one that no export has written, and may not.

        Args:
            beside: names of its files that are not parts.

        Raises:
            UserError: there is such a file.
        """
        self._refuse_strange([*self._parts, *beside])

    def keep(self, beside: Mapping[str, bytes], shared: Mapping[str, bytes]) -> None:
        """Put the files in place of the earlier ones. Killed midway, files are missing, not mixed.

        Args:
            beside: other files of this export.
            shared: files that are not of this export alone, and outlive it.
        """
        files = [*self._parts, *beside]
        self.check(beside)
        for part in self._parts.values():
            part.close()
        self._note([*self.earlier, *files])  # so that whoever is killed here can give the same command again
        for old in self._old:
            old.unlink(missing_ok=True)
        for part in self._parts.values():
            part.keep()
        for name, content in {**beside, **shared}.items():
            _write(self.out / name, content)
        self._note(files)

    def _note(self, files: Sequence[str]) -> None:
        self._exports = exports_in(self.out)  # others of the same group may have been written meanwhile
        self._exports[self._key] = {"run": self._run, "files": list(dict.fromkeys(files)), **self._more}
        _write(self.out / MANIFEST, orjson.dumps(self._exports, option=orjson.OPT_INDENT_2))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts.values():
            part.discard()
        for made in self._absent:
            with suppress(OSError):  # it holds something
                made.rmdir()


def exports_in(out: Path) -> dict[str, Any]:
    """What exports lie in a folder: for each `CONTRACT.SUFFIX` (or `parquet`) its `run` and its `files`.

    Raises:
        UserError: the note of it cannot be read.
    """
    path = out / MANIFEST
    if not path.is_file():
        return {}
    try:
        found = orjson.loads(path.read_bytes())
        return {str(k): {**v, "run": str(v["run"]), "files": [str(f) for f in v["files"]]} for k, v in found.items()}
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise UserError("this cannot be read", where=str(path), remedy="remove it, or take another folder") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)


def _listed(folder: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in os.scandir(folder)) if folder.is_dir() else iter(())


def _inside(name: str) -> bool:
    """Whether a name in a manifest, which anybody may have written, stays in its folder."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def arrow_schema(kind: type[BaseModel], *, plain: bool, without: frozenset[str] = frozenset()) -> pa.Schema:
    """The columns of a row type with their Arrow types: the same in every file, whatever is in it.

    Args:
        kind: the row type.
        plain: which form texts have that may be messages or plain strings.
        without: fields of messages that these rows do not have.
    """
    import pyarrow as pa

    annotations = {name: kind.model_fields[name].annotation for name in columns_of(kind) if name not in without}
    return pa.schema([pa.field(name, _arrow_type(a, plain=plain, without=without)) for name, a in annotations.items()])


def _arrow_type(annotation: Any, *, plain: bool, without: frozenset[str]) -> pa.DataType:
    import pyarrow as pa

    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _arrow_type(args[0], plain=plain, without=without)
    if origin is Literal:
        return pa.string()
    if origin in {Union, UnionType}:
        kinds = [a for a in args if a is not NoneType]
        if str in kinds and len(kinds) > 1:
            kinds = [a for a in kinds if (a is str) == plain]
        return _arrow_type(kinds[0], plain=plain, without=without)
    if origin is list:
        return pa.list_(_arrow_type(args[0], plain=plain, without=without))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(arrow_schema(annotation, plain=plain, without=without))
    return {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}[annotation]

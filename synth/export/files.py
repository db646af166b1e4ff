"""The folder an export lies in: written as a whole or not at all, and never beside what is left of another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, Field

from synth.errors import UserError
from synth.files import Draft, remove_abandoned, replace_files, write_file
from synth.notes import Note, read_note
from synth.reach import inside

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PATIENCE_SECONDS", "Folder", "Part", "arrow_schema", "columns_of", "exports_in"]

FORMAT = 1
"""Version of the layout of the manifest."""
MANIFEST = ".synth-export.json"
"""What lies in a folder, of which run; hidden, so that loaders of whole folders pass it over."""
_BATCH = 4096
"""Rows of a Parquet row group, at most."""
PATIENCE_SECONDS = 60.0
"""For which another process that puts files in place in the same folder is waited for."""


def columns_of(kind: type[BaseModel]) -> list[str]:
    """The columns of a row type: what is trained on first, then the lineage."""
    own = [name for name in kind.model_fields if name in kind.__annotations__]
    return [*own, *(name for name in kind.model_fields if name not in own)]


class Part:
    """A file of rows that is being written: Parquet where it is given a schema, else JSONL. It takes its name when it is done."""

    def __init__(self, path: Path, columns: Sequence[str], schema: pa.Schema | None = None) -> None:
        self.path, self.rows = path, 0
        self._columns, self._table = columns, schema
        self._waiting: list[dict[str, Any]] = []
        self._writer: Any = None
        self.draft = Draft(path)
        """Where it is written."""
        self._file = self.draft.open()
        if self._table is not None:
            import pyarrow.parquet as pq

            self._writer = pq.ParquetWriter(self._file, self._table)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; of what it holds, the columns of this file."""
        content = {name: row[name] for name in self._columns}
        self.rows += 1
        if self._writer is None:
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
        """Write what waits; no row can be added after this."""
        if self._writer is not None:
            if self._waiting:
                self._flush()
            self._writer.close()
        self.draft.sync()

    def discard(self) -> None:
        """Remove what was written, unless it has its name by now."""
        if self._writer is not None:
            with suppress(OSError):  # the end of the file cannot be written where its rows could not
                self._writer.close()
        self.draft.discard()


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
            raise UserError("this is a file", where=str(out), fix="name a folder")
        self._replace, self._names = replace, names
        self._old: list[Path] = []
        self._look()

    def _look(self) -> None:
        """See what files there are that this export takes the place of.

        Raises:
            UserError: there are some, and they may not be replaced.
        """
        self._exports = exports_in(self.out)
        mine = self._exports.get(self._key)
        if mine is not None and mine.run != self._run and not self._replace:
            what = f"there is an export of another run in this folder: {', '.join(mine.files)}, of {mine.run}"
            fix = "take another folder, or --replace, which removes those files"
            raise UserError(what, where=str(self.out), fix=fix)
        strange = [p.name for p in _listed(self.out) if re.fullmatch(self._names, p.name)]
        self._refuse_strange(strange)
        old = [self.out / name for name in (mine.files if mine is not None else []) if _is_inside(self.out, name)]
        self._old = [*old, *(self.out / name for name in strange if self.out / name not in old)]

    def _refuse_strange(self, names: Sequence[str]) -> None:
        """Raise where one of these is a file that no export has written, and it may not be replaced."""
        written = {file for export in self._exports.values() for file in export.files}
        strange = [name for name in names if (self.out / name).exists() and name not in written]
        if strange and not self._replace:
            raise UserError(
                f"{strange[0]} is there and was not written by an export",
                where=str(self.out),
                fix="take another folder, or --replace, which removes it",
            )

    def part(self, name: str, columns: Sequence[str], schema: pa.Schema | None = None) -> Part:
        """The file of that name, opened when it is first asked for."""
        if name not in self._parts:
            inside(self.out, Path(name).parent)
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
        """Put the files in place of the earlier ones. Killed midway, files are missing, not mixed; the same export heals that.

        The caller holds the folder (`synth.locks.locked`).

        Args:
            beside: other files of this export.
            shared: files that are not of this export alone, and outlive it.
        """
        files = [*self._parts, *beside]
        self._look()  # another process may have exported meanwhile
        self.check(beside)
        with ExitStack() as stack:
            drafts = [part.draft for part in self._parts.values()]
            for part in self._parts.values():
                part.close()
            # All is on the disk before the first old file goes, so that no full disk ends this midway.
            contents = {**beside, **shared, MANIFEST: self._noted(files)}
            drafts += [_drafted(self.out / name, content, stack) for name, content in contents.items()]
            # So that after a kill here the same command can be given again.
            write_file(self.out / MANIFEST, self._noted([*self.earlier, *files]))
            replace_files(drafts, self._old)
        remove_abandoned(self.out)

    def _noted(self, files: Sequence[str]) -> bytes:
        """The note of what lies in the folder, with these files as this export."""
        mine = {"run": self._run, "files": list(dict.fromkeys(files)), **self._more}
        exports = {key: note.model_dump(exclude_unset=True) for key, note in self._exports.items()} | {self._key: mine}
        return orjson.dumps({"format": FORMAT, "exports": exports}, option=orjson.OPT_INDENT_2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts.values():
            part.discard()
        for made in self._absent:
            with suppress(OSError):  # it holds something
                made.rmdir()


class ExportNote(Note):
    """An export that lies in a folder."""

    run: str
    """The run folder it is of."""
    files: list[str]
    """Its files, below the folder."""
    invented: list[str] = Field(default_factory=list)
    """Scripted models that wrote text of the run."""


class _Exports(Note):
    format: int
    exports: dict[str, ExportNote]


def exports_in(out: Path) -> dict[str, ExportNote]:
    """What exports lie in a folder, by `FORMAT.SUFFIX` (or `parquet`).

    Raises:
        UserError: the note of it cannot be read, or was made by a newer version.
    """
    path = out / MANIFEST
    if not os.path.lexists(path):
        return {}
    return dict(read_note(path, _Exports, FORMAT, fix="remove it, or take another folder").exports)


def _drafted(path: Path, content: bytes, stack: ExitStack) -> Draft:
    draft = Draft(path)
    stack.callback(draft.discard)
    draft.open().write(content)
    draft.sync()
    return draft


def _listed(folder: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in os.scandir(folder)) if folder.is_dir() else iter(())


def _is_inside(out: Path, name: str) -> bool:
    """Whether what a manifest names, which anybody may have written, is a file in its folder, links included."""
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        return False
    try:
        inside(out, Path(name).parent)  # of a file that is a link, the link is removed
    except UserError:
        return False
    return (out / name).is_symlink() or not (out / name).is_dir()


def arrow_schema(kind: type[BaseModel], *, plain: bool, without: frozenset[str] = frozenset()) -> pa.Schema:
    """The columns of a row type with their Arrow types: the same in every file, independent of its rows.

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

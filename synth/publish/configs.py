"""What lies in a folder of exports, as configurations of a data set: files by split, rows, and what their columns mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from synth.documented import field_docs
from synth.errors import UserError
from synth.export.files import columns_of, exports_in
from synth.export.formats import ROWS, all_formats
from synth.export.formats.parquet import TABLE_FILES
from synth.reach import regular
from synth.store.columns import TABLES, column_docs
from synth.store.views import view_docs

__all__ = ["Config", "Split", "configs_of"]

ONLY = "train"
"""What the Hub calls the split of a data set that has none."""


class Split(NamedTuple):
    """The file of a split."""

    name: str
    path: str
    """Below the folder, with `/`."""
    rows: int


class Config(NamedTuple):
    """What `load_dataset(REPO, NAME)` loads."""

    name: str
    format: str
    about: str
    """What a row is, in Markdown of ours."""
    splits: tuple[Split, ...]
    columns: tuple[tuple[str, str], ...]
    """Each with what it holds, in Markdown of ours; empty where nothing is known of it."""

    @property
    def rows(self) -> int:
        """In all splits."""
        return sum(split.rows for split in self.splits)


def configs_of(folder: Path, run: Path, prefix: str = "") -> list[Config]:
    """The exports of a run in a folder, in the order in which people look for them.

    Tables without a row, which `datasets` cannot load, are left out.

    Args:
        folder: what exports were written to.
        run: the run folder.
        prefix: where the folder will lie, such as `data/`.
    """
    mine = {key: note.files for key, note in exports_in(folder).items() if note.run == str(run.resolve())}
    made: list[Config] = []
    for key in sorted(mine, key=_place):
        to, _, suffix = key.partition(".")
        if to == "parquet":
            made += filter(None, (_table(folder, name) for name in mine[key] if re.fullmatch(TABLE_FILES, name)))
        elif to in all_formats() and suffix in {"jsonl", "parquet"}:
            name = f"{to}-{suffix}" if any(c.name == to for c in made) else to
            made.append(_rows(folder, name, to, suffix, mine[key]))
    return [c._replace(splits=tuple(s._replace(path=prefix + s.path) for s in c.splits)) for c in made]


def _place(key: str) -> tuple[int, str]:
    to = key.partition(".")[0]
    return (list(ROWS).index(to) if to in ROWS else len(ROWS), key)


def _rows(folder: Path, name: str, to: str, suffix: str, files: list[str]) -> Config:
    splits: list[Split] = []
    columns: tuple[str, ...] = ()
    for path in files:
        found = re.fullmatch(rf"{re.escape(to)}(?:\.(\w+))?\.{suffix}", path)
        if found:
            rows, names = _parquet(folder / path) if suffix == "parquet" else _jsonl(folder / path)
            columns = tuple(names)
            splits.append(Split(found[1] or ONLY, path, rows))
    about, docs = _documented(to, columns)
    return Config(name, to, about, tuple(splits), _told(columns, docs))


def _told(columns: Sequence[str], docs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Columns with what is said of them, on one line each, as the cell of a table."""
    return tuple((c, " ".join(docs.get(c, "").split()).replace("|", "\\|")) for c in columns)


def _table(folder: Path, path: str) -> Config | None:
    name = path.removesuffix(".parquet")
    rows, columns = _parquet(folder / path)
    if not rows:
        return None
    if name in TABLES:
        about, docs = (TABLES[name].__doc__ or "").partition("\n")[0], column_docs(TABLES[name])
    else:
        view = view_docs()[name]
        about, docs = view.meaning, {c: view.column(c) for c in columns}
    return Config(name, "parquet", about, (Split(ONLY, path, rows),), _told(columns, docs))


def _documented(to: str, columns: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """What is said of the row type that has these columns."""
    own = all_formats()[to].row
    candidates = [own, *all_formats()[to].variants.values(), *ROWS.values()]
    kind = next((k for k in candidates if columns_of(k) == list(columns)), own)
    return (kind.__doc__ or "").partition("\n")[0], field_docs(kind)


def _parquet(path: Path) -> tuple[int, list[str]]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(regular(path.parent, path.name)) as file:
            return file.metadata.num_rows, file.schema_arrow.names
    except (OSError, ValueError) as error:  # of Arrow: not Parquet, or cut short
        raise _unreadable(path, error) from error


def _jsonl(path: Path) -> tuple[int, list[str]]:
    try:
        with regular(path.parent, path.name).open("rb") as file:
            lines: Iterator[bytes] = iter(file)
            first = next(lines, b"{}")
            rows, columns = 1 + sum(1 for _ in lines), orjson.loads(first)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(columns, dict):
        raise _unreadable(path, "its first row is not an object")
    return rows, list(columns)


def _unreadable(path: Path, why: object) -> UserError:
    fix = "write the export again: synth export RUN --to … --out FOLDER --replace"
    return UserError(f"the export cannot be read: {why}", where=str(path), fix=fix)

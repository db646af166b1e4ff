"""`--to parquet`: the corpus itself, a Parquet file for each table."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.files import Folder, Part
from synth.export.format import Format, LeftOut, Need
from synth.export.options import ExportOptions
from synth.store.columns import TABLES
from synth.store.database import Store

__all__ = ["TABLE_FILES", "Tables", "draft_tables"]

_NAMES = (*TABLES, "wide_rationales")
TABLE_FILES = rf"({'|'.join(_NAMES)})\.parquet"
"""The names of the files, as a regular expression."""


def draft_tables(store: Store, folder: Folder) -> list[Part]:
    """Every table of a run, and `wide_rationales`, as `TABLE.parquet` in a folder that has yet to be kept.

    What no step has rejected is what `wide_rationales` calls kept; why the others were rejected stands in `rejections`.
    """
    import pyarrow as pa

    parts = []
    for name in _NAMES:
        reader = store.batches(f'SELECT * FROM "{name}" ORDER BY id')
        # DuckDB's JSON is text with a mark that some readers do not know.
        schema = pa.schema([pa.field(f.name, f.type) for f in reader.schema])
        parts.append(folder.part(f"{name}.parquet", schema.names, schema))
        for batch in reader:
            parts[-1].add_batch(batch)
    return parts


class Tables(Format):
    """The tables of the run. No trainer reads them."""

    name = "parquet"
    about = "the tables of the run"

    def need(self, options: ExportOptions) -> Need:
        raise NotImplementedError  # a run has its tables

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        raise NotImplementedError  # `draft_tables` writes them

    def check(self, options: ExportOptions) -> None:
        if options.file_format != "jsonl":
            raise UserError(
                "--to parquet writes Parquet as it is",
                fix="leave --file-format out; for rows: --to sft --file-format parquet",
            )

"""`--to parquet`: the corpus itself, a Parquet file for each table."""

from __future__ import annotations

from synth.export.files import Folder, Part
from synth.store.columns import TABLES
from synth.store.database import Store

__all__ = ["TABLE_FILES", "draft_tables"]

_NAMES = (*TABLES, "wide_rationales")
TABLE_FILES = rf"({'|'.join(_NAMES)})\.parquet"
"""The names of the files, as a regular expression."""


def draft_tables(store: Store, folder: Folder) -> list[Part]:
    """Every table of a run, and `wide_rationales`, as `TABLE.parquet` in a folder that has yet to be kept.

    What no step has put out is what `wide_rationales` calls kept; why the others are out stands in `rejections`.
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

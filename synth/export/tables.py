"""`--to parquet`: the corpus itself, a Parquet file for each table."""

from __future__ import annotations

from pathlib import Path

from synth.export.files import Folder
from synth.store.columns import TABLES
from synth.store.database import Store

__all__ = ["write_tables"]


def write_tables(store: Store, run: Path, out: Path, *, replace: bool) -> dict[Path, int]:
    """Write every table of a run, and `wide_rationales`, as `out/TABLE.parquet`; returns how many rows each has.

    What no step has put out is what `wide_rationales` calls kept; why the others are out stands in `rejections`.

    Raises:
        UserError: the folder holds such files that are no export of this run, and they may not be replaced.
    """
    import pyarrow as pa

    names = [*TABLES, "wide_rationales"]
    with Folder(out, "parquet", rf"({'|'.join(names)})\.parquet", run, replace=replace) as folder:
        parts = []
        for name in names:
            reader = store.batches(f'SELECT * FROM "{name}" ORDER BY id')
            # DuckDB's JSON is text with a mark that some readers do not know.
            schema = pa.schema([pa.field(f.name, f.type) for f in reader.schema])
            parts.append(folder.part(f"{name}.parquet", schema.names, schema))
            for batch in reader:
                parts[-1].add_batch(batch)
        folder.keep({}, {})
    return {part.path: part.rows for part in parts}

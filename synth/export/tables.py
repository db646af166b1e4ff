"""`--to parquet`: the corpus itself, a Parquet file for each table."""

from __future__ import annotations

from pathlib import Path

from synth.errors import UserError
from synth.store.columns import TABLES
from synth.store.database import Store

__all__ = ["write_tables"]


def write_tables(store: Store, out: Path, *, replace: bool) -> dict[Path, int]:
    """Write every table of a run, and `wide_rationales`, as `out/TABLE.parquet`; returns how many rows each has.

    What no step has put out is what `wide_rationales` calls kept; why the others are out stands in `rejections`.

    Raises:
        UserError: there are files in the folder already, and they may not be replaced.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*TABLES, "wide_rationales"]
    there = [f"{name}.parquet" for name in names if (out / f"{name}.parquet").exists()]
    if there and not replace:
        raise UserError(
            f"there are tables in this folder: {', '.join(there)}",
            where=str(out),
            remedy="take another folder, or --replace",
        )
    out.mkdir(parents=True, exist_ok=True)
    written: dict[Path, int] = {}
    drafts = {name: out / f".{name}.parquet.new" for name in names}
    try:
        for name, draft in drafts.items():
            written[out / f"{name}.parquet"] = 0
            reader = store.batches(f'SELECT * FROM "{name}" ORDER BY id')
            # DuckDB's JSON is text with a mark that some readers do not know.
            schema = pa.schema([pa.field(f.name, f.type) for f in reader.schema])
            with pq.ParquetWriter(draft, schema) as writer:
                for batch in reader:
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
                    written[out / f"{name}.parquet"] += batch.num_rows
        for name, draft in drafts.items():
            draft.replace(out / f"{name}.parquet")
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return written

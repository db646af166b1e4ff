"""Write kept records as training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from synth.errors import UserError
from synth.export.contracts import CONTRACTS
from synth.export.files import Folder, arrow_schema, columns_of
from synth.export.nothing import nothing
from synth.export.options import ExportOptions, checked
from synth.export.rows import LeftOut, rows_of
from synth.export.tables import write_tables
from synth.export.trainers import DATASET_INFO, axolotl_settings, dataset_info, merged_info, reshape, row_type
from synth.store.database import open_store

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["Exported", "export_dataset", "export_run"]

OPENAI_LEAST = 10
"""Rows below which OpenAI refuses a training file."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: tuple[Path, ...]
    """One; or where the run has splits, one for each in which there is something."""
    rows: int
    """In all of them."""
    beside: tuple[Path, ...] = ()
    """What else was written: settings of a trainer, lineage."""
    left_out: tuple[str, ...] = ()
    """For each reason for which records made no row: how many, and why."""
    notes: tuple[str, ...] = ()
    """What a trainer will say to these rows that is better known before."""

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0]


def export_run(run: Path | str, contract: str, out: Path | str, options: ExportOptions | None = None) -> Exported:
    """Write the kept records of a run as rows of a contract, into `out/CONTRACT.jsonl` (or `.parquet`).

    Where a step `split` has assigned problems, into `out/CONTRACT.SPLIT.jsonl` for each split; rows of problems that it
    has not seen (they were put out before) go to `CONTRACT.unassigned.jsonl`. The contract `parquet` writes the tables of
    the run as they are. An earlier export of the same run and contract is replaced; what else is in the folder stays.

    Raises:
        UserError: there is no such contract, or nothing to export; an option does not apply; the folder holds files of that
            name that are no export of this run.
    """
    options = options or ExportOptions()
    checked(contract, options)
    if contract == "prm":
        options = replace(options, layout="plain")
    run, out = Path(run), Path(out)
    with open_store(run) as store:
        if contract == "parquet":
            written = write_tables(store, run, out, replace=options.replace)
            return Exported(tuple(written), sum(written.values()))
        splits = dict(store.sql(_SPLITS).fetchall())
        suffix = options.file_format
        kind = row_type(contract, options)
        schema = arrow_schema(kind, plain=options.layout == "plain") if suffix == "parquet" else None
        columns, lineage = columns_of(kind), _lineage_columns(contract)
        left_out, labels = LeftOut(), {True: 0, False: 0}
        names = rf"{contract}(\.\w+)?\.{suffix}"
        with Folder(out, f"{contract}.{suffix}", names, run, replace=options.replace) as folder:
            parts = {}
            for row in rows_of(contract, store, options, left_out):
                split = splits.get(row.unit, "unassigned") if splits else ""  # type: ignore[attr-defined]
                name = f"{contract}.{split}.{suffix}" if split else f"{contract}.{suffix}"
                parts[split] = folder.part(name, columns, schema)
                parts[split].add(reshape(row, contract, options).model_dump())
                if options.trainer == "openai":
                    folder.part(f"lineage/{name}", lineage).add(row.model_dump())
                if contract == "kto":
                    labels[row.label] += 1  # type: ignore[attr-defined]
            if not parts:
                raise nothing(store, contract, run, options, left_out)
            files = {split: part.path for split, part in parts.items()}
            beside = {}
            if options.trainer == "axolotl":
                beside[f"{contract}.axolotl.yaml"] = axolotl_settings(contract, options, files).encode()
            entries = dataset_info(contract, options, files) if options.trainer == "llama-factory" else {}
            ordered = contract == "sft" and options.target == "rationale" and store.sql(_ORDERED).fetchall()[0][0]
            info = merged_info(out / DATASET_INFO, entries, folder.earlier, replace=options.replace)
            folder.keep(beside, {DATASET_INFO: info} if info is not None else {})
    sizes = {split: part.rows for split, part in parts.items()}
    apart = [out / "lineage" / p.name for p in files.values()] if options.trainer == "openai" else []
    return Exported(
        tuple(files.values()),
        sum(sizes.values()),
        (*(out / name for name in beside), *([out / DATASET_INFO] if entries else []), *apart),
        tuple(left_out.told()),
        tuple(_notes(contract, options, sizes, labels, ordered=bool(ordered))),
    )


def export_dataset(run: Path | str, contract: str, options: ExportOptions | None = None) -> Dataset | DatasetDict:
    """The kept records of a run as rows of a contract, in memory: what `export_run` would write.

    A `DatasetDict` by split where a step `split` has assigned problems, else a `Dataset`.

    Raises:
        UserError: as in `export_run`; and for the contract `parquet`, which is of several tables (`Store.dataset` reads one).
    """
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict

    if contract == "parquet":
        raise UserError("the contract parquet is of several tables", remedy="take them one by one: Store.dataset(SQL)")
    options = replace(options or ExportOptions(), file_format="parquet")
    with TemporaryDirectory(prefix="synth-") as folder:
        made = export_run(run, contract, folder, options)
        parts = {path.name.split(".")[1]: Dataset(pq.read_table(path, memory_map=False)) for path in made.files}
    return parts["parquet"] if set(parts) == {"parquet"} else DatasetDict(parts)


_SPLITS = "SELECT target, any_value(label) FROM scores WHERE name = 'split' AND label IS NOT NULL GROUP BY target"

_ORDERED = "SELECT coalesce(min(value) < max(value), false) FROM scores WHERE name = 'cot_share'"


def _lineage_columns(contract: str) -> list[str]:
    """The columns of a contract that hold no text to train on."""
    return [c for c in columns_of(CONTRACTS[contract]) if c not in {"messages", "prompt", "chosen", "rejected"}]


def _notes(
    contract: str, options: ExportOptions, sizes: Mapping[str, int], labels: Mapping[bool, int], *, ordered: bool
) -> Iterator[str]:
    if ordered:
        yield "the rows stand in the order of the schedule of cot_share: a trainer that shuffles them undoes it"
    if contract == "kto" and not all(labels.values()):
        yield f"every label is {str(labels[True] > 0).lower()}: KTO needs good and bad ones"
    training = sizes.get("train", sum(sizes.values()))
    if options.trainer == "openai" and training < OPENAI_LEAST:
        yield f"{training} rows to train on: OpenAI takes no fewer than {OPENAI_LEAST}"

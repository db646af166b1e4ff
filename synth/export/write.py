"""Write kept records as training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth.errors import UserError
from synth.export.contracts import CONTRACTS
from synth.export.files import PATIENCE_SECONDS, Folder, Part, arrow_schema, columns_of
from synth.export.nothing import nothing
from synth.export.options import ExportOptions, checked
from synth.export.rows import LeftOut, rows_of, thoughts_of
from synth.export.tables import TABLE_FILES, draft_tables
from synth.export.trainers import DATASET_INFO, axolotl_settings, dataset_info, merged_info, reshape, row_type
from synth.export.wording import THOUGHT_FIELDS
from synth.files import locked, temporary_folder
from synth.store.database import Store, open_store
from synth.store.invented import Invented, invented_in

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict
    from pydantic import BaseModel

__all__ = ["Exported", "export_dataset", "export_group", "export_run"]

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
    return export_group(run, {contract: options or ExportOptions()}, out)[contract]


def export_group(run: Path | str, contracts: Mapping[str, ExportOptions], out: Path | str) -> dict[str, Exported]:
    """Write the kept records of a run as rows of several contracts into one folder: all of them, or none.

    Every contract is exported as `export_run` says. All rows are made, and all that can be wrong is found, before the first file
    takes the place of an earlier one.

    Args:
        run: the run folder.
        contracts: what is exported, each with its options.
        out: the folder.

    Returns:
        What was written, by contract.

    Raises:
        UserError: as `export_run`; of several contracts that cannot be exported, each with its reason. Nothing was written.
    """
    run, out = Path(run), Path(out)
    wrong: dict[str, UserError] = {}
    for contract, options in contracts.items():
        try:
            checked(contract, options)
        except UserError as error:
            wrong[contract] = error
    if len(wrong) == len(contracts):
        raise _together(wrong, len(contracts), run)
    with open_store(run) as store, ExitStack() as stack:
        invented = invented_in(store)
        drafts: dict[str, _Draft] = {}
        for contract, options in contracts.items():
            if contract in wrong:
                continue
            try:
                drafts[contract] = _draft(store, run, contract, out, options, invented, stack)
            except UserError as error:
                wrong[contract] = error
        if wrong:
            raise _together(wrong, len(contracts), run)
        with locked(out, PATIENCE_SECONDS):
            return {contract: draft.keep() for contract, draft in drafts.items()}


def _together(wrong: Mapping[str, UserError], of: int, run: Path) -> UserError:
    """What is wrong with some contracts of a group, as one error."""
    (first, *others) = wrong.values()
    if of == 1:
        return first
    if not others:
        (contract,) = wrong
        return UserError(f"{contract}: {first.what}", where=first.where, remedy=f"{first.remedy}; no file was written")
    told = "".join(
        f"\n  {contract}: {str(error).replace(chr(10), chr(10) + '  ')}" for contract, error in wrong.items()
    )
    what = f"{len(wrong)} of the {of} exports cannot be written:{told}"
    return UserError(
        what, where=str(run), remedy="no file was written; leave those out, or do what is said beside them"
    )


@dataclass
class _Draft:
    """The files of one contract: checked, and written under other names until all of the group are."""

    contract: str
    options: ExportOptions
    folder: Folder
    parts: Mapping[str, Part]
    """By split; of the contract `parquet` by table."""
    beside: Mapping[str, bytes]
    entries: Mapping[str, dict[str, Any]]
    """Of `dataset_info.json`."""
    left_out: LeftOut
    notes: tuple[str, ...]

    @property
    def info(self) -> bytes | None:
        """`dataset_info.json` with these files in it; None where nobody needs one."""
        folder = self.folder
        return merged_info(folder.out / DATASET_INFO, self.entries, folder.earlier, replace=self.options.replace)

    def keep(self) -> Exported:
        """Give the files their names."""
        out, options = self.folder.out, self.options
        info = self.info if self.contract != "parquet" else None
        self.folder.keep(self.beside, {DATASET_INFO: info} if info is not None else {})
        files = tuple(part.path for part in self.parts.values())
        apart = [out / "lineage" / p.name for p in files] if options.trainer == "openai" else []
        shared = [out / DATASET_INFO] if self.entries else []
        rows = sum(part.rows for part in self.parts.values())
        beside = (*(out / name for name in self.beside), *shared, *apart)
        return Exported(files, rows, beside, tuple(self.left_out.told()), self.notes)


def _draft(
    store: Store,
    run: Path,
    contract: str,
    out: Path,
    options: ExportOptions,
    invented: Invented | None,
    stack: ExitStack,
) -> _Draft:
    """Make and check all that `export_run` writes; what is not kept when `stack` ends is removed.

    Raises:
        UserError: as `export_run`.
    """
    models, warnings = (invented.models, [invented.sentence]) if invented is not None else ((), [])
    if contract == "parquet":
        place = Folder(out, contract, TABLE_FILES, run, replace=options.replace, invented=models)
        folder = stack.enter_context(place)
        tables = {part.path.name: part for part in draft_tables(store, folder)}
        return _Draft(contract, replace(options, trainer="trl"), folder, tables, {}, {}, LeftOut(), tuple(warnings))
    if contract == "prm":
        options = replace(options, layout="plain")
    splits = dict(store.sql(_SPLITS).fetchall())
    suffix = options.file_format
    kind = row_type(contract, options)
    schema = _schema(kind, contract, store, options) if suffix == "parquet" else None
    columns, lineage = columns_of(kind), _lineage_columns(contract)
    left_out, labels = LeftOut(), {True: 0, False: 0}
    names = rf"{contract}(\.\w+)?\.{suffix}"
    place = Folder(out, f"{contract}.{suffix}", names, run, replace=options.replace, invented=models)
    folder = stack.enter_context(place)
    parts: dict[str, Part] = {}
    for row in rows_of(contract, store, options, left_out):
        split = splits.get(row.unit, "unassigned") if splits else ""  # type: ignore[attr-defined]
        name = f"{contract}.{split}.{suffix}" if split else f"{contract}.{suffix}"
        parts[split] = folder.part(name, columns, schema)
        parts[split].add(reshape(row, contract, options).model_dump(exclude_none=True))
        if options.trainer == "openai":
            folder.part(f"lineage/{name}", lineage).add(row.model_dump(exclude_none=True))
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
    sizes = {split: part.rows for split, part in parts.items()}
    notes = (*warnings, *_notes(contract, options, sizes, labels, ordered=bool(ordered)))
    draft = _Draft(contract, options, folder, parts, beside, entries, left_out, notes)
    folder.check(beside)
    _ = draft.info  # it cannot be merged where others have written it
    return draft


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
    with temporary_folder() as folder:
        made = export_run(run, contract, folder, options)
        parts = {path.name.split(".")[1]: Dataset(pq.read_table(path, memory_map=False)) for path in made.files}
    return parts["parquet"] if set(parts) == {"parquet"} else DatasetDict(parts)


_SPLITS = "SELECT target, any_value(label) FROM scores WHERE name = 'split' AND label IS NOT NULL GROUP BY target"

_ORDERED = "SELECT coalesce(min(value) < max(value), false) FROM scores WHERE name = 'cot_share'"


def _schema(kind: type[BaseModel], contract: str, store: Store, options: ExportOptions) -> pa.Schema:
    """The Arrow schema of the rows; messages have the one field of thoughts that this export writes, or none."""
    thoughts = thoughts_of(contract, store, options)
    used = {thoughts.place} if thoughts.everywhere else set()
    return arrow_schema(kind, plain=options.layout == "plain", without=THOUGHT_FIELDS - used)


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

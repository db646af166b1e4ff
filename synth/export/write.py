"""Write kept records as training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth.errors import UserError
from synth.export.check import checked
from synth.export.choose import rows_of
from synth.export.environment import environment_package
from synth.export.files import PATIENCE_SECONDS, Folder, Part, arrow_schema, columns_of
from synth.export.format import Format, LeftOut
from synth.export.formats import format_of
from synth.export.formats.parquet import TABLE_FILES, draft_tables
from synth.export.nothing import nothing
from synth.export.options import ExportOptions
from synth.export.records import thoughts_of
from synth.export.trainers import DATASET_INFO, axolotl_settings, dataset_info, merged_info
from synth.export.wording import THOUGHT_FIELDS
from synth.files import temporary_folder
from synth.locks import locked
from synth.store.database import Store, open_store
from synth.store.invented import Invented, invented_in
from synth.store.manifest import read_manifest

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


def export_run(run: Path | str, to: str, out: Path | str, options: ExportOptions | None = None) -> Exported:
    """Write the kept records of a run as rows of a format, into `out/FORMAT.jsonl` (or `.parquet`).

    Where a step `split` has assigned problems, into `out/FORMAT.SPLIT.jsonl` for each split; rows of problems that it
    has not seen (they were rejected before) go to `FORMAT.unassigned.jsonl`. The format `parquet` writes the tables of
    the run as they are. An earlier export of the same run and format is replaced; what else is in the folder stays.

    Raises:
        UserError: there is no such format, or nothing to export; an option does not apply; the folder holds files of that
            name that are no export of this run.
    """
    return export_group(run, {to: options or ExportOptions()}, out)[to]


def export_group(run: Path | str, formats: Mapping[str, ExportOptions], out: Path | str) -> dict[str, Exported]:
    """Write the kept records of a run as rows of several formats into one folder: all of them, or none.

    Every format is exported as `export_run` says. All rows are made, and all that can be wrong is found, before the first file
    takes the place of an earlier one.

    Args:
        run: the run folder.
        formats: what is exported, each with its options.
        out: the folder.

    Returns:
        What was written, by format.

    Raises:
        UserError: as `export_run`; of several formats that cannot be exported, each with its reason. Nothing was written.
    """
    run, out = Path(run), Path(out)
    wrong: dict[str, UserError] = {}
    for name, options in formats.items():
        try:
            checked(name, options)
        except UserError as error:
            wrong[name] = error
    if len(wrong) == len(formats):
        raise _together(wrong, len(formats), run)
    with open_store(run) as store, ExitStack() as stack:
        invented = invented_in(store)
        drafts: dict[str, _Draft] = {}
        for name, options in formats.items():
            if name in wrong:
                continue
            try:
                drafts[name] = _draft(store, run, format_of(name), out, options, invented, stack)
            except UserError as error:
                wrong[name] = error
        if wrong:
            raise _together(wrong, len(formats), run)
        with locked(out, PATIENCE_SECONDS):
            return {name: draft.keep() for name, draft in drafts.items()}


def _together(wrong: Mapping[str, UserError], of: int, run: Path) -> UserError:
    """What is wrong with some formats of a group, as one error."""
    (first, *others) = wrong.values()
    if of == 1:
        return first
    if not others:
        (name,) = wrong
        return UserError(f"{name}: {first.what}", where=first.where, fix=f"{first.fix}; no file was written")
    each = "".join(f"\n  {name}: {str(error).replace(chr(10), chr(10) + '  ')}" for name, error in wrong.items())
    what = f"{len(wrong)} of the {of} exports cannot be written:{each}"
    return UserError(what, where=str(run), fix="no file was written; leave those out, or do what is said beside them")


@dataclass
class _Draft:
    """The files of one format: checked, and written under other names until all of the group are."""

    name: str
    options: ExportOptions
    folder: Folder
    parts: Mapping[str, Part]
    """By split; of the format `parquet` by table."""
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
        info = self.info if self.name != "parquet" else None
        self.folder.keep(self.beside, {DATASET_INFO: info} if info is not None else {})
        files = tuple(part.path for part in self.parts.values())
        apart = [out / "lineage" / p.name for p in files] if options.trainer == "openai" else []
        shared = [out / DATASET_INFO] if self.entries else []
        rows = sum(part.rows for part in self.parts.values())
        beside = (*(out / name for name in self.beside), *shared, *apart)
        return Exported(files, rows, beside, tuple(self.left_out.lines()), self.notes)


def _draft(
    store: Store,
    run: Path,
    format_: Format,
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
    name = format_.name
    if name == "parquet":
        place = Folder(out, name, TABLE_FILES, run, replace=options.replace, invented=models)
        folder = stack.enter_context(place)
        tables = {part.path.name: part for part in draft_tables(store, folder)}
        return _Draft(name, replace(options, trainer="trl"), folder, tables, {}, {}, LeftOut(), tuple(warnings))
    options = format_.settled(options)
    splits = dict(store.sql(_SPLITS).fetchall())
    suffix = options.file_format
    kind = format_.row_type(options)
    schema = _schema(kind, format_, store, options) if suffix == "parquet" else None
    columns = [c for c in columns_of(kind) if c not in format_.absent(options)]
    lineage = _lineage_columns(format_, options)
    left_out, labels = LeftOut(), {True: 0, False: 0}
    place = Folder(out, f"{name}.{suffix}", rf"{name}(\.\w+)?\.{suffix}", run, replace=options.replace, invented=models)
    folder = stack.enter_context(place)
    parts: dict[str, Part] = {}
    for row in rows_of(format_, store, options, left_out):
        split = splits.get(row.unit, "unassigned") if splits else ""  # type: ignore[attr-defined]
        if options.by_stage:
            split = "_".join(filter(None, (split, _stage(row))))
        file = f"{name}.{split}.{suffix}" if split else f"{name}.{suffix}"
        parts[split] = folder.part(file, columns, schema)
        parts[split].add(format_.as_read(row, options).model_dump(exclude_none=True))
        if options.trainer == "openai":
            folder.part(f"lineage/{file}", lineage).add(row.model_dump(exclude_none=True))
        if name == "kto":
            labels[row.label] += 1  # type: ignore[attr-defined]
    if not parts:
        raise nothing(store, format_, run, options, left_out)
    files = {split: part.path for split, part in parts.items()}
    beside = {}
    if options.trainer == "axolotl":
        beside[f"{name}.axolotl.yaml"] = axolotl_settings(format_, options, files).encode()
    if options.trainer == "verifiers":
        named = f"synth-{read_manifest(run).pipeline}" if options.environment is None else options.environment
        beside |= environment_package(named, files)
    entries = dataset_info(format_, options, files) if options.trainer == "llama-factory" else {}
    ordered = name == "sft" and options.target == "rationale" and store.sql(_ORDERED).fetchall()[0][0]
    sizes = {split: part.rows for split, part in parts.items()}
    notes = (*warnings, *_notes(name, options, sizes, labels, ordered=bool(ordered)))
    draft = _Draft(name, options, folder, parts, beside, entries, left_out, notes)
    folder.check(beside)
    _ = draft.info  # it cannot be merged where others have written it
    return draft


def export_dataset(run: Path | str, to: str, options: ExportOptions | None = None) -> Dataset | DatasetDict:
    """The kept records of a run as rows of a format, in memory: what `export_run` would write.

    A `DatasetDict` by split where a step `split` has assigned problems, else a `Dataset`.

    Raises:
        UserError: as in `export_run`; and for the format `parquet`, which is of several tables (`Store.dataset` reads one).
    """
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict

    if to == "parquet":
        raise UserError("the format parquet is of several tables", fix="take them one by one: Store.dataset(SQL)")
    options = replace(options or ExportOptions(), file_format="parquet")
    with temporary_folder() as folder:
        made = export_run(run, to, folder, options)
        parts = {path.name.split(".")[1]: Dataset(pq.read_table(path, memory_map=False)) for path in made.files}
    return parts["parquet"] if set(parts) == {"parquet"} else DatasetDict(parts)


def _stage(row: BaseModel) -> str:
    """The name of the stage of a row, for its file."""
    stage: int = row.stage  # type: ignore[attr-defined]
    return f"stage{stage}" if stage >= 0 else "unstaged"


_SPLITS = "SELECT target, any_value(label) FROM scores WHERE name = 'split' AND label IS NOT NULL GROUP BY target"

_ORDERED = "SELECT coalesce(min(value) < max(value), false) FROM scores WHERE name = 'cot_share'"


def _schema(kind: type[BaseModel], format_: Format, store: Store, options: ExportOptions) -> pa.Schema:
    """The Arrow schema of the rows; messages have the one field of thoughts that this export writes, or none."""
    thoughts = thoughts_of(format_, store, options)
    used = {thoughts.place} if thoughts.everywhere else set()
    without = format_.absent(options) | (THOUGHT_FIELDS - used)
    return arrow_schema(kind, plain=not format_.conversational(options), without=without)


def _lineage_columns(format_: Format, options: ExportOptions) -> list[str]:
    """The columns that hold no text to train on."""
    texts = {"messages", "prompt", "chosen", "rejected"}
    return [c for c in columns_of(format_.own_row(options)) if c not in texts | format_.absent(options)]


def _notes(
    name: str, options: ExportOptions, sizes: Mapping[str, int], labels: Mapping[bool, int], *, ordered: bool
) -> Iterator[str]:
    if ordered:
        yield "the rows stand in the order of the schedule of cot_share: a trainer that shuffles them undoes it"
    if name == "kto" and not all(labels.values()):
        yield f"every label is {str(labels[True] > 0).lower()}: KTO needs good and bad ones"
    training = sizes.get("train", sum(sizes.values()))
    if options.trainer == "openai" and training < OPENAI_LEAST:
        yield f"{training} rows to train on: OpenAI takes no fewer than {OPENAI_LEAST}"

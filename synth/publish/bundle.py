"""What is published of a run, made in a folder: data, card, pipeline, audits, report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml

from synth.audit import Verdict
from synth.audit.forms import as_json
from synth.export import ExportOptions, export_group
from synth.files import write_file
from synth.notes import Note
from synth.publish.card import CARD, Licenses, card_of
from synth.publish.configs import configs_of
from synth.render.report import write_report
from synth.store.database import open_store
from synth.store.manifest import Manifest, StepNote, read_manifest

__all__ = ["NOTE", "PUSH_FORMAT", "Bundle", "PushNote", "Upload", "make_bundle"]

PIPELINE, AUDITS, REPORT = "pipeline.yaml", "audits.json", "report.html"
NOTE = "synth.json"
"""What a push notes in the repository: its files with their hashes, by which the next one knows them."""

_HIDDEN = ("version", "contents", "reply_schema")
"""Of the options of a step as a run remembers them: what a pipeline file does not say."""


PUSH_FORMAT = 1
"""Version of the layout of that note."""


class _Pushed(Note):
    sha256: str
    oid: str


class PushNote(Note):
    """What a push notes in the repository."""

    format: int
    files: dict[str, _Pushed]


class Upload(NamedTuple):
    """A file to be published."""

    path: str
    """In the repository."""
    file: Path
    size: int
    """Bytes."""
    sha256: str
    oid: str
    """Its name in git."""
    rows: int | None = None
    """Of a file of data."""


@dataclass(frozen=True)
class Bundle:
    """All files, and what is to be said of them."""

    files: tuple[Upload, ...]
    left_out: tuple[str, ...]
    """For each reason for which records made no row: how many, and why."""
    notes: tuple[str, ...]


def make_bundle(
    run: Path,
    folder: Path,
    formats: Mapping[str, ExportOptions],
    verdicts: Sequence[Verdict],
    licenses: Licenses,
    repo: str,
) -> Bundle:
    """Write what is published of a run into an empty folder.

    Args:
        run: the run folder.
        folder: where the files are made.
        formats: what is exported, with its options.
        verdicts: what the audits say of the run.
        licenses: what is known of licences.
        repo: `OWNER/NAME`, for the card.

    Raises:
        UserError: there is nothing to export.
    """
    data, left_out, notes = folder / "data", [], []
    for name, made in export_group(run, formats, data).items():
        left_out += [f"{name}: {line}" for line in made.left_out]
        notes += [f"{name}: {line}" for line in made.notes]
    configs = configs_of(data, run, "data/")
    rows = {split.path: split.rows for config in configs for split in config.splits}
    empty = {p for p in data.glob("*.parquet") if f"data/{p.name}" not in rows}
    write_file(folder / PIPELINE, pipeline_file(read_manifest(run)))
    write_file(folder / AUDITS, as_json(verdicts, run.resolve().name, "error") + "\n")
    write_report(run, folder / REPORT, verdicts)
    with open_store(run) as store:
        name, beside = repo.rpartition("/")[2], (PIPELINE, AUDITS, REPORT)
        card = card_of(store, run, configs, verdicts, licenses, name=name, repo=repo, beside=beside)
    write_file(folder / CARD, card)
    files = [
        _upload(path, path.relative_to(folder).as_posix(), rows)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".") and path not in empty
    ]
    note = folder / NOTE
    noted = {f.path: {"sha256": f.sha256, "oid": f.oid} for f in files}
    write_file(note, orjson.dumps({"format": PUSH_FORMAT, "files": noted}, option=orjson.OPT_INDENT_2) + b"\n")
    return Bundle((*files, _upload(note, NOTE, {})), tuple(left_out), tuple(notes))


def pipeline_file(manifest: Manifest) -> str:
    """The pipeline of a run as a file that can be run: every step with all its options, also those it extends."""
    head: dict[str, Any] = {"pipeline": manifest.pipeline}
    if manifest.introduced is not None:
        head |= manifest.introduced.model_dump(exclude_unset=True)
    if manifest.described.imports:
        head["imports"] = manifest.described.imports
    if manifest.described.code:
        head["code"] = [name.partition(": ")[2] for name in manifest.described.code]
    made = {**head, "steps": [_options(s) for s in manifest.described.steps]}
    if manifest.corpus:
        made["corpus"] = [_options(s) for s in manifest.corpus]
    preface = "# As it ran: all options are written out. Files that it names (prompts, Python, examples, benchmarks) are not here.\n"
    return preface + yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=120)


def _options(step: StepNote) -> dict[str, Any]:
    return step.model_dump(exclude_unset=True, exclude=set(_HIDDEN))


def _upload(file: Path, path: str, rows: Mapping[str, int]) -> Upload:
    size = file.stat().st_size
    sha256, oid = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with file.open("rb") as content:
        while some := content.read(2**20):
            sha256.update(some)
            oid.update(some)
    return Upload(path, file, size, sha256.hexdigest(), oid.hexdigest(), rows.get(path))

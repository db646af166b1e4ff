"""The settings with which other trainers than TRL read an export."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from synth.errors import UserError
from synth.export.format import Format
from synth.export.options import ExportOptions
from synth.files import read_file
from synth.reach import inside

__all__ = ["DATASET_INFO", "axolotl_settings", "dataset_info", "merged_info"]

DATASET_INFO = "dataset_info.json"
"""Where LLaMA-Factory looks for the data sets of a folder."""
_MOST_BYTES = 64 * 2**20


def axolotl_settings(format_: Format, options: ExportOptions, files: Mapping[str, Path]) -> str:
    """The part of an Axolotl configuration that reads an export. `files` are its files by split (`""` where it has none)."""
    read, method = format_.axolotl(options)
    kind = "json" if options.file_format == "jsonl" else "parquet"
    entries = {
        split: {"path": path.as_posix(), "ds_type": kind, "split": "train", **read} for split, path in files.items()
    }
    train = [e for split, e in entries.items() if split in {"", "train"}] or list(entries.values())[:1]
    settings = {**method, "datasets": train}
    if "validation" in entries and entries["validation"] not in train:
        settings["test_datasets"] = [entries["validation"]]
    template = settings.pop("chat_template", "tokenizer_default" if format_.conversational(options) else None)
    if template is not None:
        settings["chat_template"] = template
    head = "# How Axolotl reads these files; put it beside your base_model and the rest.\n"
    return head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def dataset_info(format_: Format, options: ExportOptions, files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """The entries of LLaMA-Factory's `dataset_info.json` for an export, by name of the data set."""
    return {_data_set(p.name): {"file_name": p.name, **format_.llama_factory(options)} for p in files.values()}


def _data_set(file: str) -> str:
    """The name of a file for LLaMA-Factory: `sft_train` for `sft.train.jsonl`."""
    return file.rpartition(".")[0].replace(".", "_")


def merged_info(
    path: Path, entries: Mapping[str, dict[str, Any]], gone: Collection[str], *, replace: bool
) -> bytes | None:
    """A `dataset_info.json` with these entries besides those that are in it; None where nobody needs one.

    Args:
        path: where it lies.
        entries: what it is to hold.
        gone: files of earlier exports, of which it is to say nothing any more.
        replace: whether entries that speak of other files may be replaced.

    Raises:
        UserError: the file is no such file, or an entry of that name speaks of another file.
    """
    found: Any = {}
    if os.path.lexists(path):
        try:
            found = orjson.loads(read_file(inside(path.parent, path.name), _MOST_BYTES))
        except orjson.JSONDecodeError as error:
            raise UserError(f"this is no JSON: {error}", where=str(path), fix="fix or remove it") from error
        if not isinstance(found, dict):
            raise UserError("this is no list of data sets by name", where=str(path), fix="fix or remove it")
        for file in gone:
            found.pop(_data_set(file), None)
    elif not entries:
        return None
    for name, entry in entries.items():
        had = found.get(name, entry)
        if not replace and not (isinstance(had, dict) and had.get("file_name") == entry["file_name"]):
            raise UserError(
                f"there is another data set {name!r} in it", where=str(path), fix="take another folder, or --replace"
            )
    try:
        return orjson.dumps({**found, **entries}, option=orjson.OPT_INDENT_2)
    except TypeError as error:
        raise UserError("this is nested too deeply", where=str(path), fix="fix or remove it") from error

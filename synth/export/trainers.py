"""The rows of a contract as other trainers than TRL read them, and the settings with which they do."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml
from pydantic import BaseModel

from synth.errors import UserError
from synth.export.contracts import (
    CONTRACTS,
    ROWS,
    ChatKtoRow,
    OpenAiChatRow,
    OpenAiInput,
    OpenAiPreferenceRow,
    RankingRow,
    SharegptKtoRow,
    SystemInputRow,
)
from synth.export.options import ExportOptions
from synth.files import inside, read_file

__all__ = ["DATASET_INFO", "axolotl_settings", "dataset_info", "merged_info", "reshape", "row_type"]

DATASET_INFO = "dataset_info.json"
"""Where LLaMA-Factory looks for the data sets of a folder."""
_MOST_BYTES = 64 * 2**20


def _ranking(row: Any) -> BaseModel:
    said = {"messages": row.prompt, "chosen": row.chosen[0], "rejected": row.rejected[0]}
    return RankingRow(**_rest(row, "prompt", "chosen", "rejected"), **said)


def _system_input(row: Any) -> BaseModel:
    *system, question = row.prompt
    said = {"system": system[0].content if system else "", "input": question.content}
    said |= {"chosen": row.chosen[0].content, "rejected": row.rejected[0].content}
    return SystemInputRow(**_rest(row, "prompt", "chosen", "rejected"), **said)


def _sharegpt_kto(row: Any) -> BaseModel:
    return SharegptKtoRow(**_rest(row, "prompt", "completion"), messages=[*row.prompt, *row.completion])


def _chat_kto(row: Any) -> BaseModel:
    return ChatKtoRow(**_rest(row, "prompt", "completion"), completion=[*row.prompt, *row.completion])


def _openai_chat(row: Any) -> BaseModel:
    return OpenAiChatRow(messages=row.messages)


def _openai_preference(row: Any) -> BaseModel:
    return OpenAiPreferenceRow(
        input=OpenAiInput(messages=row.prompt), preferred_output=row.chosen, non_preferred_output=row.rejected
    )


def _rest(row: BaseModel, *without: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).model_fields if name not in without}


_SHAPES: dict[tuple[str, str], tuple[type[BaseModel], Callable[[Any], BaseModel]]] = {
    ("axolotl", "dpo"): (RankingRow, _ranking),
    ("axolotl", "reward"): (SystemInputRow, _system_input),
    ("axolotl", "kto"): (ChatKtoRow, _chat_kto),
    ("llama-factory", "dpo"): (RankingRow, _ranking),
    ("llama-factory", "reward"): (RankingRow, _ranking),
    ("llama-factory", "kto"): (SharegptKtoRow, _sharegpt_kto),
    ("openai", "sft"): (OpenAiChatRow, _openai_chat),
    ("openai", "judge"): (OpenAiChatRow, _openai_chat),
    ("openai", "dpo"): (OpenAiPreferenceRow, _openai_preference),
}
"""Conversational rows that a trainer wants in another shape than TRL. Plain ones have the same columns everywhere."""


def row_type(contract: str, options: ExportOptions) -> type[BaseModel]:
    """The type of the rows an export writes."""
    if options.layout != "plain" and (options.trainer, contract) in _SHAPES:
        return _SHAPES[options.trainer, contract][0]
    if contract == "sft" and options.shape == "prompt-completion":
        return ROWS["sft.prompt-completion"]
    return ROWS["sft.text"] if contract == "sft" and options.layout == "plain" else CONTRACTS[contract]


def reshape(row: BaseModel, contract: str, options: ExportOptions) -> BaseModel:
    """A row as its trainer reads it."""
    if options.layout == "plain" or (options.trainer, contract) not in _SHAPES:
        return row
    if options.shape == "prompt-completion":
        return row
    return _SHAPES[options.trainer, contract][1](row)


def axolotl_settings(contract: str, options: ExportOptions, files: Mapping[str, Path]) -> str:
    """The part of an Axolotl configuration that reads an export. `files` are its files by split (`""` where it has none)."""
    plain = options.layout == "plain"
    chat: dict[str, Any] = {"type": "chat_template", "field_messages": "messages", "roles_to_train": ["assistant"]}
    instruct = {"field_instruction": "prompt", "field_output": "completion", "format": "{instruction}"}
    reads: dict[str, dict[str, Any]] = {
        "sft": chat,
        "judge": chat,
        "dpo": {"type": "chat_template.default", "field_messages": "messages"},
        "kto": {"type": "chatml.argilla_chat"},
        "reward": {"type": "bradley_terry.chat_template"},
        "prm": {"type": "stepwise_supervised", "step_separator": "\n"},
        "grpo": {"type": None},
    }
    read = reads[contract]
    if contract == "sft" and options.shape == "prompt-completion":
        read = {"type": {**instruct, "no_input_format": "{instruction}"}}
    elif contract == "sft" and plain:
        read = {"type": "completion", "field": "text"}
    elif contract == "dpo" and plain:
        read = {"type": {"field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}}
    elif contract == "kto" and plain:
        read = {"type": {"field_prompt": "prompt", "field_completion": "completion", "field_label": "label"}}
    methods: dict[str, dict[str, Any]] = {
        "dpo": {"rl": "dpo"},
        "kto": {"rl": "kto", "remove_unused_columns": False},
        "reward": {"reward_model": True, "model_type": "AutoModelForSequenceClassification", "num_labels": 1},
        "prm": {"process_reward_model": True, "model_type": "AutoModelForTokenClassification", "num_labels": 2},
        "grpo": {"rl": "grpo", "trl": {"reward_funcs": ["synth.rewards.correct"]}, "remove_unused_columns": False},
    }
    kind = "json" if options.file_format == "jsonl" else "parquet"
    entries = {
        split: {"path": path.as_posix(), "ds_type": kind, "split": "train", **read} for split, path in files.items()
    }
    train = [e for split, e in entries.items() if split in {"", "train"}] or list(entries.values())[:1]
    settings = {**methods.get(contract, {}), "datasets": train}
    if "validation" in entries and entries["validation"] not in train:
        settings["test_datasets"] = [entries["validation"]]
    if contract != "grpo" and not plain:
        settings["chat_template"] = "chatml" if contract == "kto" else "tokenizer_default"
    told = "# How Axolotl reads these files; put it beside your base_model and the rest.\n"
    return told + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def dataset_info(contract: str, options: ExportOptions, files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """The entries of LLaMA-Factory's `dataset_info.json` for an export, by name of the data set."""
    plain = options.layout == "plain"
    messages: dict[str, Any] = {"formatting": "sharegpt"}
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    columns: dict[str, str] = {"messages": "messages"}
    if contract in {"dpo", "reward"}:
        columns = {"prompt": "prompt"} if plain else columns
        messages["ranking"] = True
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    elif plain and contract == "sft" and options.shape == "language-modelling":
        columns = {"prompt": "text"}
    elif plain:
        columns = {"prompt": "prompt", "response": "completion"}
    if contract == "kto":
        columns["kto_tag"] = "label"
    if plain:
        messages["formatting"] = "alpaca"
    entry = {**messages, "columns": columns, **({} if plain else {"tags": tags})}
    return {_data_set(path.name): {"file_name": path.name, **entry} for path in files.values()}


def _data_set(file: str) -> str:
    """What LLaMA-Factory is told a file is called: `sft_train` for `sft.train.jsonl`."""
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
            raise UserError(f"this is no JSON: {error}", where=str(path), remedy="fix or remove it") from error
        if not isinstance(found, dict):
            raise UserError("this is no list of data sets by name", where=str(path), remedy="fix or remove it")
        for file in gone:
            found.pop(_data_set(file), None)
    elif not entries:
        return None
    for name, entry in entries.items():
        had = found.get(name, entry)
        if not replace and not (isinstance(had, dict) and had.get("file_name") == entry["file_name"]):
            raise UserError(
                f"there is another data set {name!r} in it", where=str(path), remedy="take another folder, or --replace"
            )
    try:
        return orjson.dumps({**found, **entries}, option=orjson.OPT_INDENT_2)
    except TypeError as error:
        raise UserError("this is nested too deeply", where=str(path), remedy="fix or remove it") from error

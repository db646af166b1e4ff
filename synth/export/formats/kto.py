"""`kto`: good and bad rationales one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need, Reshaped
from synth.export.options import TEXT_OPTIONS, ExportOptions
from synth.export.records import (
    CHAT_TAGS,
    PROBLEM,
    SCORES,
    WRITTEN,
    as_json,
    is_plain,
    lineage,
    rest,
    thoughts_of,
    two_columns,
    why_left_out,
)
from synth.export.row import Message, OfProblem
from synth.export.wording import Writing, prompt, reply
from synth.store.database import Store

__all__ = ["Kto", "KtoRow"]

QUERY = f"""
SELECT r.id, r.problem, r.unit, r.model, {WRITTEN.format("r", "")}, {PROBLEM}, k.id IS NOT NULL AS kept,
  {SCORES.format("r")}
FROM rationales r JOIN problems p ON p.id = r.problem LEFT JOIN kept_rationales k ON k.id = r.id
WHERE r.problem NOT IN (FROM excluded)
  AND (k.id IS NOT NULL OR r.id IN (SELECT target FROM scores WHERE part IS NULL AND label IN ('wrong', 'rejected')))
ORDER BY p.source, r.problem, r.id
"""


class KtoRow(OfProblem):
    """Good and bad rationales one by one: TRL's unpaired preference format."""

    prompt: list[Message] | str
    """The question."""
    completion: list[Message] | str
    """The rationale with the answer it states."""
    label: bool
    """Whether it was kept; false where its answer is wrong or its reviewers rejected it."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


class SharegptKtoRow(OfProblem):
    """Good and bad rationales as LLaMA-Factory (`sharegpt`, `kto_tag`) reads them."""

    messages: list[Message]
    """The question, and the rationale with the answer it states."""
    label: bool
    """Whether it was kept."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


class ChatKtoRow(OfProblem):
    """Good and bad rationales as Axolotl's `chatml.argilla_chat` reads them."""

    completion: list[Message]
    """The question, and the rationale with the answer it states."""
    label: bool
    """Whether it was kept."""
    model: str
    """Who wrote it."""
    scores: str
    """Its scores by name, as JSON."""


def _sharegpt(row: Any) -> BaseModel:
    return SharegptKtoRow(**rest(row, "prompt", "completion"), messages=[*row.prompt, *row.completion])


def _chat(row: Any) -> BaseModel:
    return ChatKtoRow(**rest(row, "prompt", "completion"), completion=[*row.prompt, *row.completion])


class Kto(Format):
    """Unpaired preferences."""

    name = "kto"
    about = "good and bad ones"
    options = TEXT_OPTIONS
    trainers = frozenset({"trl", "axolotl", "llama-factory"})
    why_not: ClassVar = {"openai": "it fine-tunes on conversations and preferences only"}
    row = KtoRow
    variants: ClassVar = {"axolotl.kto": ChatKtoRow, "llama-factory.kto": SharegptKtoRow}
    reshaped: ClassVar = {"axolotl": Reshaped(ChatKtoRow, _chat), "llama-factory": Reshaped(SharegptKtoRow, _sharegpt)}

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return Need(
            "rationale that was kept or found wrong",
            "SELECT count(*) FROM rationales",
            "SELECT count(*) FROM kept_rationales",
            "rationales",
            "a step such as 'generate' makes them, 'verify_answer' or 'review' finds the bad ones",
        )

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        thoughts = thoughts_of(self, store, options)
        for row in store.each(QUERY):
            writing = Writing.of(row)
            if why := why_left_out(row, options, thoughts, writing):
                left_out.add(row["id"], why)
                continue
            yield KtoRow(
                **lineage(row),
                **two_columns(prompt(row, options), reply(writing, thoughts, options), options),
                label=row["kept"],
                model=row["model"] or "",
                scores=as_json(row["scores"]),
            )

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:
        read: dict[str, Any] = {"type": "chatml.argilla_chat"}
        if is_plain(options):
            read = {"type": {"field_prompt": "prompt", "field_completion": "completion", "field_label": "label"}}
            return read, {"rl": "kto", "remove_unused_columns": False}
        return read, {"rl": "kto", "remove_unused_columns": False, "chat_template": "chatml"}

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:
        if is_plain(options):
            columns = {"prompt": "prompt", "response": "completion", "kto_tag": "label"}
            return {"formatting": "alpaca", "columns": columns}
        return {"formatting": "sharegpt", "columns": {"messages": "messages", "kto_tag": "label"}, "tags": CHAT_TAGS}

"""`judge`: verdicts of models as conversations, for fine-tuning a judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import orjson
from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need, Reshaped
from synth.export.formats.sft import AXOLOTL_CHAT, LLAMA_FACTORY_CHAT, openai_line
from synth.export.options import THOUGHT_OPTIONS, ExportOptions
from synth.export.records import tag_within, thoughts_of
from synth.export.row import Message, OpenAiChatRow, Row
from synth.export.wording import Writing, said
from synth.store.database import Store

__all__ = ["Judge", "JudgeRow"]

QUERY = """
SELECT v.*, c.messages, c.reply, c.thought, coalesce(p.source, '') AS source, s.unit FROM reviews v JOIN scores s ON s.id = v.id
JOIN calls c ON c.id = v.call JOIN problems p ON p.id = s.unit
WHERE v.value IS NOT NULL AND c.shape = 'Rated' ORDER BY p.source, v.target, v.reviewer
"""
_COUNT = (
    """SELECT count(*) FROM reviews v JOIN calls c ON c.id = v.call WHERE v.value IS NOT NULL AND c.shape = 'Rated'"""
)


class JudgeRow(Row):
    """Spoken reviews as conversations, for fine-tuning a judge."""

    messages: list[Message]
    """What the reviewer was shown and what it said."""
    value: float
    """The score it gave."""
    record_id: str
    """Id of the review."""
    target_id: str
    """Id of what was reviewed."""
    unit: str
    """Id of the root problem."""
    reviewer: str
    """Who reviewed."""
    author: str
    """Who wrote what was reviewed; empty where that is not known."""
    correct: Literal["yes", "no", "unknown"]
    """Whether what was reviewed reaches the gold answer."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Judge(Format):
    """Verdicts of models."""

    name = "judge"
    about = "spoken reviews"
    options = THOUGHT_OPTIONS | {"per_problem"}
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    row = JudgeRow
    reshaped: ClassVar = {"openai": Reshaped(OpenAiChatRow, openai_line)}
    axolotl_reads_thoughts = True

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return Need("spoken review", _COUNT, _COUNT, "scores", "a step 'review' makes them")

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        return AXOLOTL_CHAT, {}

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:  # noqa: ARG002
        return LLAMA_FACTORY_CHAT

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        known = {1.0: "yes", 0.0: "no"}
        thoughts = thoughts_of(self, store, options)
        for row in store.each(QUERY):
            if row["thought"] and (why := tag_within(thoughts, Writing(row["reply"], row["thought"]))):
                left_out.add(row["id"], why)
                continue
            yield JudgeRow(
                messages=[
                    *(Message(**m) for m in orjson.loads(row["messages"])),
                    *said(row["reply"], row["thought"], thoughts),
                ],
                value=row["value"],
                record_id=row["id"],
                target_id=row["target"],
                unit=row["unit"],
                reviewer=row["reviewer"],
                author=row["author"] or "",
                correct=known.get(row["correct"], "unknown"),
                source=row["source"],
            )

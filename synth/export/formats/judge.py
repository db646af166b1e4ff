"""`judge`: verdicts of models as conversations, for fine-tuning a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
SELECT min(s.id) AS id, s.target, s.unit, c.messages, c.reply, c.thought, any_value(s.judge) AS reviewer, avg(s.value) AS "value",
  coalesce(any_value(p.source), '') AS source, coalesce(any_value(r.model), any_value(k.critic)) AS author,
  list({'name': s.name, 'part': s.part, 'value': s.value, 'label': s.label, 'reason': s.reason}
    ORDER BY s.part.index, s.part.start, s.name, s.id) AS verdicts,
  (SELECT any_value(x.value) FROM scores x WHERE x.target = s.target AND x.part IS NULL AND x.name = 'correct') AS correct
FROM scores s JOIN pipeline_steps q ON q.name = s.step AND q.judges JOIN calls c ON c.id = s.call JOIN problems p ON p.id = s.unit
LEFT JOIN rationales r ON r.id = s.target LEFT JOIN critiques k ON k.id = s.target
WHERE s.value IS NOT NULL AND c.reply IS NOT NULL
GROUP BY s.target, s.unit, c.id, c.messages, c.reply, c.thought ORDER BY source, s.target, reviewer, id
"""
_COUNT = """SELECT count(DISTINCT (s.call, s.target)) FROM scores s JOIN pipeline_steps q ON q.name = s.step AND q.judges
WHERE s.call IS NOT NULL AND s.value IS NOT NULL"""


class JudgeRow(Row):
    """Verdicts of models as conversations, for fine-tuning a judge: a row for each reply and each record it is about."""

    messages: list[Message]
    """What the judge was shown and what it said."""
    value: float
    """The number it gave; of several, such as one for each step, the mean."""
    verdicts: str
    """All it gave, as a JSON list: the `name` of each score with its `value`, and where there are any `part`, `label` and `reason`."""
    record_id: str
    """Id of its score, of several the least one."""
    target_id: str
    """Id of what was judged."""
    unit: str
    """Id of the root problem."""
    reviewer: str
    """Who judged."""
    author: str
    """Who wrote what was judged; empty where that is not known."""
    correct: Literal["yes", "no", "unknown"]
    """Whether what was judged reaches the gold answer."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Judge(Format):
    """Verdicts of models."""

    name = "judge"
    about = "verdicts of models"
    options = THOUGHT_OPTIONS | {"per_problem"}
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    row = JudgeRow
    reshaped: ClassVar = {"openai": Reshaped(OpenAiChatRow, openai_line)}
    axolotl_reads_thoughts = True

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return Need(
            "verdict of a model with a number",
            _COUNT,
            _COUNT,
            "scores",
            "a step 'review' makes them, or an 'ask' that makes scores",
        )

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
                verdicts=_verdicts(row["verdicts"]),
                record_id=row["id"],
                target_id=row["target"],
                unit=row["unit"],
                reviewer=row["reviewer"],
                author=row["author"] or "",
                correct=known.get(row["correct"], "unknown"),
                source=row["source"],
            )


def _verdicts(listed: Sequence[Mapping[str, Any]]) -> str:
    """Scores as JSON, without what is not there."""

    def known(value: Any) -> Any:
        return {k: known(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    return orjson.dumps([known(dict(one)) for one in listed]).decode()

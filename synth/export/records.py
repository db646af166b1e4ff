"""What formats have in common when they make rows of records: columns of queries, lineage, and why a record makes no row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from synth.export.format import Format, thought_place
from synth.export.options import ExportOptions
from synth.export.wording import Conversation, Thoughts, Writing, completion_text, prompt_text
from synth.store.database import Store

__all__ = [
    "CHAT_TAGS",
    "MEDIA",
    "PROBLEM",
    "SCORES",
    "WRITTEN",
    "as_json",
    "has_media",
    "is_plain",
    "lineage",
    "rest",
    "tag_within",
    "thoughts_of",
    "two_columns",
    "why_left_out",
]

PROBLEM = "p.question, p.context, p.rubric, p.evidence, p.choices, p.media, coalesce(p.source, '') AS source"
"""The columns of `prompt` and `lineage`, of a problem `p`."""

WRITTEN = (
    "{0}.response AS {1}response, {0}.thought AS {1}thought, {0}.answer AS {1}stated, {0}.answer_span AS {1}answer_span"
)
"""The columns of `Writing.of`."""

SCORES = """(SELECT to_json(map(list(s.name ORDER BY s.name), list(s.value ORDER BY s.name)))
    FROM current_scores s WHERE s.target = {}.id AND s.part IS NULL) AS scores"""
"""The column of the scores of a record, by name."""

CHAT_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
"""What LLaMA-Factory is to know of our messages."""


def is_plain(options: ExportOptions) -> bool:
    """Whether texts are strings, and not messages."""
    return options.layout == "plain"


def why_left_out(row: Mapping[str, Any], options: ExportOptions, thoughts: Thoughts, *writings: Writing) -> str | None:
    """Why no row can be made of a record that is to hold these texts, if none can."""
    if has_media(row):
        return MEDIA
    for writing in writings:
        if writing.empty:
            return "it has no text"
        if not writing.response.strip():
            return "it is a thought without a response, such as one that was cut off"
        states_answer = options.style == "delimiter" or options.order == "answer-first" or options.as_thought
        if states_answer and writing.answer is None:
            return "it states no answer"
        if (writing.thought or options.as_thought) and (why := tag_within(thoughts, writing)):
            return why
    return None


MEDIA = "its problem has images or sounds, which these rows cannot carry"
"""Why the records of a problem make no row."""


def tag_within(thoughts: Thoughts, writing: Writing) -> str | None:
    """Why a text cannot have its thought in tags, if it cannot: it would be unclear where the thought ends."""
    if thoughts.place == "tags":
        for tag in thoughts.tags:
            if tag in writing.response or tag in (writing.thought or ""):
                return f"its text holds the tag {tag}"
    return None


def thoughts_of(format_: Format, store: Store, options: ExportOptions) -> Thoughts:
    """How the thoughts of an export are written."""
    found = "SELECT EXISTS (FROM rationales WHERE thought IS NOT NULL) OR EXISTS (FROM calls WHERE thought IS NOT NULL)"
    return Thoughts(thought_place(format_, options), options.tags, store.sql(found).fetchall()[0][0])


def has_media(row: Mapping[str, Any]) -> bool:
    """Whether the problem has images or sounds."""
    return row["media"] not in (None, "[]", "null")


def lineage(row: Mapping[str, Any]) -> dict[str, str]:
    """The columns that say what a row stems from."""
    return {"record_id": row["id"], "problem_id": row["problem"], "unit": row["unit"], "source": row["source"]}


def two_columns(asked: Conversation, turn: Conversation, options: ExportOptions) -> dict[str, Any]:
    """The columns `prompt` and `completion`."""
    if is_plain(options):
        return {"prompt": prompt_text(asked, options), "completion": completion_text(turn, options)}
    return {"prompt": asked, "completion": turn}


def as_json(value: Any) -> str:
    """Scores by name as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value or {}).decode()


def rest(row: Any, *without: str) -> dict[str, Any]:
    """The columns of a row but these."""
    return {name: getattr(row, name) for name in type(row).model_fields if name not in without}

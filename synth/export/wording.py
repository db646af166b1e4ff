"""How a problem is put to a model, and how a rationale with its answer is put down."""

from __future__ import annotations

from typing import Any

import orjson

from synth.export.contracts import Message
from synth.export.options import ExportOptions

__all__ = ["Conversation", "as_text", "completion_text", "prompt", "prompt_text", "reply"]

Conversation = list[Message]
"""Turns in order."""


def prompt(row: dict[str, Any], options: ExportOptions, more: str = "") -> Conversation:
    """The question with its passage, options and marking scheme, and `more` after them."""
    choices = "".join(f"\n{chr(ord('A') + i)}) {text}" for i, text in enumerate(row["choices"] or ()))
    context = f"{row['context']}\n\n" if row["context"] else ""
    if row["rubric"]:  # then the question is the task, the context the answer to be marked
        context, more = "", f"\n\nAnswer to be marked:\n{row['context']}\n\n{_scheme(row)}{more}"
    end = " ###" if options.style == "delimiter" else ""
    question = Message(role="user", content=f"{context}{row['question']}{choices}{more}{end}")
    return [Message(role="system", content=options.system), question] if options.system else [question]


def reply(text: str, answer: str | None, options: ExportOptions) -> Conversation:
    """A rationale and the answer it ends in, or one of them."""
    if options.style == "delimiter":
        return _said(f"{text} --> {answer} END")
    stated = rf"\boxed{{{answer}}}" if options.style == "boxed" else answer
    ending = f"The answer is {stated}." if answer is not None else ""
    if options.think and text:
        opening, closing = options.think
        return _said(f"{opening}\n{text}\n{closing}\n\n{ending}")
    parts = (ending, text) if options.order == "answer-first" else (text, ending)
    return _said("\n".join(part for part in parts if part))


def prompt_text(said: Conversation, options: ExportOptions) -> str:
    """A prompt as plain text. What follows it can be put straight behind."""
    return "\n\n".join(m.content for m in said) + ("" if options.style == "delimiter" else "\n\n")


def completion_text(said: Conversation, options: ExportOptions) -> str:
    """A reply as plain text."""
    return (" " if options.style == "delimiter" else "") + said[-1].content


def as_text(asked: Conversation, said: Conversation, options: ExportOptions) -> str:
    """Both as one text."""
    return prompt_text(asked, options) + completion_text(said, options)


def _said(text: str) -> Conversation:
    return [Message(role="assistant", content=text)]


def _scheme(row: dict[str, Any]) -> str:
    rubric = row["rubric"] if isinstance(row["rubric"], dict) else orjson.loads(row["rubric"])
    elements = rubric.get("elements") or row["evidence"] or []
    asked = [f"- {e if isinstance(e, str) else e['question']}" for e in elements]
    marks = [f"{mark}: {meaning}" for mark, meaning in sorted(rubric.get("marks", {}).items())]
    return "\n".join(["Mark it by these questions:", *asked, *(["The marks:", *marks] if marks else [])])

"""How a problem is put to a model, and how a rationale with its thought and its answer is put down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import orjson

from synth.export.options import ExportOptions
from synth.export.row import Message
from synth.records import solution_of
from synth.verify import answer_sentence

__all__ = [
    "THOUGHT_FIELDS",
    "Conversation",
    "Thoughts",
    "Writing",
    "answer_alone",
    "as_text",
    "completion_text",
    "prompt",
    "prompt_text",
    "reply",
    "said",
]

Conversation = list[Message]
"""Turns in order."""

THOUGHT_FIELDS = frozenset({"reasoning_content", "thinking"})
"""The fields of a message that a thought may stand in."""


class Thoughts(NamedTuple):
    """How the thoughts of an export are written."""

    place: Literal["reasoning_content", "thinking", "tags", "drop"]
    """Where they stand."""
    tags: tuple[str, str] = ("<think>", "</think>")
    """The tags, where they stand in tags."""
    everywhere: bool = False
    """Whether a turn without a thought has the field too, empty: `datasets` fixes the fields of a column by its first rows."""

    def tagged(self, thought: str) -> str:
        """A thought in its tags."""
        opening, closing = self.tags
        return f"{opening}\n{thought}\n{closing}"


class Writing(NamedTuple):
    """What an author wrote."""

    response: str
    """The visible reply, verbatim."""
    thought: str | None = None
    """The reasoning trace."""
    answer: str | None = None
    """The answer the response states."""
    span: tuple[int, int] | None = None
    """Where it states the answer, in characters."""

    @classmethod
    def of(cls, row: Mapping[str, Any], side: str = "") -> Self:
        """That of a row of a query, whose columns begin with `side`."""
        span = row[f"{side}answer_span"]
        return cls(
            row[f"{side}response"] or "",
            row[f"{side}thought"],
            row[f"{side}stated"],
            (span[0], span[1]) if span is not None else None,
        )

    @property
    def solution(self) -> str:
        """The response without the statement of its answer, where that is a sentence or a line of its own."""
        return solution_of(self.response, self.span)

    @property
    def statement(self) -> str:
        """The answer as the response states it; empty where there is none."""
        if self.span is not None and self.solution != self.response.strip():
            return self.response[slice(*self.span)]
        return answer_sentence(self.answer) if self.answer is not None else ""

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return not (self.response.strip() or (self.thought or "").strip())


def prompt(row: dict[str, Any], options: ExportOptions, more: str = "") -> Conversation:
    """The question with its passage, options and rubric, and `more` after them."""
    choices = "".join(f"\n{chr(ord('A') + i)}) {text}" for i, text in enumerate(row["choices"] or ()))
    context = f"{row['context']}\n\n" if row["context"] else ""
    if row["rubric"]:  # then the question is the task, the context the answer to be marked
        context, more = "", f"\n\nAnswer to be marked:\n{row['context']}\n\n{_scheme(row)}{more}"
    end = " ###" if options.style == "delimiter" else ""
    question = Message(role="user", content=f"{context}{row['question']}{choices}{more}{end}")
    return [Message(role="system", content=options.system), question] if options.system else [question]


def reply(writing: Writing, thoughts: Thoughts, options: ExportOptions) -> Conversation:
    """A rationale with its thought and its answer, as these options have it; by default as its author wrote it."""
    thought, response = writing.thought, _response(writing, options)
    if options.as_thought and not thought:
        thought, response = writing.solution, _boxed_if(options, writing) or writing.statement
    return said(response, thought, thoughts)


def said(response: str, thought: str | None, thoughts: Thoughts) -> Conversation:
    """One turn of the assistant, with its thought in its place."""
    if thoughts.place == "tags" and thought:
        between = "" if response.startswith("\n\n") else "\n" if response.startswith("\n") else "\n\n"
        response = f"{thoughts.tagged(thought)}{between}{response}"
    field = {}
    if thoughts.place in THOUGHT_FIELDS and (thought or thoughts.everywhere):
        field = {thoughts.place: thought or ""}
    return [Message(role="assistant", content=response, **field)]


def answer_alone(answer: str, options: ExportOptions) -> str:
    """The sentence that states an answer."""
    if options.style == "delimiter":
        return f" --> {answer} END"
    return answer_sentence(answer, boxed=options.style == "boxed")


def _response(writing: Writing, options: ExportOptions) -> str:
    """The response with its answer stated as it is asked for."""
    response, answer = writing.response, writing.answer
    if answer is None:
        return response
    if options.style == "delimiter":
        return f"{writing.solution} --> {answer} END"
    if options.order == "answer-first":
        return "\n".join(part for part in (_boxed_if(options, writing) or writing.statement, writing.solution) if part)
    if options.style == "boxed" and "\\boxed" not in response:
        return "\n".join(part for part in (writing.solution, answer_alone(answer, options)) if part)
    if options.style == "natural" and writing.span is None:
        between = "" if not response or response.endswith("\n") else "\n"
        return f"{response}{between}{answer_alone(answer, options)}"
    return response


def _boxed_if(options: ExportOptions, writing: Writing) -> str | None:
    """The statement of the answer in a box, where that is asked for and the author gave it none."""
    if options.style != "boxed" or writing.answer is None or "\\boxed" in writing.statement:
        return None
    return answer_alone(writing.answer, options)


def prompt_text(said: Conversation, options: ExportOptions) -> str:
    """A prompt as plain text. What follows it can be put straight behind."""
    return "\n\n".join(m.content for m in said) + ("" if options.style == "delimiter" else "\n\n")


def completion_text(said: Conversation, options: ExportOptions) -> str:
    """A reply as plain text."""
    return (" " if options.style == "delimiter" else "") + said[-1].content


def as_text(asked: Conversation, said: Conversation, options: ExportOptions) -> str:
    """Both as one text."""
    return prompt_text(asked, options) + completion_text(said, options)


def _scheme(row: dict[str, Any]) -> str:
    rubric = row["rubric"] if isinstance(row["rubric"], dict) else orjson.loads(row["rubric"])
    elements = rubric.get("elements") or row["evidence"] or []
    asked = [f"- {e if isinstance(e, str) else e['question']}" for e in elements]
    marks = [f"{mark}: {meaning}" for mark, meaning in sorted(rubric.get("marks", {}).items())]
    return "\n".join(["Mark it by these questions:", *asked, *(["The marks:", *marks] if marks else [])])

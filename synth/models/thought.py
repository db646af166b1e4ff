"""The thought in an endpoint's reply: in a field beside the content, in parts of the content, or in tags within it.

`docs/endpoints.md` says which provider does what. Any reply gives texts: a field of another type is passed over, with
a note. No text stands in the thought and in the response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from synth.records import ThoughtKind
from synth.texts.marks import Mark
from synth.texts.thoughts import split_thought

__all__ = ["Parted", "part"]

FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Beside the content. DeepSeek's name, which most servers took over; OpenRouter's, and vLLM's now; Ollama's."""
_WORDS = ("text", "thinking", "summary", "content", "reasoning")
"""Where an object holds its text."""
_DEEPEST = 6
_REPEATED = 40
"""Letters from which on a content that begins as the thought repeats it, and does not merely begin alike."""


class Parted(NamedTuple):
    """A message in its parts."""

    response: str
    thought: str | None = None
    kind: ThoughtKind | None = None
    source: str | None = None
    finished: bool = True
    notes: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    source: str
    text: str
    kind: ThoughtKind


def part(message: Mapping[str, Any], marks: Sequence[Mark], *, summarised: bool, reasoned: bool) -> Parted:
    """A message, parted into thought and response.

    Of several fields that hold a thought the longest counts. A thought in tags that stands in a field too is taken once.

    Args:
        message: as the endpoint sent it.
        marks: the tags to look for in the content.
        summarised: whether what this endpoint sends as reasoning is a summary.
        reasoned: whether it counted tokens of reasoning.
    """
    notes: list[str] = []
    text, found, hidden = _content(message.get("content"), notes)
    details, more_hidden = _details(message.get("reasoning_details"), notes)
    hidden = hidden or more_hidden
    candidates = [*_fields(message, notes), *details, *found]
    best = max(candidates, key=lambda c: len("".join(c.text.split())), default=None)
    if best is not None:
        said = _even(best.text)
        if others := [c.source for c in candidates if c is not best and _even(c.text) not in said]:
            notes.append(
                f"the reply has a thought in {best.source} and another in {', '.join(others)}: the longer is kept"
            )
        if best.kind == "raw" and details and all(d.kind == "summary" for d in details):
            best = best._replace(kind="summary")
    split = split_thought(text, marks)
    response, thought = split.response, best.text if best is not None else None
    if split.ended:
        notes.append(f"{' '.join(split.ended)} was taken off the end of the reply")
    if thought is not None and not split.thought:
        response, thought = _once(response, thought, notes)
    thought = _together(thought, split.thought)
    if thought is None:
        sign: ThoughtKind | None = "hidden" if hidden or reasoned else None
        return Parted(response, None, sign, None, split.finished, tuple(notes))
    kind: ThoughtKind = "summary" if summarised else best.kind if best is not None else "raw"
    source = best.source if best is not None else split.family
    return Parted(response, thought, kind, source, split.finished, tuple(notes))


def _even(text: str) -> str:
    return " ".join(text.split())


def _together(field: str | None, tagged: str | None) -> str | None:
    """The thought of a field and the one in tags: one of them where it holds the other."""
    if field is None or tagged is None:
        return field if field is not None else tagged
    if _even(tagged) in _even(field):
        return field
    return tagged if _even(field) in _even(tagged) else f"{field.strip()}\n\n{tagged}"


def _once(response: str, thought: str, notes: list[str]) -> tuple[str, str | None]:
    """Response and thought where the content repeats the thought."""
    said, whole = thought.strip(), response.strip()
    if said == whole:
        notes.append("the same text came as reasoning and as content: it is taken for the content")
        return response, None
    if len(said) >= _REPEATED and whole.startswith(said):
        notes.append("the content began with the reasoning again: it was taken off")
        return whole[len(said) :].lstrip(), thought
    return response, thought


def _fields(message: Mapping[str, Any], notes: list[str]) -> list[_Candidate]:
    texts = ((name, _text_of(message.get(name), name, notes)) for name in FIELDS)
    return [_Candidate(name, text, "raw") for name, text in texts if text is not None]


def _details(details: Any, notes: list[str]) -> tuple[list[_Candidate], bool]:
    """What `reasoning_details` hold (OpenRouter, MiniMax), and whether some of it is encrypted."""
    if details is None:
        return [], False
    if not isinstance(details, list):
        notes.append(_passed_over("reasoning_details", details))
        return [], False
    texts: dict[ThoughtKind, list[str]] = {"raw": [], "summary": []}
    hidden = False
    for detail in details:
        kind = str(detail.get("type", "")) if isinstance(detail, dict) else ""
        text = _text_of(detail, "reasoning_details", notes)
        if text is not None:
            texts["summary" if "summary" in kind else "raw"].append(text)
        hidden = hidden or "encrypted" in kind or "redacted" in kind
    best: ThoughtKind = "raw" if texts["raw"] else "summary"
    joined = "\n\n".join(texts[best])
    return ([_Candidate("reasoning_details", joined, best)] if joined else []), hidden


def _content(content: Any, notes: list[str]) -> tuple[str, list[_Candidate], bool]:
    """The text of a content, the thoughts among its parts, and whether some of them are encrypted."""
    if content is None or isinstance(content, str):
        return content or "", [], False
    parts = content if isinstance(content, list) else [content]
    texts: list[str] = []
    thoughts: list[str] = []
    summaries, hidden = 0, False
    for one in parts:
        kind = str(one.get("type") or "text") if isinstance(one, dict) else "text"
        if kind in {"text", "output_text"}:
            if (text := _text_of(one, "content", notes)) is not None:
                texts.append(text)
        elif kind in {"thinking", "reasoning", "thought"}:
            if (text := _text_of(one, "content", notes)) is not None:
                thoughts.append(text)
                summaries += bool(one.get("summary"))
            hidden = hidden or bool(one.get("encrypted_content") or one.get("signature"))
        elif kind == "redacted_thinking":
            hidden = True
        else:
            notes.append(f"a part of the content of the kind {kind[:40]!r} is passed over")
    joined = "\n\n".join(thoughts)
    summary: ThoughtKind = "summary" if summaries and summaries == len(thoughts) else "raw"
    return "".join(texts), ([_Candidate("parts", joined, summary)] if joined else []), hidden


def _text_of(value: Any, where: str, notes: list[str]) -> str | None:
    """The text that a field or a part holds; None where it has none, with a note where it holds something else."""
    if value is None or value in ("", [], {}):
        return None
    text = _words(value, 0)
    if text is None:
        notes.append(_passed_over(where, value))
    return text if text and not text.isspace() else None


def _words(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if depth >= _DEEPEST:
        return None
    if isinstance(value, list):
        inner = [words for one in value if (words := _words(one, depth + 1)) is not None]
        # Pieces of one text follow each other as they are; summaries are paragraphs.
        between = "\n\n" if any(isinstance(one, dict) and "summary" in str(one.get("type")) for one in value) else ""
        return between.join(inner) if inner else None
    if isinstance(value, dict):
        for name in _WORDS:
            if (words := _words(value.get(name), depth + 1)) is not None:
                return words
        return "" if str(value.get("type")).startswith(("reasoning", "redacted", "thinking", "text")) else None
    return None


def _passed_over(where: str, value: Any) -> str:
    return f"{where} of the reply is no text ({type(value).__name__}) and is passed over"

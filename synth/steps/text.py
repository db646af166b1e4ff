"""The text of a record: what is looked at where a step looks at texts."""

from __future__ import annotations

from synth.records import Critique, Problem, Rationale, UnitRecord

__all__ = ["text_of"]


def text_of(record: UnitRecord) -> str:
    """A question with context and choices, a rationale with its answer, or an explanation with what it corrects."""
    match record:
        case Problem():
            return "\n".join(filter(None, (record.context, record.question, *record.choices)))
        case Rationale():
            return "\n".join(filter(None, (record.reasoning, record.answer)))
        case Critique():
            return "\n".join(filter(None, (record.explanation, record.correction)))
    raise TypeError(f"no text of a {type(record).__name__} to look at")

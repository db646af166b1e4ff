"""What a model wrote, however a trainer hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["text_of", "texts_of"]


def text_of(completion: Any) -> str:
    """The text of a completion: a string, or a list of messages, of which the last counts. A message that only calls a tool is empty."""
    if isinstance(completion, str):
        return completion
    said = completion[-1].get("content") if completion else ""
    if isinstance(said, list):  # in parts, as models that see images have it
        return "".join(part.get("text") or "" for part in said)
    return said or ""


def texts_of(completions: Sequence[Any], begun: Sequence[str | None] | None = None) -> list[str]:
    """The texts of completions, each after the beginning of the reply that it continues; an empty completion stays empty.

    Args:
        completions: what the model wrote, one for each row.
        begun: by row, the beginning that the prompt gave it.
    """
    texts = [text_of(said) for said in completions]
    if begun is None:
        return texts
    return [(before or "") + text if text.strip() else "" for before, text in zip(begun, texts, strict=True)]

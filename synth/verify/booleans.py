"""Answers that are yes or no."""

from __future__ import annotations

import re

__all__ = ["read_boolean"]

_WORD = re.compile(r"\b(yes|no|true|false|correct|incorrect)\b(?![ ]+(?:matter|longer|one|doubt))", re.IGNORECASE)


def read_boolean(text: str) -> bool | None:
    """Yes or no, as the first such word of a statement says; None where there is none."""
    match = _WORD.search(text)
    return None if match is None else match[1].lower() in {"yes", "true", "correct"}

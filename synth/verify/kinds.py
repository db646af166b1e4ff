"""Which kind of answer a gold answer is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.records import AnswerKind
from synth.verify.numbers import is_number

__all__ = ["infer_kind"]

_MATH = re.compile(
    r"\\[a-zA-Z]+|\^|[A-Za-z0-9)]\s*[=+*]\s*[A-Za-z0-9(]|\b\d+[a-z]\b|\A[\[(]\s*-?[\d.]+\s*,|\A-?\d*sqrt"
)


def infer_kind(answer: str, choices: Sequence[str] = ()) -> AnswerKind:
    """The kind of a gold answer: by its choices if it has any, else by its form."""
    if choices:
        return "choice"
    plain = answer.strip()
    if plain.isascii() and plain.isdigit():
        return "number"
    if plain.lower().rstrip(".") in {"yes", "no", "true", "false"}:
        return "boolean"
    if is_number(plain):
        return "number"
    return "math" if _MATH.search(plain) else "text"

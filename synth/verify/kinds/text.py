"""Answers in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.reading import without_display
from synth.verify.text import same_text, token_f1
from synth.verify.verdict import Verdict

__all__ = ["TextKind"]

_EMPHASIS = re.compile(r"\A(\*\*|__|[*_`])(.{1,2000})\1(?=\.?\Z)", re.DOTALL)
_ITEM = re.compile(r"\A[-•>]\s(?=[^\W\d])")
_LIKELY = re.compile(r"\A(?:probably|most\slikely)\s(?=\S)")


class TextKind(Kind):
    """Words, equal after normalisation or by token F1."""

    name = "text"
    version = 2
    in_words = True
    verbatim = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        said = without_display(_EMPHASIS.sub(r"\2", said.strip())).rstrip(".。").strip()
        said = _LIKELY.sub("", _ITEM.sub("", said))
        if said.count("**") == 1:  # the other pair stood before the statement, or around it
            said = said.removesuffix("**").strip()
        said = said.strip('"') or said
        return ((said.strip("'") or said) if said.startswith("'") else said) or None  # the prime of f' stays

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        if by.f1_threshold is not None:
            f1 = token_f1(found, gold)
            return self.decide(f1 >= by.f1_threshold, found, gold, f"token F1 {f1:.2f}")
        return self.decide(same_text(found, gold), found, gold)

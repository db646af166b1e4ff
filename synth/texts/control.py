"""Tokens of chat templates and marks without their partner: what is left in a text that should not be there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.texts.marks import TABLE, Mark
from synth.texts.thoughts import compiled

__all__ = ["control_tokens", "half_tags"]

_CONTROL = re.compile(
    r"<\|[A-Za-z][\w:./-]{2,60}\|>|<\|(?:channel|tool_call|turn)>|<(?:channel|tool_call|turn)\|>"
    r"|<｜[^｜<>\n]{1,60}｜>|</?s>|<(?:start|end)_of_turn>|<[be]os>|<unused\d+>|\[/?INST\]"
)
_CODE = re.compile(r"^[ \t]*```.*?(?:^[ \t]*```|\Z)|^[ \t]*~~~.*?(?:^[ \t]*~~~|\Z)|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def control_tokens(text: str) -> list[str]:
    """Tokens of chat templates that stand in a text outside of code, in their order: `<|im_end|>`, `</s>`, `[INST]`…"""
    found = [m[0] for m in _CONTROL.finditer(_without_code(text))]
    pair = {"<s>", "</s>"}  # struck out, in HTML
    return [t for t in found if t not in pair] if pair <= set(found) else found


def half_tags(text: str, marks: Sequence[Mark] = TABLE) -> list[str]:
    """Marks of a thought that stand in a text without their partner, outside of code, in their order."""
    halves: list[tuple[int, str]] = []
    bare = _without_code(text)
    for one in compiled(tuple(marks)).families:
        if one.mark.words or not one.mark.alone:
            continue
        opened: list[tuple[int, str]] = []
        for m in one.any.finditer(bare):
            if m.lastgroup == "open":
                opened.append((m.start(), m[0]))
            elif opened:
                opened.pop()
            else:
                halves.append((m.start(), m[0]))
        halves += opened
    return [half for _, half in sorted(halves)]


def _without_code(text: str) -> str:
    return _CODE.sub(lambda m: " " * len(m[0]), text) if "`" in text or "~~~" in text else text

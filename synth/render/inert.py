"""Texts of others in which nothing acts: one class of characters, for pages, Markdown and the terminal alike."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ACTS", "brief", "inert", "inert_lines", "plain", "restored", "sign"]

ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what a terminal acts on
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turns the direction of writing
    "\u00ad\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # is not seen
    "\ud800-\udfff]"  # cannot be written
)
"""Characters that do something where a text is shown, or hide in it. Tabs, ends of lines and joiners belong to words."""


def sign(found: re.Match[str]) -> str:
    """What is shown in place of a character of `ACTS`: `␛` for escape, `⟨U+202E⟩` for one that has no picture."""
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control character: ␛ for escape
    return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def plain(value: Any) -> str:
    """`value` as text in which nothing acts: what a page shows of anything that is not markup of ours."""
    if value is None:
        return ""
    return ACTS.sub(sign, str(value).replace("\r\n", "\n"))


def restored(shown: str, original: str) -> str:
    """A text that somebody edited as `plain` shows it, with the acting characters of the original in place of their signs.

    A sign that the original text has as such stays a sign.
    """
    signs = {sign(found): found[0] for found in ACTS.finditer(original.replace("\r\n", "\n"))}
    for form, character in signs.items():
        if form not in original:
            shown = shown.replace(form, character)
    return shown


def brief(value: Any, most: int) -> str:
    """The beginning of a text on one line."""
    whole = "" if value is None else str(value)
    text = " ".join(plain(whole[: 4 * most]).split())
    return text if len(text) <= most and len(whole) <= 4 * most else text[: most - 1] + "…"


def inert(value: Any, width: int | None = None) -> str:
    """`value` as one line for the terminal, without anything that it would act on; at most `width` characters."""
    text = "" if value is None else str(value)
    text = ACTS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\n", " ⏎ "))
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def inert_lines(text: str) -> str:
    """`text` inert, with its lines as they are."""
    return "\n".join(inert(line) for line in text.split("\n"))

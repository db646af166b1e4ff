"""Words of others in Markdown: shown as text, with any markup escaped."""

from __future__ import annotations

import re
from typing import Any

from synth.render.inert import brief, plain

__all__ = ["Ours", "code", "escaped", "title"]

_ACTS = re.compile(r"[\\`*_\[\]()#|~$!@{}<>&]|://|(?<=www)\.", re.IGNORECASE)
"""What begins markup in CommonMark and its extensions (tables, strike-through, formulas, mentions, bare links)."""

_SIMPLE = re.compile(r"[\w .,:;/+=@#%()\[\]{}\"'<>?!*&~^$-]+")
"""What a code span can hold as it is, in a table too."""

_LONGEST = 600


class Ours(str):
    """Markdown of ours: not escaped."""

    __slots__ = ()


def escaped(value: Any, most: int = _LONGEST) -> Ours:
    """`value` on one line, as text: what would begin markup or a link is an entity, and signs that act are shown."""
    if isinstance(value, Ours):
        return value
    return Ours(_ACTS.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), brief(value, most)))


def code(value: Any, most: int = 200) -> Ours:
    """`value` as code, where it can be; else as text."""
    text = brief(value, most)
    return Ours(f"`{text}`") if _SIMPLE.fullmatch(text) and text.strip() == text else escaped(text)


def title(value: Any) -> str:
    """`value` as a short plain text for the header."""
    return brief(plain(value), 100)

"""A statement of an answer without the signs around it."""

from __future__ import annotations

import re

__all__ = ["plain_statement", "without_display"]

_DISPLAY = re.compile(
    r"\A(?:\$\$(?P<a>.{1,2000}?)\$\$|\\\[(?P<b>.{1,2000}?)\\\]|\\\((?P<c>.{1,2000}?)\\\)|\$(?P<d>[^$]{1,2000})\$"
    r"|```\w{0,12}\n(?P<e>.{1,2000}?)\n?```|\\begin\{(?P<env>equation|align)\*?\}(?P<f>.{1,2000}?)\\end\{(?P=env)\*?\})"
    r"(?=[.,]?\Z)",
    re.DOTALL,
)
_ENDS = re.compile(r"\A[*_`\s]{1,20}|[*_`\s.。]{1,20}\Z")


def plain_statement(said: str) -> str:
    """What a statement says, without emphasis, a full stop and a displayed formula around it."""
    return without_display(_ENDS.sub("", said))


def without_display(said: str) -> str:
    """What stands inside of a displayed formula or a fence; other texts as they are."""
    if not said.startswith(("$$", "\\[", "```", "\\begin{")):
        return said
    found = _DISPLAY.match(said)
    if found is None:
        return said
    return next(v for k, v in found.groupdict().items() if k != "env" and v is not None).strip()

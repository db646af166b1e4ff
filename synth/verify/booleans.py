"""Answers that are yes or no."""

from __future__ import annotations

import re

__all__ = ["last_boolean", "read_boolean"]

# "no" before a noun ("no information") denies a thing, not the question.
_WORD = re.compile(
    r"""(?ix) (?P<not>\bnot\s|n['’]t\s(?:be\s)?|\bnever\s)?
    \b(?: (?P<yes>yes|true|correct) | (?P<no>false|incorrect|no(?=\s?(?:\Z|[^\w\s]|(?:because|since|as|but|and|or)\b))) )\b
    (?!\s(?:answer|option|choice))
    """
)
_CLAIM = re.compile(
    r"(?i)\b(?:the|this)\s(?:given\s)?(?:statement|claim|assertion|proposition|conclusion)\sis\s(?:therefore\s|thus\s)?"
    r"((?:not\s)?(?:true|false|correct|incorrect))\b"
)
_FIRST = re.compile(r"(?i)\A[\s*_\"'`]{0,5}(yes|no|true|false)\b(?=\s?(?:\Z|[^\w\s]))")


def read_boolean(text: str) -> bool | None:
    """Yes or no, as a statement says; None where it says neither, or both without beginning with one of them."""
    first = _FIRST.match(text)
    if first is not None and not re.match(
        r"\W{0,3}\s?(?:and|or)\s\W?(?:yes|no|true|false)\b", text[first.end() :], re.IGNORECASE
    ):
        return first[1].lower() in {"yes", "true"}
    said = {(match["yes"] is not None) != (match["not"] is not None) for match in _WORD.finditer(text)}
    return said.pop() if len(said) == 1 else None


def last_boolean(text: str) -> bool | None:
    """Where nothing is stated: what the last line says if it begins with it, a verdict on "the statement", or what
    the text begins with.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if (last := _FIRST.match(lines[-1])) is not None:
        return last[1].lower() in {"yes", "true"}
    claims = _CLAIM.findall(text)
    if claims:
        return read_boolean(claims[-1])
    first = _FIRST.match(lines[0])
    return None if first is None else first[1].lower() in {"yes", "true"}

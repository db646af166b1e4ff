"""Patterns that users write: RE2, whose time grows with the text, never faster (no backtracking)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from synth.prompts.work import Refused, begin, end, spend

__all__ = ["check_pattern", "found", "matched"]

MOST_LETTERS = 2000
"""Characters of a pattern."""

_MEMORY = 2 << 20
"""Bytes for the states of one pattern; RE2 keeps the last 128 patterns."""

_STEPS_TO_COMPILE = 500
_WORK_A_STEP = 128
"""Characters times instructions of a pattern in a step; at worst, where RE2 has too many states to keep, some 2 µs."""


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> Any:
    import re2  # of C++: loaded only where a pattern is used

    spend(_STEPS_TO_COMPILE)
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        what = f"{pattern[:100]!r} is no pattern of RE2, which knows no lookaround and no back references: {why}"
        raise Refused(what) from error


def _checked(pattern: str) -> Any:
    if not isinstance(pattern, str):
        raise Refused(f"a pattern is a {type(pattern).__name__}, not text")
    if len(pattern) > MOST_LETTERS:
        raise Refused(f"a pattern has {len(pattern):,} characters, and may have {MOST_LETTERS:,}")
    return _compiled(pattern)


def check_pattern(pattern: str) -> None:
    """Find out whether a pattern can be used.

    Raises:
        Refused: it is not of RE2, or too long; says why.
    """
    before = begin()
    try:
        _checked(pattern)
    finally:
        end(before)


def _search(text: str, pattern: str) -> Any:
    compiled = _checked(pattern)
    spend(1 + len(text) * (8 + compiled.programsize) // _WORK_A_STEP)
    try:
        return compiled.search(text)
    except UnicodeEncodeError:  # half of a character, which UTF-8 cannot write
        return compiled.search(text.encode("utf-8", "replace").decode())


def found(text: str, pattern: str) -> bool:
    """Whether a pattern stands somewhere in a text."""
    return _search(text, pattern) is not None


def matched(text: str | None, pattern: str) -> str | None:
    """What the first group of a pattern finds in a text, or the whole where it has none; null where it finds nothing."""
    hit = _search(text or "", pattern)
    if hit is None:
        return None
    group: str | None = hit[1 if hit.re.groups else 0]
    return group

"""Patterns that users write: RE2, whose time grows with the text, never faster (no backtracking)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from synth.prompts.work import Refused, TooMuchWork, begin, end, spend

__all__ = ["check_pattern", "check_splitter", "found", "matched", "places"]

MOST_LETTERS = 2000
"""Characters of a pattern."""

_MEMORY = 2 << 20
"""Bytes for the states of one pattern; RE2 keeps the last 128 patterns."""

_STEPS_TO_COMPILE = 500
_WORK_A_STEP = 128
"""Characters times instructions of a pattern in a step; at worst, where RE2 has too many states to keep, some 2 µs."""

_BLOCK = 500
"""Characters in which matches are looked for at once, by `places`; each match is seen as far as the same number beyond them. A pattern
that looks ahead to the end of the text at each match, such as `a.*b|a`, would else take time that grows with its square."""


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


def check_splitter(pattern: str) -> None:
    """Find out whether a pattern can cut texts.

    Raises:
        Refused: it is not of RE2, too long, or matches the empty text, so that it would cut everywhere; says why.
    """
    before = begin()
    try:
        empty = _checked(pattern).fullmatch("") is not None
    finally:
        end(before)
    if empty:
        raise Refused("the pattern matches an empty text, and would cut before every character")


def places(text: str, pattern: str) -> list[int]:
    """Where the matches of a pattern begin in a text, from left to right. A match of more than 500 characters may not be found, nor
    are those that come after as much work as an evaluation may cost: some ten thousand matches.

    Raises:
        Refused: the pattern is not of RE2, or too long.
    """
    begun, starts = begin(), list[int]()
    try:
        compiled = _checked(pattern)
        with suppress(TooMuchWork):  # a reply that repeats itself for ever is to end no run
            for start in _places(text.encode("utf-8", "replace").decode(), compiled):  # half characters become `?`
                starts.append(start)  # what was found before there was too much is kept
    finally:
        end(begun)
    return starts


def _places(text: str, compiled: Any) -> Iterator[int]:
    work = 1 + 2 * _BLOCK * (8 + compiled.programsize) // _WORK_A_STEP
    at = 0
    while at < len(text):
        begins = max(0, at - 1)  # the character before decides whether a word or a line begins here
        stop = min(at + _BLOCK, len(text))
        spend(work)
        for match in compiled.finditer(text[begins : stop + _BLOCK], at - begins):
            spend(work)
            start, end_of_match = (begins + place for place in match.span())
            if start >= stop:
                break
            yield start
            stop = max(stop, end_of_match)
        at = stop


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

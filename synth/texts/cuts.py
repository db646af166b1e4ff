"""Where a text can be cut into steps: each function gives offsets, in characters, before which a step may begin.

An offset never stands inside a step and white space at its ends does not count, so no function can lose a character.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from itertools import accumulate

from synth.texts.counts import ABBREVIATION

__all__ = [
    "code_lines",
    "line_starts",
    "marked_sentences",
    "numbered_steps",
    "paragraph_starts",
    "piece_starts",
    "sentence_starts",
]

_SENTENCE_END = re.compile(
    rf"""(?x)
    {ABBREVIATION}
    [.!?]["')\]]* \s+ (?=["'(\[]*[A-Z0-9$\\])                                          # "3.5" has no space; "2 p.m. today" goes on
    | (?<=[。！？])                                                                     # scripts that put no space after a sentence
    """
)
_ANY_SENTENCE_END = re.compile(rf"""(?x) {ABBREVIATION} [.!?…]["'”’)\]*_]*+ \s+ | (?<=[。！？])""")
"""Also before a small letter: what follows is known by its first word."""
_STEP = re.compile(r"[ \t#>*_(-]{0,12}step[ \t]{1,3}\d{1,3}[*_ \t]{0,4}(?:[:.)\-–—]|\n|$)", re.IGNORECASE)
_ITEM = re.compile(r"[ \t#>*_(]{0,12}\d{1,3}[.)][*_]{0,3}[ \t]")
_WORD = re.compile(r"\S+")
_OPENERS = "\"'“‘*_([ \t"
"""What may stand before the first word of a sentence."""
_COMMENTS = ("#", "//")
_CJK = "\u2e80"
"""The first character of the scripts that put no space between words."""


def line_starts(text: str) -> list[int]:
    """Where each line begins."""
    return [0, *accumulate(map(len, text.splitlines(keepends=True)))]


def sentence_starts(text: str) -> Iterator[int]:
    """Where each sentence begins; no sentence reaches over the end of a line."""
    at = 0
    for line in text.splitlines(keepends=True):
        yield at
        yield from (at + match.end() for match in _SENTENCE_END.finditer(line))
        at += len(line)


def paragraph_starts(text: str) -> Iterator[int]:
    """Where each paragraph begins: after blank lines. A closed code fence is not cut."""
    lines = text.splitlines(keepends=True)
    within = {i for first, last in _fences(lines) for i in range(first + 1, last + 1)}
    at, blank = 0, False
    for i, line in enumerate(lines):
        if blank and line.strip() and i not in within:
            yield at
        blank = not line.strip()
        at += len(line)


def piece_starts(text: str, n: int) -> list[int]:
    """Where each of `n` pieces begins that differ in length by one word at most: the split of arXiv:2406.06592 into pieces of about
    equal length, by words instead of tokens. A text of fewer words has as many pieces as words.
    """
    words = [match.start() for match in _WORD.finditer(text)]
    return sorted({words[i * len(words) // n] for i in range(n)}) if words else []


def marked_sentences(text: str, markers: Sequence[str]) -> Iterator[int]:
    """Where a sentence or a line begins with one of these words, in any case."""
    known = [(marker.casefold(), len(marker)) for marker in markers]
    for place in _beginnings(text):
        at = place
        while at < len(text) and text[at] in _OPENERS:
            at += 1
        for marker, length in known:
            after = text[at + length : at + length + 1]
            ends = not after.isalnum() or marker[-1] >= _CJK or after >= _CJK
            if ends and text[at : at + length].casefold() == marker:
                yield place
                break


def numbered_steps(text: str) -> list[int]:
    """Where a line or sentence begins with `Step 1:`; in a text without these, where a line begins with `1.` or `1)`."""
    steps = [place for place in _beginnings(text) if _STEP.match(text, place)]
    return steps or [place for place in line_starts(text) if _ITEM.match(text, place)]


def code_lines(text: str) -> list[int]:
    """Where each logical line of code begins, by Python's tokenizer; of what this cannot read, where each line begins.

    Blank lines and lines that are a comment belong to the line that follows, and so does the line that opens a code fence;
    the line that closes it belongs to the one before. Text outside of fences is cut in the same way.
    """
    lines = io.StringIO(text, newline="\n").readlines()
    ends, done = set[int](), 0
    for first, last in _fences(lines):
        ends |= {done + i for i in _logical_ends(lines[done:first])}
        inside = sorted(_logical_ends(lines[first + 1 : last]))
        ends |= {first + 1 + i for i in inside[:-1]} | {last}
        done = last + 1
    ends |= {done + i for i in _logical_ends(lines[done:])}
    after = [0, *accumulate(map(len, lines))]
    return [after[i + 1] for i in sorted(ends)[:-1]]  # what follows the last one is comments at most


def _beginnings(text: str) -> list[int]:
    """Where lines and sentences begin."""
    return sorted({*line_starts(text), *(match.end() for match in _ANY_SENTENCE_END.finditer(text))})


def _fences(lines: Sequence[str]) -> list[tuple[int, int]]:
    """The code fences that are closed, by the numbers of their first and last lines."""
    found: list[tuple[int, int]] = []
    first, sign = 0, ""
    for i, line in enumerate(lines):
        bare = line.strip()
        if sign:
            if len(bare) >= len("```") and not bare.strip(sign):
                found.append((first, i))
                sign = ""
        elif bare.startswith(("```", "~~~")) and bare[0] not in bare.lstrip(bare[0]):
            first, sign = i, bare[0]
    return found


def _logical_ends(lines: Sequence[str]) -> set[int]:
    """The numbers of the lines with which logical lines of code end."""
    ends = set[int]()
    try:
        for token in tokenize.generate_tokens(io.StringIO("".join(lines), newline="\n").readline):
            if token.type == tokenize.ERRORTOKEN:
                break
            if token.type == tokenize.NEWLINE:
                ends.add(token.start[0] - 1)
        else:
            return ends
    except (tokenize.TokenError, SyntaxError, ValueError):  # open brackets; indentation; half of a character
        pass
    return {i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(_COMMENTS)}

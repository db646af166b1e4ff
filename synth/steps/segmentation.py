"""The definitions of "step". One rationale, one definition, and its name stands beside the steps."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Segmenter", "segment"]

Segmenter = Literal["steps", "lines", "sentences"]
"""`lines`: each line that is not empty. `sentences`: each sentence. `steps`: the lines, or the sentences of a text on one line."""

_VERSION = 1
_SENTENCE_END = re.compile(
    r"""(?x)
    (?<!\b[A-Z]) (?<!\b(?:Mr|Ms|Dr|vs|St|Jr|No)) (?<!\b(?:Mrs|e\.g|i\.e|etc|Fig))  # initials and abbreviations go on
    [.!?]["')\]]* \s+ (?=["'(\[]*[A-Z0-9$\\])                                          # "3.5" has no space; "2 p.m. today" goes on
    | (?<=[。！？])                                                                     # scripts that put no space after a sentence
    """
)


def segment(text: str, by: Segmenter = "steps") -> tuple[tuple[str, ...], str]:
    """The steps of a text, each a substring of it, and the name and version of the definition used."""
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if by == "lines" or (by == "steps" and len(lines) > 1):
        steps = lines
    else:
        steps = tuple(s for line in lines for s in _sentences(line))
    return steps, f"{by}/{_VERSION}"


def _sentences(line: str) -> list[str]:
    found, start = [], 0
    for match in _SENTENCE_END.finditer(line):
        found.append(line[start : match.end()].strip())
        start = match.end()
    found.append(line[start:].strip())
    return [s for s in found if s]

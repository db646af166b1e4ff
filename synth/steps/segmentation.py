"""The definitions of "step". One rationale, one definition, and its name stands beside the steps."""

from __future__ import annotations

import re
from typing import Literal

from synth.records import solution_of

__all__ = ["Part", "Segmenter", "cut", "segment"]

Segmenter = Literal["steps", "lines", "sentences"]
"""`lines`: each line that is not empty. `sentences`: each sentence. `steps`: the lines, or the sentences of a text on one line."""

Part = Literal["response", "thought"]
"""Which part of a rationale is cut."""

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


def cut(
    thought: str | None, response: str, span: tuple[int, int] | None, by: Segmenter = "steps", part: Part | None = None
) -> tuple[tuple[str, ...], str]:
    """The steps of a rationale, and the name and version of the definition used, with `thought` before it where that was cut.

    Args:
        thought: its thought.
        response: its visible reply.
        span: where the response states the answer, which is no step.
        by: the definition of "step".
        part: which part is cut; None for the response, or where that holds no reasoning the thought.
    """
    solution = solution_of(response, span)
    if part == "thought" or (part is None and not solution and thought):
        steps, segmenter = segment(thought or "", by)
        return steps, f"thought {segmenter}"
    return segment(solution, by)


def _sentences(line: str) -> list[str]:
    found, start = [], 0
    for match in _SENTENCE_END.finditer(line):
        found.append(line[start : match.end()].strip())
        start = match.end()
    found.append(line[start:].strip())
    return [s for s in found if s]

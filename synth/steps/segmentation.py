"""The definitions of "step". One rationale, one definition, and its name stands beside the steps.

Each step is a slice of the text, without the white space at its ends; steps stand in order, and nothing but white space
lies between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, WithJsonSchema

from synth.bounded import nearest
from synth.prompts import Refused, check_splitter, places
from synth.records import solution_of
from synth.records.parts import BLANKS
from synth.texts import cuts

__all__ = ["Part", "Segmenter", "Uncut", "cut", "name_of", "segment", "slices", "spans", "uncut"]

Part = Literal["response", "thought"]
"""Which part of a rationale is cut."""

_VERSION = 1
_PLAIN: dict[str, Callable[[str], Iterable[int]]] = {
    "code": cuts.code_lines,
    "lines": cuts.line_starts,
    "numbered": cuts.numbered_steps,
    "paragraphs": cuts.paragraph_starts,
    "sentences": cuts.sentence_starts,
}
_WITH_ARGUMENT = {
    "markers": "words, with commas between them: markers:wait,however",
    "pieces": "a number from 1 to 1000: pieces:16",
    "regex": "a pattern: regex:Step \\d+",
}
_NAMES = ("steps", *_PLAIN, *_WITH_ARGUMENT)
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_MOST_PIECES = 1000
_MOST_MARKERS = 100
_LONGEST_MARKER = 100


def _checked(by: str) -> str:
    """A definition as it is recorded.

    Raises:
        ValueError: there is none of that name, or its argument is not one.
    """
    _parsed(by)
    return by


Segmenter = Annotated[
    str,
    AfterValidator(_checked),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["steps", *_PLAIN], "type": "string"},
                {"pattern": "^pieces:[1-9][0-9]{0,3}$", "type": "string"},
                {"pattern": "^markers:[^,]+(,[^,]+)*$", "type": "string"},
                {"pattern": "^regex:[\\s\\S]", "type": "string"},
            ]
        }
    ),
]
"""`lines`: each line that is not empty. `sentences`: each sentence. `steps`: the lines, or the sentences of a text on one line.
`paragraphs`: what blank lines separate. `numbered`: from each `Step 1:` to the next; without these from each `1.` or `1)`.
`code`: logical lines of code. `pieces:N`: N pieces with about equally many words. `markers:wait,however`: a step begins with each sentence
that begins with one of the words. `regex:PATTERN`: a step begins with each match of a pattern of RE2.
"""


class Uncut(NamedTuple):
    """The text of a rationale that is cut into steps."""

    text: str
    of_thought: bool
    """Whether it is the thought."""
    apart: tuple[int, ...] = ()
    """Offsets that no step reaches over: where the statement of the answer was taken out, and where the text ends that was given."""
    given: int = 0
    """How many characters at its beginning are not the author's own."""


def uncut(thought: str | None, response: str, span: tuple[int, int] | None, part: Part | None = None) -> Uncut:
    """The text of a rationale that is cut; see `cut` for the arguments."""
    solution = solution_of(response, span)
    if part == "thought" or (part is None and not solution and thought):
        return Uncut(thought or "", of_thought=True)
    whole = response.strip(BLANKS)
    before = response[: span[0]].strip(BLANKS) if span is not None and solution != whole else ""
    inside = 0 < len(before) < len(solution)
    return Uncut(solution, of_thought=False, apart=(len(before),) if inside else ())


def cut(
    thought: str | None,
    response: str,
    span: tuple[int, int] | None,
    by: Segmenter = "steps",
    part: Part | None = None,
) -> tuple[tuple[str, ...], str]:
    """The steps of a rationale, and the name and version of the definition used, with `thought` before it where that was cut.

    Args:
        thought: its thought.
        response: its visible reply.
        span: where the response states the answer, which is no step; no step reaches over it.
        by: the definition of "step".
        part: which part is cut; None for the response, or where that holds no reasoning the thought.

    Raises:
        ValueError: there is no such definition.
    """
    found = uncut(thought, response, span, part)
    steps = tuple(found.text[a:b] for a, b in spans(found.text, by, apart=found.apart))
    return steps, f"thought {name_of(by)}" if found.of_thought else name_of(by)


def segment(text: str, by: Segmenter = "steps") -> tuple[tuple[str, ...], str]:
    """The steps of a text, each a slice of it, and the name and version of the definition used.

    Raises:
        ValueError: there is no such definition.
    """
    return tuple(text[a:b] for a, b in spans(text, by)), name_of(by)


def name_of(by: Segmenter, *, merge_short: int = 0, most: int | None = None) -> str:
    """The name and version of a definition with its options, as it stands beside steps: `lines/1 most=3`."""
    short = f" merge_short={merge_short}" if merge_short else ""
    return f"{by}/{_VERSION}{short}" + ("" if most is None else f" most={most}")


def spans(
    text: str, by: Segmenter = "steps", *, merge_short: int = 0, most: int | None = None, apart: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Where the steps of a text stand, as (start, end) in characters.

    Args:
        text: the text.
        by: the definition of "step".
        merge_short: a step of fewer characters is joined with the next, the last one with the one before.
        most: at most so many steps; the rest is joined with the last. One more where `apart` needs it.
        apart: offsets that no step reaches over.

    Raises:
        ValueError: there is no such definition.
    """
    found = set(_cuts(text, by))
    if by.startswith("pieces:"):  # such an offset is one of the cuts, so that there are no more pieces than asked for
        for place in apart:
            found.discard(min(sorted(found)[1:], key=lambda at: abs(at - place), default=-1))
    steps = slices(text, found | set(apart))
    walls = {right[0] for left, right in pairwise(steps) if any(left[1] <= place <= right[0] for place in apart)}
    if merge_short:
        steps = _joined(steps, lambda left, _: left[1] - left[0] < merge_short, walls)
        steps = _joined(steps, lambda _, right: right[1] - right[0] < merge_short, walls)
    if most is not None:
        free = [start for start, _ in steps[1:] if start not in walls]
        kept = set(free[: max(0, most - 1 - len(walls))])
        steps = _joined(steps, lambda _, right: right[0] not in kept, walls)
    return steps


def slices(text: str, at: Iterable[int]) -> list[tuple[int, int]]:
    """What lies between offsets in a text, without the white space at its ends, as (start, end); what is empty then is left out."""
    found = []
    for start, end in pairwise(sorted({0, *at, len(text)})):
        piece = text[start:end]
        body = piece.strip()
        if body:
            first = start + len(piece) - len(piece.lstrip())
            found.append((first, first + len(body)))
    return found


_Span = tuple[int, int]


def _joined(steps: Iterable[_Span], joins: Callable[[_Span, _Span], bool], walls: set[int]) -> list[_Span]:
    """Steps, each joined with the one before it where `joins` says so; not those that begin at a wall."""
    found: list[_Span] = []
    for step in steps:
        if found and step[0] not in walls and joins(found[-1], step):
            found[-1] = (found[-1][0], step[1])
        else:
            found.append(step)
    return found


def _cuts(text: str, by: Segmenter) -> Iterable[int]:
    name, argument = _parsed(by)
    if name == "steps":
        name = "lines" if len(slices(text, cuts.line_starts(text))) > 1 else "sentences"
    if name in _PLAIN:
        return _PLAIN[name](text)
    if name == "pieces":
        return cuts.piece_starts(text, int(argument))
    if name == "markers":
        return cuts.marked_sentences(text, _markers(argument))
    return places(text, argument)


@lru_cache(maxsize=256)
def _parsed(by: str) -> tuple[str, str]:
    """The name of a definition and its argument, "" where it takes none.

    Raises:
        ValueError: there is no such definition.
    """
    name, colon, argument = by.partition(":")
    if name not in _NAMES:
        meant = next(iter(nearest(name.strip().lower(), _NAMES)), None)
        raise ValueError(
            f"{by[:100]!r} is no definition of step; {f'did you mean {meant}? ' if meant else ''}there are {', '.join(_NAMES)}"
        )
    if (name in _WITH_ARGUMENT) != bool(argument) or (colon and name not in _WITH_ARGUMENT):
        takes = f"takes {_WITH_ARGUMENT[name]}" if name in _WITH_ARGUMENT else "takes nothing after it"
        raise ValueError(f"{by[:100]!r}: {name} {takes}")
    if name == "pieces" and not (_NUMBER.fullmatch(argument) and int(argument) <= _MOST_PIECES):
        raise ValueError(f"{by[:100]!r}: pieces takes {_WITH_ARGUMENT[name]}")
    if name == "markers":
        _markers(argument)
    if name == "regex":
        try:
            check_splitter(argument)
        except Refused as refused:
            raise ValueError(f"{by[:100]!r}: {refused}") from refused
    return name, argument


def _markers(argument: str) -> tuple[str, ...]:
    """The words in an argument of `markers`.

    Raises:
        ValueError: there are too many, or one is empty or too long.
    """
    words = tuple(word.strip() for word in argument.split(","))
    if not all(words) or len(words) > _MOST_MARKERS or max(map(len, words)) > _LONGEST_MARKER:
        what = f"from 1 to {_MOST_MARKERS} words of up to {_LONGEST_MARKER} characters"
        raise ValueError(f"'markers:{argument[:100]}': {what} are needed, with commas between them")
    return words

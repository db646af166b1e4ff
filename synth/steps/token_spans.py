"""Which tokens of a reply spell which step of the rationale that was made of it. Where that is not certain there is none."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from os.path import commonprefix

from synth.models import Completion
from synth.records import Rationale

__all__ = ["Unaligned", "step_logprobs"]


class Unaligned(ValueError):
    """The tokens of a reply do not spell its text; the message says how."""


def step_logprobs(reply: Completion, rationale: Rationale) -> list[tuple[float, ...] | None]:
    """The log-probabilities of the tokens of each step, in order; None for a step that the reply does not hold as a whole, such as one of
    the prefix that it continues.

    A token belongs to every step that it has a character of; white space between steps is of no step.

    Args:
        reply: the reply that the rationale was made of.
        rationale: the rationale; its steps may have been cut by any definition.

    Raises:
        Unaligned: the tokens do not spell the text of the reply, or the steps do not stand in it.
    """
    tokens = reply.token_logprobs
    if not tokens:
        raise Unaligned("the log-probabilities of its reply cannot be read")
    pieces = [token.spelled for token in tokens]
    ends = list(accumulate(map(len, pieces)))
    spelled = b"".join(pieces)
    begins = _begin_of(reply.text.encode(errors="replace"), spelled, pieces)
    spans: Sequence[tuple[int, int] | None]
    if (rationale.segmenter or "").startswith("given/"):
        offset, text, spans = begins, reply.text, _in_json(reply.text, rationale.steps)
    elif rationale.steps_of_thought:
        offset, text, spans = *_thought(reply, spelled[:begins], rationale), _slices(rationale)
    else:
        offset, text = begins, rationale.response
        shared = len(commonprefix([text[::-1], reply.text[::-1]]))  # noqa: RUF071 - characters are what is meant
        before = len(text) - shared
        offset += len(reply.text.encode(errors="replace")) - len(text.encode(errors="replace"))
        own = enumerate(_slices(rationale))
        spans = [span if i >= rationale.given and span[0] >= before else None for i, span in own]
    found: list[tuple[float, ...] | None] = []
    for span, (start, end) in zip(spans, _in_bytes(text, spans), strict=True):
        if span is None:
            found.append(None)
            continue
        first, last = bisect_right(ends, offset + start), bisect_left(ends, offset + end)
        found.append(tuple(token.logprob for token in tokens[first : last + 1]))
    return found


def _begin_of(text: bytes, spelled: bytes, pieces: Sequence[bytes]) -> int:
    """Where in what the tokens spell the visible text begins: it stands at the end, before the marks that end a reply.

    Raises:
        Unaligned: it does not.
    """
    whole, end = text.rstrip(), len(spelled)
    marks = [*reversed(pieces)][:_MOST_MARKS]
    while True:
        said = spelled[:end].rstrip()
        if said.endswith(whole):
            return len(said) - len(whole)
        if not marks or not _MARK.fullmatch(mark := marks.pop(0)):
            raise Unaligned("the tokens of its reply do not spell its text")
        end -= len(mark)


_MARK = re.compile(rb"\s*<[^<>]{1,60}>\s*|\s{1,60}|")
"""A token by which a model ends its reply, such as `<|im_end|>` or `</s>`."""
_MOST_MARKS = 4


def _thought(reply: Completion, before: bytes, rationale: Rationale) -> tuple[int, str]:
    """Where the thought begins, and the thought itself."""
    thought = rationale.thought or ""
    sought = thought.encode(errors="replace")
    if reply.thought != thought or before.count(sought) != 1:
        raise Unaligned("the tokens of its reply do not spell its thought")
    return before.find(sought), thought


def _slices(rationale: Rationale) -> tuple[tuple[int, int], ...]:
    spans = rationale.step_spans
    if spans is None:
        raise Unaligned("its steps are not slices of its text")
    return spans


def _in_bytes(text: str, spans: Sequence[tuple[int, int] | None]) -> Iterator[tuple[int, int]]:
    """Spans of characters, in order, as spans of bytes in UTF-8."""
    place, size = 0, 0
    for span in spans:
        start, end = span or (place, place)
        size += len(text[place:start].encode(errors="replace"))
        length = len(text[start:end].encode(errors="replace"))
        yield size, size + length
        place, size = end, size + length


_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # one that does not end goes on to the end of the text


def _in_json(text: str, steps: Sequence[str]) -> list[tuple[int, int]]:
    """Where the steps stand as successive strings of a reply in JSON, without their quotation marks; the last such place counts.

    Raises:
        Unaligned: they stand nowhere like this.
    """
    strings = [(m.start() + 1, m.end() - 1, _decoded(m[0])) for m in _STRING.finditer(text)]
    strings = [s for s in strings if s[2]]
    said = [s[2] for s in strings]
    if not steps:
        return []
    tried = 0
    for first in range(len(strings) - len(steps), -1, -1):
        if (
            said[first] == steps[0]
            and (tried := tried + 1) <= _MOST_PLACES
            and said[first : first + len(steps)] == [*steps]
        ):
            return [(start, end) for start, end, _ in strings[first : first + len(steps)]]
    raise Unaligned("its steps are not the strings of the reply")


_MOST_PLACES = 50
"""Where the steps may stand, from the end of the reply on; of a reply of equal strings all places would take quadratic time."""


def _decoded(literal: str) -> str:
    try:
        return str(json.loads(literal, strict=False)).strip()
    except ValueError:
        return ""

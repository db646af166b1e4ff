"""Where a response states its answer, and what is left of it without that statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["BLANKS", "OWN_BEGINNING", "OWN_END", "solution_of", "spans_of"]

# The two patterns are read by Python and by DuckDB (RE2). Blanks are spelled out because `\s` differs between them.
OWN_BEGINNING = r"""(^|\n|[。！？]|[.!?]["'”’)\]*_]{0,8}[ \t\r\f\v])[ \t\r\f\v]*$"""
"""What stands before a statement that begins a line or a sentence."""
OWN_END = r"^([ \t\n\r\f\v]|$)"
"""What stands after a statement that ends a line or a sentence."""
BLANKS = " \t\n\r\f\v"
"""The white space that is stripped."""
_CLOSERS = 10
"""Characters before the blanks that `OWN_BEGINNING` looks at, at most."""
_BEGINNING, _END = re.compile(OWN_BEGINNING), re.compile(OWN_END)


def solution_of(response: str, span: tuple[int, int] | None) -> str:
    """A response without the statement of its answer, where that is a sentence or a line of its own.

    Args:
        response: the visible reply.
        span: where it states the answer, as (start, end) in characters; None where it states none.
    """
    if span is not None:
        head, tail = response[: span[0]], response[span[1] :]
        near = max(0, len(head.rstrip(BLANKS)) - _CLOSERS)
        if _BEGINNING.search(head, near) and _END.match(tail):
            response = f"{head.rstrip(BLANKS)}\n{tail.lstrip(BLANKS)}"
    return response.strip(BLANKS)


def spans_of(steps: Sequence[str], text: str, statement: Sequence[int] | None) -> tuple[tuple[int, int], ...] | None:
    """Where steps stand in a text, as (start, end) in characters; None where they are not slices of it in this order.

    Args:
        steps: the steps.
        text: what was cut.
        statement: where the text states the answer. Only it and white space may stand between steps.
    """
    return _spans_of(tuple(steps), text, None if statement is None else (statement[0], statement[1]))


@lru_cache(maxsize=256)
def _spans_of(
    steps: tuple[str, ...], text: str, statement: tuple[int, int] | None
) -> tuple[tuple[int, int], ...] | None:
    spans: list[tuple[int, int]] = []
    end = 0
    for step in steps:
        start = text.find(step, end)
        if statement is not None and statement[0] <= start < statement[1] and start + len(step) < statement[1]:
            start = text.find(step, max(end, statement[1]))  # the statement is no step, and may hold the same words
        if start < 0 or not step:
            return None
        between = text[end:start]
        if statement is not None and statement[0] < start and statement[1] > end:
            between = text[end : max(end, statement[0])] + text[min(start, statement[1]) : start]
        if between.strip():
            return None
        end = start + len(step)
        spans.append((start, end))
    return tuple(spans)

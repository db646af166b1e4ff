"""Where a response states its answer, and what is left of it without that statement."""

from __future__ import annotations

import re

__all__ = ["BLANKS", "OWN_BEGINNING", "OWN_END", "solution_of"]

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

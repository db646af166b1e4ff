"""What a text supposes and does not claim: `Suppose 2 + 2 = 5.`, `If 2 + 2 = 5, …`."""

from __future__ import annotations

import re

__all__ = ["suppositions"]

_BEGINS = re.compile(
    r"""(?xi)
    (?: \A | \n | [.!?:;] \s )
    [ \t]{0,8} [*_"“'(\-•]{0,3} [ \t]{0,2}
    (?: (?: now | but | so | and | then | next | also ) ,? [ \t]{1,2} )?
    (?: (?P<clause> if ) | suppose | supposing | assume | assuming
        | let (?: ['’]s | [ \t]us ) [ \t] (?: suppose | assume | say ) | let (?! ['’]s | [ \t](?:us|me)\b ) )
    \b
    """
)
_ENDS = re.compile(r"(?i)[.!?;](?=\s|\Z)|\n|[⇒→⟹∴]|=>|\b(?:then|so|therefore|thus|hence)\b")
_ENDS_CLAUSE = re.compile(rf"{_ENDS.pattern}|,(?=\s)")


def suppositions(text: str) -> list[tuple[int, int]]:
    """Where a text supposes something, as (start, end) in characters, in order.

    A supposition is a sentence that begins with `suppose`, `assume` or `let`, up to a word such as `then` or `so`; or with `if`, up to its
    first comma too. `Let's`, `let us` and `let me` begin none, unless to suppose. Time grows with the length of the text alone.
    """
    found: list[tuple[int, int]] = []
    place = 0
    while (begins := _BEGINS.search(text, place)) is not None:
        ends = (_ENDS_CLAUSE if begins["clause"] else _ENDS).search(text, begins.end())
        end = len(text) if ends is None else ends.start()
        found.append((begins.start(), end))
        place = end
    return found

"""Whether quoted words stand in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.bounded import nfkc

__all__ = ["find_quote", "quotes_in"]

_OPENING = re.compile('[“"«]')
_CLOSING = {"“": "”", '"': '"', "«": "»"}
_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_LONG = 200
"""Characters from which on a pattern for a quotation may take quadratic time: all of it again at each place."""
_EDGE = re.compile(r"((?<!\w)(?=\w))|((?<=\w)(?!\w))|((?<!\w)(?!\w))")
_EDGES = " \t\n\"'.,;:!?…"


def find_quote(quote: str, text: str) -> bool:
    """Whether `quote` stands in `text` word for word, but for case, white space, typographic marks and marks at its ends.

    An omission (`…` or `...`) parts it into pieces that must stand in this order.
    """
    place, plain = 0, _plain(text)
    pieces = [p for piece in re.split(r"…|\.\.\.", quote) if (p := _plain(piece).strip(_EDGES))]
    if any(len(piece) > _LONG for piece in pieces):
        return bool(pieces) and _stand_in_order([_with_edges(piece) for piece in pieces], _with_edges(plain))
    for piece in pieces:
        found = re.compile(rf"(?<!\w){re.escape(piece)}(?!\w)").search(plain, place)
        if found is None:
            return False
        place = found.end()
    return bool(pieces)


def _with_edges(text: str) -> str:
    """A text with a sign wherever a word may begin or end, another for each way: where it stands in another with its own
    edges, no letter is beside it.
    """
    return _EDGE.sub(lambda edge: chr(0xDC00 + (edge.lastindex or 0)), text)  # halves of characters: no text has them


def _stand_in_order(pieces: Sequence[str], text: str) -> bool:
    place = 0
    for piece in pieces:
        found = text.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece) - 1  # the edge may be that of the next
    return True


def quotes_in(text: str) -> list[str]:
    """The words a text puts in double quotation marks, in order; in straight ones they stand on one line."""
    quotes: list[str] = []
    place, unclosed = 0, set[str]()
    while (opened := _OPENING.search(text, place)) is not None:
        sign, begin = opened[0], opened.end()
        place = begin
        if sign in unclosed:
            continue
        end = text.find(_CLOSING[sign], begin)
        if end < 0:
            unclosed.add(sign)  # nor is any that follows: to look again each time would take quadratic time
        elif end > begin and not (sign == '"' and "\n" in text[begin:end]):
            quotes.append(text[begin:end])
            place = end + 1
    return quotes


def _plain(text: str) -> str:
    return " ".join(nfkc(text).translate(_MARKS).casefold().split())

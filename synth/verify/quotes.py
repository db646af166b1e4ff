"""Whether quoted words stand in a text."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["find_quote", "quotes_in"]

_QUOTED = re.compile(r"“([^”]+)”|\"([^\"\n]+)\"|«([^»]+)»")
_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_EDGES = " \t\n\"'.,;:!?…"


def find_quote(quote: str, text: str) -> bool:
    """Whether `quote` stands in `text` word for word, but for case, white space, typographic marks and marks at its ends.

    An omission (`…` or `...`) parts it into pieces that must stand in this order.
    """
    place, plain = 0, _plain(text)
    pieces = [p for piece in re.split(r"…|\.\.\.", quote) if (p := _plain(piece).strip(_EDGES))]
    for piece in pieces:
        found = re.compile(rf"(?<!\w){re.escape(piece)}(?!\w)").search(plain, place)
        if found is None:
            return False
        place = found.end()
    return bool(pieces)


def quotes_in(text: str) -> list[str]:
    """The words a text puts in double quotation marks, in order."""
    return [next(g for g in match.groups() if g is not None) for match in _QUOTED.finditer(text)]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_MARKS).casefold().split())

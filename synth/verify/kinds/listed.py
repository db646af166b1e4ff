"""What the kinds share whose answers are items: sets, lists, rankings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from synth.verify.items import Value, as_json, bracket_end, read_items
from synth.verify.kinds.kind import Comparison, Kind, only_line

__all__ = ["ListedKind"]

_BLANK = re.compile(r"[ \t]{0,20}\n?[ \t]{0,20}")
_MARKED_LINE = re.compile(r"[ \t]{0,8}(?:[-•*+–]|\(?\d{1,3}[.):]|\(?[a-z][.)])[ \t]{1,4}\S[^\n]{0,2000}(?:\n|\Z)")
_BRACKETED = re.compile(r"[*_`$\s]{0,8}(?:\\(?:left)?\s?)?[\[{(]")


class ListedKind(Kind):
    """Items, read as JSON or as people list them; canonical as a JSON list."""

    inferred: ClassVar[bool] = False
    verbatim: ClassVar[bool] = True

    def items(self, said: str) -> list[Value] | None:
        """The items that an answer lists; None where it lists none."""
        return read_items(said)

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        plain = self.statement(said)
        items = self.items(plain) if plain else None
        return None if items is None else as_json(items)

    def extent(self, text: str, start: int) -> int | None:
        return end_of_values(text, start)

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:
        """The last line where it is a list in brackets, or all of a short reply."""
        last = text.rstrip().removesuffix("```").rstrip().rpartition("\n")[2]
        said = last if _BRACKETED.match(last) is not None else only_line(text)
        return None if said is None else self.read(said, choices)

    def contradict(self, one: str, other: str) -> bool:
        return self.compare(one, other, Comparison()).label != "right"

    def same(self, one: str, other: str) -> bool:
        return not self.contradict(one, other)

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return "it lists no items: give a JSON list" if self.items(gold) is None else None

    def canonical(self, gold: str) -> str:
        items = self.items(gold)
        return gold if items is None else as_json(items)


def end_of_values(text: str, start: int) -> int | None:
    """Where a value that begins in a bracket, or as lines with marks before them, ends; None for other values."""
    blank = _BLANK.match(text, start)
    place = start if blank is None else blank.end()
    if text[place : place + 1] in {"[", "{", "("}:
        return bracket_end(text, place)
    line = text.rfind("\n", 0, place) + 1
    end = None
    while (
        not text[line:place].strip() and (marked := _MARKED_LINE.match(text, place if end is None else end)) is not None
    ):
        end = marked.end()
    return end if end is None or text[end - 1] != "\n" else end - 1

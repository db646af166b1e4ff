"""Constraints on what a text holds in marks of its own: lists, titles, sections, placeholders, a postscript."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, ClassVar, Self

from pydantic import Field

from synth.constraints.draft import Draft
from synth.constraints.keywords import Word
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Seed, compared
from synth.texts import Count

__all__ = ["CONTENT", "Bullets", "Highlights", "Numbered", "Placeholders", "Postscript", "Sections", "Title"]

_BULLET = re.compile(r"(?m)^[^\S\n]*+[*+-][^\S\n]++(\S[^\n]*+)")
_ITEM = re.compile(r"(?m)^[^\S\n]*+(\d{1,4})[.)][^\S\n]++\S")
_TITLE = re.compile(r"<<(?=[^\S\n]*+[^\s<>])[^\n<>]++>>")
_HIGHLIGHT = re.compile(r"\*\*(?=[^\s*])[^\n*]++(?<!\s)\*\*|(?<!\*)\*(?=[^\s*])[^\n*]++(?<!\s)\*(?!\*)")
_PLACEHOLDER = re.compile(r"\[(?=[^\[\]\n]*+\])([^\[\]\n]++)\](?!\()")
Number = Annotated[int, Field(ge=1, le=1000)]
"""How many."""


def _says(text: str) -> bool:
    """Whether a text has a letter or a digit."""
    return any(c.isalnum() for c in text)


def _exactly(found: int, wanted: int, what: str) -> Finding:
    return Finding.of(found == wanted, f"{found} {what}, and {wanted} are asked for")


class Bullets(ConstraintKind):
    """How many items of a list a text has."""

    id: ClassVar[str] = "detectable_format:number_bullet_lists"
    num_bullets: Number
    """Exactly so many."""

    def check(self, text: str) -> Finding:
        return _exactly(sum(_says(match[1]) for match in _BULLET.finditer(text)), self.num_bullets, "bullet points")

    def sentence(self) -> str:
        return f"Write exactly {self.num_bullets} bullet points in markdown, such as: * This is a point."

    def build(self, draft: Draft) -> None:
        draft.bullets = self.num_bullets

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(num_bullets=seed.rng.randint(2, 5))

    def claims(self) -> Claims:
        count = self.num_bullets
        return Claims(at_least={"bullets": count, "words": count}, at_most={"bullets": count})


class Numbered(ConstraintKind):
    """How many items of a numbered list a text has."""

    id: ClassVar[str] = "detectable_format:numbered_list"
    num_items: Number
    """Exactly so many, numbered from 1."""

    def check(self, text: str) -> Finding:
        found = [int(match[1]) for match in _ITEM.finditer(text)]
        right = found == list(range(1, self.num_items + 1))
        return Finding.of(
            right, f"items {', '.join(map(str, found[:20])) or 'none'}, and 1 to {self.num_items} are asked for"
        )

    def sentence(self) -> str:
        return f"Write one numbered list of exactly {self.num_items} items, such as: 1. This is an item."

    def build(self, draft: Draft) -> None:
        draft.numbered = self.num_items

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(num_items=seed.rng.randint(2, 5))

    def claims(self) -> Claims:
        count = self.num_items
        return Claims(at_least={"items": count, "words": count}, at_most={"items": count}, holds=(Phrase("1"),))


class Title(ConstraintKind):
    """A title in double angular brackets."""

    id: ClassVar[str] = "detectable_format:title"

    def check(self, text: str) -> Finding:
        found = _TITLE.search(text)
        return Finding.of(found is not None, f"the title {found[0][:60]}" if found else "no title in << and >>")

    def sentence(self) -> str:
        return "Give it a title in double angular brackets, such as <<poem of joy>>."

    def build(self, draft: Draft) -> None:
        draft.title = True

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        return Claims(holds=(Phrase("<<"), Phrase(">>")))


class Highlights(ConstraintKind):
    """How many passages a text highlights in markdown."""

    id: ClassVar[str] = "detectable_format:number_highlighted_sections"
    num_highlights: Number
    """At least so many."""

    def check(self, text: str) -> Finding:
        found = sum(1 for _ in _HIGHLIGHT.finditer(text))
        return compared(Count(found, found), "at least", self.num_highlights, "highlighted passages")

    def sentence(self) -> str:
        count = self.num_highlights
        return f"Highlight at least {count} passage{'s' if count != 1 else ''} in markdown, such as *a highlighted passage*."

    def build(self, draft: Draft) -> None:
        draft.highlights = self.num_highlights

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(num_highlights=seed.rng.randint(1, 4))

    def claims(self) -> Claims:
        return Claims(holds=(Phrase("*", 2 * self.num_highlights),))


class Placeholders(ConstraintKind):
    """How many placeholders in square brackets a text has."""

    id: ClassVar[str] = "detectable_content:number_placeholders"
    num_placeholders: Number
    """At least so many."""

    def check(self, text: str) -> Finding:
        found = sum(any(c.isalpha() for c in match[1]) for match in _PLACEHOLDER.finditer(text))
        return compared(Count(found, found), "at least", self.num_placeholders, "placeholders")

    def sentence(self) -> str:
        count = self.num_placeholders
        return f"Have at least {count} placeholder{'s' if count != 1 else ''} in square brackets, such as [address]."

    def build(self, draft: Draft) -> None:
        draft.placeholders = self.num_placeholders

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(num_placeholders=seed.rng.randint(1, 4))

    def claims(self) -> Claims:
        return Claims(holds=(Phrase("[", self.num_placeholders), Phrase("]", self.num_placeholders)))


class Sections(ConstraintKind):
    """How many sections a text has, each of which begins with a mark and its number."""

    id: ClassVar[str] = "detectable_format:multiple_sections"
    section_spliter: Word = "Section"
    """The mark, such as `Section` or `PARAGRAPH`, exactly as it is written (the name has the spelling of IFEval)."""
    num_sections: Number
    """At least so many."""

    def check(self, text: str) -> Finding:
        found, mark = 0, self.section_spliter
        pieces = text.split(mark)
        for before, piece in pairwise(pieces):
            head = piece.lstrip(" ")[:8]
            digits = len(head) - len(head.lstrip("0123456789"))
            rest = piece.lstrip(" ")[digits:]
            found += bool(digits) and not before[-1:].isalnum() and _says(rest)
        return compared(Count(found, found), "at least", self.num_sections, f"sections that begin with {mark}")

    def sentence(self) -> str:
        mark = self.section_spliter
        return (
            f"Write {self.num_sections} sections or more. Mark the beginning of each with {mark} X, such as: {mark} 1"
        )

    def build(self, draft: Draft) -> None:
        draft.sections = (self.section_spliter, self.num_sections)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(
            section_spliter=seed.rng.choice(("Section", "SECTION", "PARAGRAPH")), num_sections=seed.rng.randint(2, 4)
        )

    def claims(self) -> Claims:
        count = self.num_sections
        return Claims(at_least={"words": 2 * count}, holds=(Phrase(self.section_spliter, count, exact=True),))


class Postscript(ConstraintKind):
    """A postscript at the end of a text."""

    id: ClassVar[str] = "detectable_content:postscript"
    postscript_marker: Word = "P.S."
    """What it begins with, such as `P.S.` or `P.P.S`."""

    def check(self, text: str) -> Finding:
        plain, mark = (" ".join(given.casefold().split()) for given in (text, self.postscript_marker))
        loose = plain.replace(". ", ".") if "." in mark else plain  # "P. S." too
        at = loose.rfind(mark)
        while at > 0 and (loose[at - 1].isalnum() or loose[at - 2 : at] == "p."):
            at = loose.rfind(mark, 0, at)
        said = _says(loose[at + len(mark) :]) if at >= 0 else False
        return Finding.of(
            said, f"it {'has' if said else 'does not have'} a postscript that begins with {self.postscript_marker}"
        )

    def sentence(self) -> str:
        return f"At the end add a postscript that begins with {self.postscript_marker}"

    def build(self, draft: Draft) -> None:
        draft.postscript = self.postscript_marker

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(postscript_marker=seed.rng.choice(("P.S.", "P.P.S")))

    def claims(self) -> Claims:
        return Claims(holds=(Phrase(self.postscript_marker[0]),))


CONTENT: tuple[type[ConstraintKind], ...] = (Bullets, Numbered, Title, Highlights, Placeholders, Sections, Postscript)
"""The constraints of this module."""

"""Constraints on length."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from synth.constraints.draft import Draft
from synth.constraints.keywords import Word
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Relation, Seed, compared
from synth.texts import count_sentences, count_words

__all__ = ["LENGTHS", "NthParagraph", "Paragraphs", "Sentences", "Words", "blocks_of"]

_DIVIDER = "***"
_BLANK_LINES = re.compile(r"\n[^\S\n]*+\n\s*+")
Number = Annotated[int, Field(ge=1, le=100_000)]
"""A limit."""


def blocks_of(text: str) -> list[str]:
    """The paragraphs of a text, which blank lines separate."""
    return [block for block in _BLANK_LINES.split(text.strip()) if block.strip()]


class Words(ConstraintKind):
    """How many words a text has."""

    id: ClassVar[str] = "length_constraints:number_words"
    num_words: Number
    """The limit."""
    relation: Relation = "at least"
    """Whether that is the least, or too many."""

    def check(self, text: str) -> Finding:
        return compared(count_words(text), self.relation, self.num_words, "words")

    def sentence(self) -> str:
        return f"Write {'fewer than' if self.relation == 'less than' else 'at least'} {self.num_words} words."

    def build(self, draft: Draft) -> None:
        if self.relation == "at least":
            draft.words = max(draft.words, self.num_words)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        relation = seed.rng.choice(("at least", "less than"))
        limits = (50, 100, 150, 200) if relation == "at least" else (100, 150, 200, 300)
        return cls(num_words=seed.rng.choice(limits), relation=relation)

    def claims(self) -> Claims:
        if self.relation == "less than":
            return Claims(at_most={"words": self.num_words - 1})
        return Claims(at_least={"words": self.num_words})


class Sentences(ConstraintKind):
    """How many sentences a text has."""

    id: ClassVar[str] = "length_constraints:number_sentences"
    num_sentences: Number
    """The limit."""
    relation: Relation = "at least"
    """Whether that is the least, or too many."""

    def check(self, text: str) -> Finding:
        return compared(count_sentences(text), self.relation, self.num_sentences, "sentences")

    def sentence(self) -> str:
        return f"Write {'fewer than' if self.relation == 'less than' else 'at least'} {self.num_sentences} sentences."

    def build(self, draft: Draft) -> None:
        if self.relation == "at least":
            draft.sentences = max(draft.sentences, self.num_sentences)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        relation = seed.rng.choice(("at least", "less than"))
        limits = (3, 5, 8) if relation == "at least" else (8, 12, 20)
        return cls(num_sentences=seed.rng.choice(limits), relation=relation)

    def claims(self) -> Claims:
        if self.relation == "less than":
            return Claims(at_most={"sentences": self.num_sentences - 1})
        return Claims(at_least={"sentences": self.num_sentences, "words": self.num_sentences})


class Paragraphs(ConstraintKind):
    """How many paragraphs a text has, with `***` between them."""

    id: ClassVar[str] = "length_constraints:number_paragraphs"
    num_paragraphs: Annotated[int, Field(ge=1, le=1000)]
    """Exactly so many."""

    def check(self, text: str) -> Finding:
        pieces = [piece.strip() for piece in text.split(_DIVIDER)]
        found = pieces[(not pieces[0]) : len(pieces) - (not pieces[-1])]  # dividers may also stand around the whole
        if not all(found):
            return Finding("wrong", "an empty paragraph")
        return Finding.of(
            len(found) == self.num_paragraphs, f"{len(found)} paragraphs, and {self.num_paragraphs} are asked for"
        )

    def sentence(self) -> str:
        return f"Write {self.num_paragraphs} paragraphs, and separate them with the markdown divider ***."

    def build(self, draft: Draft) -> None:
        draft.divided = self.num_paragraphs

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(num_paragraphs=seed.rng.randint(2, 5))

    def claims(self) -> Claims:
        count = self.num_paragraphs
        holds = (Phrase(_DIVIDER, count - 1),) if count > 1 else ()
        return Claims(
            at_least={"words": 1, "divided": count}, at_most={"divided": count}, holds=holds, bars=("******",)
        )


class NthParagraph(ConstraintKind):
    """How many paragraphs a text has, with blank lines between them, and the first word of one of them."""

    id: ClassVar[str] = "length_constraints:nth_paragraph_first_word"
    num_paragraphs: Annotated[int, Field(ge=1, le=1000)]
    """Exactly so many."""
    nth_paragraph: Annotated[int, Field(ge=1, le=1000)]
    """Which of them, from 1."""
    first_word: Word
    """Its first word, in any case."""

    def check(self, text: str) -> Finding:
        found = blocks_of(text)
        if len(found) != self.num_paragraphs:
            return Finding("wrong", f"{len(found)} paragraphs, and {self.num_paragraphs} are asked for")
        first = found[self.nth_paragraph - 1].split(None, 1)[0].strip("\"'“”‘’*_#([.,:;!?)]").casefold()
        return Finding.of(
            first == self.first_word.casefold(), f"paragraph {self.nth_paragraph} begins with {first[:40]}"
        )

    def sentence(self) -> str:
        return (
            f"Write {self.num_paragraphs} paragraphs with blank lines between them, and nothing else that blank lines separate. "
            f'Begin paragraph {self.nth_paragraph} with the word "{self.first_word}".'
        )

    def build(self, draft: Draft) -> None:
        draft.paragraphs = (self.num_paragraphs, self.nth_paragraph, self.first_word)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        count = seed.rng.randint(2, 5)
        word = seed.rng.choice(("first", "then", "finally", "still", "now"))
        return cls(num_paragraphs=count, nth_paragraph=seed.rng.randint(1, count), first_word=word)

    def claims(self) -> Claims:
        count = self.num_paragraphs
        return Claims(
            at_least={"blocks": count}, at_most={"blocks": count}, holds=(Phrase(self.first_word),),
        )  # fmt: skip

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.nth_paragraph > self.num_paragraphs:
            raise ValueError(f"nth_paragraph is {self.nth_paragraph}, and there are {self.num_paragraphs} paragraphs")
        if len(self.first_word.split()) > 1:
            raise ValueError("first_word is more than one word")
        return self


LENGTHS: tuple[type[ConstraintKind], ...] = (Words, Sentences, Paragraphs, NthParagraph)
"""The constraints of this module."""

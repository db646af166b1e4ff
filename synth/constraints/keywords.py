"""Constraints on words and letters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from synth.constraints.draft import Draft
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Relation, Seed, compared
from synth.texts import Count, words_of

__all__ = ["KEYWORDS", "Existence", "Forbidden", "Frequency", "LetterFrequency", "Word", "count_phrase"]

Word = Annotated[str, Field(min_length=1, max_length=200)]
"""A word or a short phrase."""
_UNSPACED = "\u0e00"
"""The first letter from which on scripts may have no spaces between words, so that a word has no borders to be seen."""
_INNER = "\u2e80"

_OFTEN = ("however", "really", "very", "also", "because", "maybe", "never", "always")
"""Words that a reply can do without."""
_NOT_TOPICS = frozenset((
    "about", "above", "after", "again", "could", "does", "each", "every", "first", "from", "given", "have", "having", "here", "into", "many",
    "much", "only", "other", "should", "some", "than", "that", "their", "them", "then", "there", "these", "they", "thing", "this", "those",
    "through", "very", "what", "when", "where", "which", "while", "will", "with", "would", "write", "your"
))  # fmt: skip


def count_phrase(text: str, phrase: str) -> int:
    """How often words stand in a text as words, in any case: `cat` does not stand in `category`. White space is all the same. In scripts
    without spaces between words anywhere.
    """
    plain, wanted = (" ".join(given.casefold().split()) for given in (text, phrase))
    if not wanted:
        return 0
    found, at = 0, plain.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if _border(plain[at - 1 : at], wanted[0]) and _border(plain[end : end + 1], wanted[-1]):
            found += 1
            at = plain.find(wanted, end)
        else:
            at = plain.find(wanted, at + 1)
    return found


def _border(beside: str, edge: str) -> bool:
    """Whether a word ends between its first or last sign and the one beside it."""
    spaced = not (edge >= _INNER or _UNSPACED <= edge < "\u1100")
    return not beside or not spaced or not (beside.isalnum() and edge.isalnum())


class Existence(ConstraintKind):
    """Words that a text has to use."""

    id: ClassVar[str] = "keywords:existence"
    keywords: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]
    """The words."""

    def check(self, text: str) -> Finding:
        missing = [word for word in self.keywords if not count_phrase(text, word)]
        return Finding.of(not missing, f"without {', '.join(missing)}" if missing else "all of the words stand in it")

    def sentence(self) -> str:
        return f"Use each of these words: {', '.join(self.keywords)}."

    def build(self, draft: Draft) -> None:
        for word in self.keywords:
            draft.keywords[word] = max(1, draft.keywords.get(word, 0))

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        topics = _topics(seed)
        return cls(keywords=tuple(sorted(seed.rng.sample(topics, min(2, len(topics)))))) if topics else None

    def claims(self) -> Claims:
        return Claims(
            at_least={f"word:{w.casefold()}": 1 for w in self.keywords}, holds=tuple(map(Phrase, self.keywords))
        )


class Frequency(ConstraintKind):
    """How often a text uses a word."""

    id: ClassVar[str] = "keywords:frequency"
    keyword: Word
    """The word."""
    frequency: Annotated[int, Field(ge=1, le=10_000)]
    """How often."""
    relation: Relation = "at least"
    """Whether that is the least, or too many."""

    def check(self, text: str) -> Finding:
        found = count_phrase(text, self.keyword)
        return compared(Count(found, found), self.relation, self.frequency, f"times {self.keyword}")

    def sentence(self) -> str:
        return f'Use the word "{self.keyword}" {_times(self.relation, self.frequency)}.'

    def build(self, draft: Draft) -> None:
        if self.relation == "at least":
            draft.keywords[self.keyword] = max(self.frequency, draft.keywords.get(self.keyword, 0))
        elif self.frequency == 1:
            draft.barred.add(self.keyword.casefold())

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        topics = _topics(seed)
        if not topics:
            return None
        return cls(
            keyword=seed.rng.choice(topics),
            frequency=seed.rng.randint(2, 4),
            relation=seed.rng.choice(("at least", "less than")),
        )

    def claims(self) -> Claims:
        key = f"word:{self.keyword.casefold()}"
        if self.relation == "less than":
            return Claims(at_most={key: self.frequency - 1})
        words = self.frequency * len(words_of(self.keyword))
        return Claims(at_least={key: self.frequency, "words": words}, holds=(Phrase(self.keyword, self.frequency),))


class Forbidden(ConstraintKind):
    """Words that a text may not use."""

    id: ClassVar[str] = "keywords:forbidden_words"
    forbidden_words: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]
    """The words."""

    def check(self, text: str) -> Finding:
        used = [word for word in self.forbidden_words if count_phrase(text, word)]
        return Finding.of(not used, f"with {', '.join(used)}" if used else "none of the words stands in it")

    def sentence(self) -> str:
        return f"Do not use any of these words: {', '.join(self.forbidden_words)}."

    def build(self, draft: Draft) -> None:
        draft.barred |= {word.casefold() for word in self.forbidden_words}

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(forbidden_words=tuple(sorted(seed.rng.sample(_OFTEN, seed.rng.randint(1, 3)))))

    def claims(self) -> Claims:
        return Claims(
            at_most={f"word:{word.casefold()}": 0 for word in self.forbidden_words},
            bars_words=tuple(self.forbidden_words),
        )


class LetterFrequency(ConstraintKind):
    """How often a text has a letter, or another sign, in any case."""

    id: ClassVar[str] = "keywords:letter_frequency"
    letter: Annotated[str, Field(min_length=1, max_length=1)]
    """The letter."""
    let_frequency: Annotated[int, Field(ge=1, le=100_000)]
    """How often."""
    let_relation: Relation = "at least"
    """Whether that is the least, or too many."""

    def check(self, text: str) -> Finding:
        found = text.casefold().count(self.letter.casefold())
        return compared(Count(found, found), self.let_relation, self.let_frequency, f"times {self.letter}")

    def sentence(self) -> str:
        return f'Use the letter "{self.letter}" {_times(self.let_relation, self.let_frequency)}, counting small and capital letters.'

    def build(self, draft: Draft) -> None:
        if self.let_relation == "at least":
            draft.letters[self.letter] = max(self.let_frequency, draft.letters.get(self.letter, 0))
        else:
            draft.scarce.add(self.letter.casefold())

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        relation = seed.rng.choice(("at least", "less than"))
        letter, times = ("aeionst", (10, 30)) if relation == "at least" else ("jkqxz", (2, 6))
        return cls(letter=seed.rng.choice(letter), let_frequency=seed.rng.randint(*times), let_relation=relation)

    def claims(self) -> Claims:
        key = f"letter:{self.letter.casefold()}"
        if self.let_relation == "less than":
            return Claims(at_most={key: self.let_frequency - 1}, bars=(self.letter,) if self.let_frequency == 1 else ())
        return Claims(at_least={key: self.let_frequency}, holds=(Phrase(self.letter),))

    @model_validator(mode="after")
    def _is_a_sign(self) -> Self:
        if len(self.letter.casefold()) != 1:
            raise ValueError(f"{self.letter!r} has no single small letter")
        return self


def _times(relation: Relation, number: int) -> str:
    return f"{relation} {number} time{'s' if number != 1 else ''}"


def _topics(seed: Seed) -> list[str]:
    """Words that say what a question is about: of letters of ASCII, in small letters."""
    words = {
        word
        for word in words_of(seed.question)
        if len(word) > 3 and word.isascii() and word.isalpha() and word.islower()
    }
    return sorted(words - _NOT_TOPICS)


KEYWORDS: tuple[type[ConstraintKind], ...] = (Existence, Frequency, Forbidden, LetterFrequency)
"""The constraints of this module."""

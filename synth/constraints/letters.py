"""Constraints on letters, signs and language."""

from __future__ import annotations

import unicodedata
from importlib.util import find_spec
from typing import Annotated, ClassVar, Self

from pydantic import Field

from synth.constraints.draft import Draft
from synth.constraints.kind import Claims, ConstraintKind, Finding, Relation, Seed, compared
from synth.constraints.passages import PASSAGES
from synth.texts import Count, language_of

__all__ = ["LETTERS", "CapitalWords", "Capitals", "Language", "Lowercase", "NoComma", "NoExclamation", "language_found"]

_COMMAS = frozenset(c for c in map(chr, range(0x10000)) if unicodedata.name(c, "").endswith(" COMMA") or c == ",")
"""The commas of all scripts: `,`, `،`, `、`, `，` and others."""
_EXCLAMATIONS = frozenset("!¡！՜‼⁉❗❕")
LIKELY, SURE = 0.5, 0.9
"""The confidence from which on a text is in the language that was asked for, and from which on it is in another. Of 689 solutions in English
(GSM8K, AQuA) 656 are then right, 33 unknown and none wrong."""
_LIBRARY = "py3langid"


def language_found(text: str, wanted: str) -> Finding:
    """Whether a text is in a language (ISO 639-1). Unknown where there are too few letters, where detection is not sure, or where its
    library is not installed.
    """
    if find_spec(_LIBRARY) is None:
        return Finding("unknown", "detecting a language needs pip install 'synth-rationales[curate]'")
    # Letters in capitals are rare in what the detector has seen.
    found, confidence = language_of(text.lower())
    if found is None:
        return Finding("unknown", "too few letters to detect the language")
    reason = f"{found} with confidence {confidence:.2f}, and {wanted} is asked for"
    if confidence < (LIKELY if found == wanted else SURE):
        return Finding("unknown", reason)
    return Finding.of(found == wanted, reason)


class Language(ConstraintKind):
    """The language of a text."""

    id: ClassVar[str] = "language:response_language"
    libraries: ClassVar[tuple[str, ...]] = (_LIBRARY,)
    language: Annotated[str, Field(pattern="^[a-z]{2}$")]
    """Its code (ISO 639-1), such as `fr`."""

    def check(self, text: str) -> Finding:
        return language_found(text, self.language)

    def sentence(self) -> str:
        return f"Write all of it in {_NAMES.get(self.language, f'the language with the code {self.language}')}, and in no other language."

    def build(self, draft: Draft) -> None:
        draft.language = self.language if self.language in PASSAGES else draft.language
        draft.passages = max(1, draft.passages)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(language=seed.rng.choice(sorted(PASSAGES)))

    def claims(self) -> Claims:
        return Claims(language=self.language)


class _OneCase(ConstraintKind):
    """English, with all letters in one case."""

    libraries: ClassVar[tuple[str, ...]] = (_LIBRARY,)
    upper: ClassVar[bool]

    def check(self, text: str) -> Finding:
        if not (text.isupper() if self.upper else text.islower()):
            other = next(
                (c for c in text if (c.islower() or c.istitle() if self.upper else c.isupper() or c.istitle())), None
            )
            return Finding("wrong", f"it has the letter {other}" if other else "it has no letters with a case")
        found = language_found(text, "en")
        return (
            found
            if found.label != "right"
            else Finding("right", f"all {'capitals' if self.upper else 'small letters'}, English")
        )

    def sentence(self) -> str:
        return f"Write in English and in {'capital' if self.upper else 'small'} letters only."

    def build(self, draft: Draft) -> None:
        draft.case = str.upper if self.upper else str.lower
        draft.passages = max(1, draft.passages)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        least = {"capital words": 1} if self.upper else {}
        return Claims(at_least=least, letters="upper" if self.upper else "lower", language="en")


class Capitals(_OneCase):
    """English in capital letters."""

    id: ClassVar[str] = "change_case:english_capital"
    upper: ClassVar[bool] = True


class Lowercase(_OneCase):
    """English in small letters."""

    id: ClassVar[str] = "change_case:english_lowercase"
    upper: ClassVar[bool] = False


class CapitalWords(ConstraintKind):
    """How many words stand in capitals as a whole; `I` and `A` are such words."""

    id: ClassVar[str] = "change_case:capital_word_frequency"
    capital_frequency: Annotated[int, Field(ge=1, le=10_000)]
    """The limit."""
    capital_relation: Relation = "at least"
    """Whether that is the least, or too many."""

    def check(self, text: str) -> Finding:
        found = sum(word.isupper() for word in text.split())
        return compared(Count(found, found), self.capital_relation, self.capital_frequency, "words in capitals")

    def sentence(self) -> str:
        number, some = self.capital_frequency, "fewer than" if self.capital_relation == "less than" else "at least"
        return f"Have {some} {number} word{'s' if number != 1 else ''} with all letters in capitals."

    def build(self, draft: Draft) -> None:
        if self.capital_relation == "at least":
            draft.capitals = max(draft.capitals, self.capital_frequency)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        relation = seed.rng.choice(("at least", "less than"))
        number = seed.rng.randint(2, 5) if relation == "at least" else seed.rng.randint(5, 10)
        return cls(capital_frequency=number, capital_relation=relation)

    def claims(self) -> Claims:
        if self.capital_relation == "less than":
            return Claims(at_most={"capital words": self.capital_frequency - 1})
        return Claims(at_least={"capital words": self.capital_frequency, "words": self.capital_frequency})


class _Without(ConstraintKind):
    """None of some signs."""

    signs: ClassVar[frozenset[str]]
    named: ClassVar[str]
    """What they are called, in the plural."""

    def check(self, text: str) -> Finding:
        found = sum(c in self.signs for c in text)
        return Finding.of(not found, f"{found} {self.named}")

    def sentence(self) -> str:
        return f"Use no {self.named}."

    def build(self, draft: Draft) -> None:
        pass

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003  # it has no arguments
        return cls()

    def claims(self) -> Claims:
        return Claims(bars=tuple(sorted(self.signs)))


class NoComma(_Without):
    """No comma of any script."""

    id: ClassVar[str] = "punctuation:no_comma"
    signs: ClassVar[frozenset[str]] = frozenset(_COMMAS)
    named: ClassVar[str] = "commas"


class NoExclamation(_Without):
    """No exclamation mark."""

    id: ClassVar[str] = "punctuation:no_exclamation"
    signs: ClassVar[frozenset[str]] = frozenset(_EXCLAMATIONS)
    named: ClassVar[str] = "exclamation marks"


_NAMES = {
    "ar": "Arabic", "bn": "Bengali", "de": "German", "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "gu": "Gujarati", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "kn": "Kannada", "ko": "Korean", "mr": "Marathi", "ne": "Nepali",
    "nl": "Dutch", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

LETTERS: tuple[type[ConstraintKind], ...] = (Language, Capitals, Lowercase, CapitalWords, NoComma, NoExclamation)
"""The constraints of this module."""

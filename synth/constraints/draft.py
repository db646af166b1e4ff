"""A draft: what a text is made of that complies with several constraints at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from synth.constraints.passages import PASSAGES, filler
from synth.texts import count_sentences, count_words

__all__ = ["Draft"]

_MOST_WORDS = 5_000
"""A draft is not extended beyond this: what asks for more is not drawn."""
_LONG = 14
"""Words of a sentence whose language can be detected."""
_MOST_ROUNDS = 200
"""One sentence is added in each where fillers are of another language; else two or three are enough."""


@dataclass
class Draft:
    """What constraints put into a text. `text()` writes it; whether it complies with all of them is checked afterwards."""

    language: str = "en"
    """The language of its filler (ISO 639-1)."""
    passages: int = 0
    """Sentences that are long enough for the language to be detected."""
    opening: str = ""
    """What it begins with."""
    title: bool = False
    keywords: dict[str, int] = field(default_factory=dict)
    """How often each word stands in it."""
    barred: set[str] = field(default_factory=set)
    """Words that it avoids, in lower case."""
    letters: dict[str, int] = field(default_factory=dict)
    """How often a letter stands in it at least."""
    scarce: set[str] = field(default_factory=set)
    """Letters that its filler avoids."""
    words: int = 0
    """The least number of words."""
    sentences: int = 0
    """The least number of sentences."""
    capitals: int = 0
    """The least number of words in capitals."""
    case: Callable[[str], str] | None = None
    """What makes all letters of one case."""
    bullets: int = 0
    numbered: int = 0
    highlights: int = 0
    placeholders: int = 0
    stops: str = "."
    """What ends sentences."""
    sections: tuple[str, int] | None = None
    """What marks a section, and how many there are."""
    divided: int = 0
    """The number of paragraphs between `***`."""
    paragraphs: tuple[int, int, str] | None = None
    """The number of paragraphs between blank lines, which of them begins with a word, and the word."""
    postscript: str | None = None
    ending: str = ""
    """What it ends with."""
    fixed: str | None = None
    """A reply in fixed words."""
    twice: bool = False
    """Whether there are two replies."""
    quoted: bool = False
    as_json: bool = False
    parts: tuple[str, list[str]] | None = None
    """What separates its parts, and the text of each."""

    def text(self) -> str:
        """The text."""
        body = self._body(self._extra(""))
        return self._wrapped(body)

    def _wrapped(self, body: str) -> str:
        if self.twice:
            body = f"{body}\n******\n{body} {self._sentence(2)}"
        blocks = [self.opening, "<<Title>>" if self.title else "", body, *self._lists()]
        if self.paragraphs is not None:
            blocks = [self._in_paragraphs(blocks)]
        if self.divided:
            rest = "\n".join(b for b in blocks if b)
            blocks = ["\n***\n".join([*(self._sentence(2) for _ in range(self.divided - 1)), rest])]
        if self.postscript:
            blocks.append(f"{self.postscript} {self._sentence(2)}")
        if self.ending:
            blocks.append(self.ending)
        text = ("\n" if self.paragraphs is not None else "\n\n").join(block for block in blocks if block)
        if self.case is not None:
            text = self.case(text)
        if self.as_json:
            return json.dumps({"text": text}, ensure_ascii=False)
        return f'"{text}"' if self.quoted else text

    def _body(self, extra: str) -> str:
        """Its sentences, extended until it has the words and sentences that it needs."""
        if self.fixed is not None:
            return self.fixed
        if self.parts is not None:
            separator, texts = self.parts
            return f"\n{separator}\n".join(texts)
        first = [self._passage()] * self.passages or [self._sentence(3)]
        sentences = [*first, *([extra] if extra else [])]
        for _ in range(_MOST_ROUNDS):
            text = self._wrapped(" ".join(sentences))
            words, said = count_words(text).least, count_sentences(text).least
            if words >= _MOST_WORDS or (words >= self.words and said >= self.sentences):
                break
            lacking = max(self.sentences - said, 0)
            if lacking:
                sentences += [self._sentence(2)] * lacking
            else:
                sentences.append(self._sentence(self.words - words))
        return " ".join(sentences)

    def _extra(self, said: str) -> str:
        """A sentence with the words, letters and capitals that are asked for."""
        wanted = [word for word, times in self.keywords.items() for _ in range(times)]
        wanted += ["OK"] * self.capitals
        text = " ".join([said, *wanted]).casefold()
        for letter, least in self.letters.items():
            lacking = least - text.count(letter.casefold())
            if lacking > 0:
                wanted.append(" ".join([letter] * lacking))
        return " ".join(wanted) + self.stops if wanted else ""

    def _lists(self) -> list[str]:
        """Lists, highlights, placeholders and sections."""
        item = self._sentence(2)
        found = ["\n".join([f"* {item}"] * self.bullets)] if self.bullets else []
        if self.numbered:
            found.append("\n".join(f"{i + 1}. {item}" for i in range(self.numbered)))
        if self.highlights:
            found.append(" ".join(f"*{self._words(1)} {i}*" for i in range(self.highlights)) + self.stops)
        if self.placeholders:
            found.append(" ".join([f"[{self._words(1)}]"] * self.placeholders) + self.stops)
        if self.sections is not None:
            mark, count = self.sections
            found.append("\n".join(f"{mark} {i + 1}\n{self._sentence(2)}" for i in range(count)))
        return found

    def _in_paragraphs(self, blocks: list[str]) -> str:
        assert self.paragraphs is not None
        count, which, word = self.paragraphs
        rest = re.sub(r"\n++", "\n", "\n".join(block for block in blocks if block))
        made = [self._sentence(2) for _ in range(count)]
        made[0] = rest if which != 1 else f"{word} {self._words(1)}{self.stops}\n{rest}"
        if which != 1:
            made[which - 1] = f"{word} {self._words(1)}{self.stops}"
        return "\n\n".join(made)

    def _passage(self) -> str:
        """A sentence that is long enough for its language to be detected."""
        natural = PASSAGES[self.language].removesuffix(".")
        avoided = self.barred & set(natural.casefold().split()) or any(
            letter in natural.casefold() for letter in self.scarce
        )
        return self._sentence(_LONG) if self.language == "en" and avoided else f"{natural}{self.stops}"

    def _sentence(self, words: int) -> str:
        """A sentence of so many words."""
        if self.language != "en":
            return PASSAGES[self.language]
        return f"{self._words(words)}{self.stops}"

    def _words(self, count: int) -> str:
        return " ".join(filler(count, self.barred, self.scarce))

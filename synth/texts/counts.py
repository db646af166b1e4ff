"""Words and sentences of a text, counted in the writing systems where a rule can count them, and bounded in the others."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

__all__ = ["ABBREVIATION", "Count", "count_sentences", "count_words", "words_of"]


class Count(NamedTuple):
    """A number that may not be known exactly."""

    least: int
    """It is at least this."""
    most: int | None
    """It is at most this; None where nothing bounds it."""

    @property
    def exact(self) -> int | None:
        """The number, where it is known."""
        return self.least if self.least == self.most else None


ABBREVIATION = r"(?<!\b[A-Z]) (?<!\b(?:Mr|Ms|Dr|vs|St|Jr|No)) (?<!\b(?:Mrs|e\.g|i\.e|etc|Fig))"
"""Initials and abbreviations, whose dot ends no sentence; a part of a pattern that ignores white space."""

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Letters of Thai, Lao, Tibetan, Burmese, Khmer, Chinese and Japanese, which put no space between words."""
_UNSTOPPED = re.compile("[\u0e00-\u0eff\u1780-\u17ff]")
"""Letters of Thai, Lao and Khmer, in which no sign ends a sentence."""
_JOINERS = {0x200C: None, 0x200D: None, 0xAD: None}
"""Signs within words of Persian and of Indian languages; the soft hyphen."""
_MARKS = "!?…。！？।॥۔؟።"
_ENDS = f".{_MARKS}"
_END = re.compile(
    rf"""(?x) (?<![{_ENDS}]) (?: {ABBREVIATION} \. | [{_MARKS}] ) [{_ENDS}]*+ ["'”’»)\]*_]*+ (?=\s|\Z) | [。！？]"""
)
_DOUBTFUL_END = re.compile(rf"""(?<![{_ENDS}])[{_ENDS}]++["'”’»)\]*_]*+(?=\s|\Z)|[。！？]""")
_ITEM = re.compile(r"[ \t>#*_(\-+•]{0,12}(?:\d{1,3}|[A-Za-z])[.)][*_]{0,3}(?=\s)")
"""The number of an item of a list, whose dot ends no sentence."""


def words_of(text: str) -> list[str]:
    """The runs of letters, digits and underscores of a text, with the accents and vowel signs that belong to them.

    In languages that put no space between words such a run is more than a word.
    """
    if not text.isascii():
        text = "".join(c for c in text.translate(_JOINERS) if unicodedata.category(c)[0] != "M")
    return _WORD.findall(text)


def count_words(text: str) -> Count:
    """How many words a text has: runs of letters, digits and underscores, as IFEval counts them (arXiv:2311.07911), so that `don't` is two.

    Of a run in a script without spaces (Chinese, Japanese, Thai…) only bounds are known: it is at least one word, and no word
    is shorter than a letter.
    """
    words = words_of(text)
    if text.isascii():
        return Count(len(words), len(words))
    return Count(len(words), len(words) + sum(max(0, len(_UNSPACED.findall(word)) - 1) for word in words))


def count_sentences(text: str) -> Count:
    """How many sentences a text has.

    A full stop, question or exclamation mark of any script that is followed by white space ends one. What may end one and may not is in the upper
    bound alone: the end of a line without such a mark (a title, an item of a list), and the dot of an abbreviation. A text with words has at
    least one. Thai, Lao and Khmer have no such mark, so their number has no upper bound.
    """
    least = most = 0
    for line in text.splitlines():
        item = _ITEM.match(line)
        body = line[item.end() :] if item else line
        ends = [match.end() for match in _END.finditer(body)]
        possible = [match.end() for match in _DOUBTFUL_END.finditer(body)]
        least += _with_words(body, ends)
        last = possible[-1] if possible else 0
        most += _with_words(body, possible) + any(c.isalnum() for c in body[last:])
    if any(c.isalnum() for c in text):
        least, most = max(1, least), max(1, most)
    return Count(least, None if _UNSTOPPED.search(text) else most)


def _with_words(line: str, ends: list[int]) -> int:
    """How many pieces of a line, each up to one of these ends, have a letter or a digit."""
    found, start = 0, 0
    for end in ends:
        found += any(c.isalnum() for c in line[start:end])
        start = end
    return found

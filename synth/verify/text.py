"""Answers in words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

__all__ = ["normalise_text", "same_text", "token_f1"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_CODE = re.compile(r"[\[\]{}<>=_\\|*+^~@#]|\A(['\"`]).*\1\Z|\A-", re.DOTALL)
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\s+|[^\s'\"]+|.", re.DOTALL)
_LONGEST_LITERAL = 4000


def normalise_text(text: str) -> str:
    """Lower case, without punctuation, articles and extra white space: SQuAD's normalisation, after NFKC."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub(" ", text)).split())


def same_text(found: str, gold: str) -> bool:
    """Whether two answers say the same words; where the gold one is code (`[0]`, `'-a'`), whether they are the same."""
    words = normalise_text(gold)
    if words and not _CODE.search(gold.strip()):
        return normalise_text(found) == words
    return _literal(found) == _literal(gold)


def _literal(text: str) -> str:
    """Code without white space outside of strings, with single quotes, and without quotes around the whole."""
    text = text.strip().strip("`").strip()
    if len(text) > _LONGEST_LITERAL:
        return text
    in_words = len(text.split()) > 1 and text[0] not in "[({"  # without quotes around them: the space between counts
    parts = []
    for token in _TOKEN.findall(text):
        if len(token) > 1 and token[0] in "'\"" and token[0] == token[-1]:
            parts.append(f"'{token[1:-1]}'")
        elif in_words or not token.isspace():
            parts.append(token)
    if len(parts) == 1 and parts[0][0] == "'" and parts[0][-1] == "'":
        return parts[0][1:-1]
    return "".join(parts)


def token_f1(found: str, gold: str) -> float:
    """The harmonic mean of token precision and recall, in [0, 1]; SQuAD's definition (arXiv:1606.05250)."""
    a, b = normalise_text(found).split(), normalise_text(gold).split()
    if not a or not b:
        return float(a == b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))

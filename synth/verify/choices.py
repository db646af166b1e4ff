"""Answers that are one of the choices. A letter inside a word, or the article "A", is never a choice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from synth.verify.booleans import read_boolean
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number

__all__ = ["last_named_choice", "read_choice"]

_LEAD = re.compile(
    r"\A(?:the\s+|correct\s+|answer\s+|is\s+|most\s+likely\s+|probably\s+|option\s+|choice\s+|letter\s+|[*_`'\":\-\s])+",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\A[(\[{]?\s?([A-Za-z])\s?(?:[)\]}.:,;*_`'\"]|\Z|\s?(?:is\b|because|since|as\b|-|–|—|\()|\n)")
_UPPER = re.compile(r"\A([A-Z])(?=\s(?:[A-Z0-9(\"'$]))")
_BRACKETED = re.compile(r"(?<![\w)])\(([A-Z])\)|(?<![\w(])([A-Z])\)(?!\w)", re.IGNORECASE)
_JOINED = re.compile(r"(?:\b(?:and|or)\b|[,&/+])\s?(?:option\s|choice\s)?\(?([A-Z])(?:\)|\.?\Z)")
# How a last line names its option without the words "answer is".
_CLOSING = (
    re.compile(
        r"\b(?:answer|ans|option|choice)\b[\s:.=*_(\-–]{0,5}(?:is\s)?(?:option\s|choice\s)?[(\[*\"']{0,3}((?-i:[A-Z]))"
        r"[)\]*\"'.]{0,4}(?:\sis\s(?:the\s)?(?:correct|right)(?:\s(?:answer|option|choice))?\.?)?[\s)*.]{0,4}\Z",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:\A|[\s(])((?-i:[A-Z]))[)\].]{0,2}\s(?:[^.]{0,200}\s)?is\s(?:the|our|my)\s"
        r"(?:(?:most\s)?(?:correct|right|best|likely|appropriate)\s){0,2}(?:answer|option|choice)\b",
        re.IGNORECASE,
    ),
    re.compile(r"(?:\bis|:|–|—)\s?[(\[*]{0,2}([A-Z])[)\]*.]{0,3}\Z"),
    re.compile(r"(?<![\w(])([A-Z])\)\.?\Z"),
)
_MARK = re.compile(r"(?<![\w)])\(?([A-Z])[).:]")
_INTRODUCED = re.compile(r"\b(?:is|are|be)\s?:[*_]{0,2}\s{1,6}[*_]{0,2}\(?([A-Z])[).:]")


def _letters(choices: Sequence[str]) -> str:
    return "".join(chr(ord("A") + i) for i in range(len(choices) or 26))


def _plain(text: str) -> str:
    """Case, white space, dollar signs and a full stop aside. Signs stay: `> 3` is not `< 3`."""
    text = " ".join(unicodedata.normalize("NFKC", unwrap(text)).casefold().split())
    return text.replace(", ", ",").strip(" .*_`\"'")


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """The letter a short statement names, by letter or by the option's text; None where it names none or several."""
    plain = unwrap(text[:2000]).strip()
    by_text = _by_whole_text(plain, choices)
    # A capital alone is a letter whatever the options say; a small one only where it is no option itself.
    if by_text is not None and not re.fullmatch(r"\W*[A-Z]\W*", plain):
        return by_text
    letters = _letters(choices)
    bare = _LEAD.sub("", plain)
    for candidate in (plain, bare):
        match = _LETTER.match(candidate) or _UPPER.match(candidate)
        if (
            match
            and match[1].upper() in letters
            and not (match[1] == "a" and len(candidate) > 1 and candidate[1] == " ")
        ):
            letter = match[1].upper()
            return None if _joined_with_another(letter, candidate[match.end() :], choices) else letter
    by_text = _by_whole_text(bare, choices)
    if by_text is not None:
        return by_text
    named: set[str] = {(a or b).upper() for a, b in _BRACKETED.findall(plain)} & set(letters)
    if named:
        return named.pop() if len(named) == 1 else None
    return _by_boolean(plain, choices) or _by_part(plain, choices) or _by_number(plain, choices)


def _joined_with_another(letter: str, rest: str, choices: Sequence[str]) -> bool:
    """Whether a second option is named beside the first (`A) x and D) y`); letters in the option's own text are none."""
    if choices:
        rest, own = rest.strip(), choices[ord(letter) - ord("A")].strip()
        if own and rest.casefold().startswith(own.casefold()):
            rest = rest[len(own) :]
    return any(other != letter and other in _letters(choices) for other in _JOINED.findall(rest))


def _by_whole_text(text: str, choices: Sequence[str]) -> str | None:
    said = _plain(text)
    hits = [i for i, option in enumerate(choices) if said and _plain(option) == said]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _by_part(text: str, choices: Sequence[str]) -> str | None:
    """The one option in words whose text stands in a statement; of options that contain each other the longest counts."""
    said, options = f" {_plain(text)} ", [_plain(c) for c in choices]
    # A number, or one or two signs, stands in too many sentences to be what they state.
    spoken = [o if re.search(r"[^\W\d_]{3}", o) and not is_number(o) else "" for o in options]
    hits = [i for i, o in enumerate(spoken) if o and re.search(rf"(?<!\w){re.escape(o)}(?!\w)", said)]
    hits = [i for i in hits if not any(j != i and spoken[i] in spoken[j] for j in hits)]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _by_number(text: str, choices: Sequence[str]) -> str | None:
    """The one option that is the number a statement states, where all options are numbers or most of them."""
    numbers = [read_number(c) if is_number(c) else None for c in choices]
    if sum(n is not None for n in numbers) * 2 <= len(choices):
        return None
    value = read_number(text)
    hits = [i for i, n in enumerate(numbers) if value is not None and n == value]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _by_boolean(text: str, choices: Sequence[str]) -> str | None:
    """Of two options that say yes and no in any words, the one a statement says."""
    if len(choices) != 2:
        return None
    meant = [read_boolean(c) for c in choices]
    said = read_boolean(text)
    return "AB"[meant.index(said)] if said is not None and sorted(map(str, meant)) == ["False", "True"] else None


def last_named_choice(text: str, choices: Sequence[str]) -> str | None:
    """Where nothing is stated: the option with which the last line begins or closes, or which it is."""
    letters = _letters(choices)
    lines = [line.strip(" \t*_`") for line in text.splitlines() if line.strip(" \t*_`")]
    if not lines:
        return None
    last = lines[-1][-2000:]
    whole = _by_whole_text(last, choices)
    if whole is not None:
        return whole
    if len(last) <= 200 and (match := re.match(r"\A[(\[]?([A-Z])(?:[)\].:]|\Z)", last)) and match[1] in letters:
        return None if _joined_with_another(match[1], last[match.end() :], choices) else match[1]
    for closing in _CLOSING:
        if (match := closing.search(last)) and match[1] in letters:
            return match[1]
    written_out = [m for m in _MARK.finditer(last) if m[1] in letters]
    if choices and len(written_out) == 1:
        match = written_out[0]
        if _plain(last[match.end() :]) == _plain(choices[ord(match[1]) - ord("A")]):
            return str(match[1])
    introduced = [letter for letter in _INTRODUCED.findall(text) if letter in letters]
    if introduced:
        return str(introduced[-1])
    named: set[str] = {a or b for a, b in _BRACKETED.findall(last)} & set(letters)
    if len(named) == 1 and not re.search(r"\bnot\b|n['’]t\b|\bexcept\b", last):
        return named.pop()
    return _by_boolean(last, choices) if len(lines) == 1 else None

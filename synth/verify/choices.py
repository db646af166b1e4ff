"""Answers that are one of the choices. A letter inside a word, or the article "A", is never a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.bounded import nfkc
from synth.verify.booleans import read_boolean
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number
from synth.verify.scripts import UNSPACED, to_halfwidth

__all__ = ["last_named_choice", "read_choice"]

_LEAD = re.compile(
    r"\A(?:the\s+|it\s+|correct\s+|right\s+|best\s+|answer\s+|answer(?=:)|is\s+|most\s+likely\s+|probably\s+|option\s+|choice\s+|letter\s+"
    r"|(?:(?:l[ae]|el|die|a)\s+)?(?:opci[oó]n|op[cç][aã]o|option|alternativa|letra|lettre|buchstabe)\s+|la\s+(?=\W?[A-Z]\W)"
    r"|[*_`'\":\s]|-(?!\d))++",
    re.IGNORECASE,
)
_LETTER = re.compile(
    rf"\A[(\[{{]?\s?([A-Za-z])\s?(?:[)\]}}.:,;*_`'\"。、]|\Z|\s?(?:is\b|because|since|as\b|-|–|—|=)|\s\(|\n|(?=[{UNSPACED}]))"
)
_UPPER = re.compile(r"\A([A-Z])(?=\s(?:[A-Z0-9(\"'$]))")
_BRACKETED = re.compile(r"(?<![\w)])\(([A-Z])\)|(?<![\w(])([A-Z])\)(?!\w)", re.IGNORECASE)
_JOINED = re.compile(
    r"(?:\b(?:and|or|nor|than|to)\b|[,&/+|、和与與或及とや])\s?(?:possibly\s|maybe\s|also\s|perhaps\s)?(?:option\s|choice\s)?[(*]{0,3}([A-Z])"
    r"(?:[)*.,;:]|\s(?!\w)|\s(?:is|are|and|or)\b|[&/+、]|\Z|(?=[,、和或]))"
)
_SEVERAL = re.compile(
    r"\A[(\[*]{0,3}(?:both\s|either\s|neither\s)?[A-Z][)\]*]{0,3}(?:\s?[,;/&+|]\s?|\s)[(\[*]{0,3}[A-Z](?![\w'’])(?!\s[a-z])"
)
_SEVERAL_MARKED = re.compile(r"[(\[]([A-Z])[)\]]\s?[(\[](?!\1)[A-Z][)\]]")
_NEGATED = re.compile(
    r"(?:\b(?:not|never|except|excluding|neither|nor|but\snot|rather\sthan|instead\sof|anything\sbut|other\sthan)\b|n['’]t\b|不是|不选|不選|ではなく)"
    r"\s?(?:an?\s|the\s|be\s|likely\s)?(?:(?:option|choice|answer)\s)?[(\[*\"']{0,3}([A-Z])(?![\w'’])[)\]*\"']{0,3}[,;]?\s?(?:but\s|rather\s)?"
)
_DENIAL = re.compile(
    r"(?i)\b(?:not|never|except|neither|nor|rather\sthan|instead\sof|anything\sbut|other\sthan)\b|n['’]t\b|不是"
)
# How a last line names its option without the words "answer is".
_RULED_OUT = re.compile(
    r"(?<![\w'’])[(\[*\"']{0,3}([A-Z])[)\]*\"']{0,3}\s(?:is|was|are|would\sbe|must\sbe|seems|can\sbe)(?:\s(?:clearly|obviously|also|just|therefore))?"
    r"(?:\s(?:wrong|incorrect|false|invalid|impossible|out|eliminated|excluded|ruled\sout|not)\b|n['’]t\b)"
)
"""An option that a statement calls wrong: `(A) is wrong, so (B)`."""
_CLOSING = (
    re.compile(
        r"(?i:\b(?:so|hence|thus|therefore|guess|not\ssure,?\sbut)\b[,:]?|=>|⇒|→)\s?(?:it\sis\s|it['’]s\s)?[(\[*]{0,3}([A-Z])[)\]*]{0,3}(?:\sit\sis)?\.?\Z"
    ),
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
    re.compile(
        r"\b(?:go\swith|say|choose|chose|pick|select|(?<!could\s)(?<!might\s)(?<!may\s)(?<!also\s)(?<!n['’]t\s)(?<!not\s)be)\s(?:option\s|choice\s)?[(\[*]{0,3}([A-Z])[)\]*.]{0,4}\Z"
    ),
)
_SHORT = 6
"""Words of a line that is nothing but an answer, at most."""
_CONTRAST = re.compile(r"(?i),?\s(?:and\s|but\s)?(?:not|rather\sthan|instead\sof)\s.*", re.DOTALL)
_OPENING = re.compile(r"\A[(\[*_]{0,4}([A-Z])(?:[)\].:*_]{1,4}|,(?=\s))(?:\s|\Z)|\A([A-Z])\Z")
"""How a first line names its option: `D. It will take`, `A, cloud.`"""
_MARK = re.compile(r"(?<![\w)])\(?([A-Z])[).:]")
_INTRODUCED = re.compile(r"\b(?:is|are|be)\s?:[*_]{0,2}\s{1,6}[*_]{0,2}\(?([A-Z])[).:]")


_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
_HTML = re.compile(r"</?(?:b|i|u|em|strong|span|p|mark)>", re.IGNORECASE)


def _letters(choices: Sequence[str]) -> str:
    return "".join(chr(ord("A") + i) for i in range(len(choices) or 26))


def _plain(text: str) -> str:
    """Case, white space, dollar signs and a full stop aside. Signs stay: `> 3` is not `< 3`."""
    text = " ".join(nfkc(unwrap(text)).casefold().translate(_QUOTES).split())
    return text.replace(", ", ",").strip(" .*_`\"'")


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """The letter a short statement names, by letter or by the option's text; None where it names none or several."""
    plain = _HTML.sub("", unwrap(to_halfwidth(text[:2000]))).strip()
    by_text = _by_whole_text(plain, choices)
    # A capital alone is a letter regardless of the options; a small one only where it is no option itself.
    if by_text is not None and not re.fullmatch(r"\W*[A-Z]\W*", plain):
        return by_text
    letters = _letters(choices)
    if out := {m[1] for m in _RULED_OUT.finditer(plain)} & set(letters):  # "(A) is wrong, so (B)"
        named = _named(_RULED_OUT.sub(" ", plain), letters) - out
        return named.pop() if len(named) == 1 else None
    if (denied := _NEGATED.search(plain)) is not None:  # "not B but C"
        rest = (plain[: denied.start()] + plain[denied.end() :]).strip(" ,.;")
        return (
            None
            if not rest or _NEGATED.search(rest) is not None or len(rest) == len(plain)
            else read_choice(rest, choices)
        )
    bare = _LEAD.sub("", plain)
    for candidate in (plain, bare):
        match = _LETTER.match(candidate) or _UPPER.match(candidate)
        if (
            match
            and match[1].upper() in letters
            and not (match[1] == "a" and len(candidate) > 1 and candidate[1] == " ")
        ):
            letter = match[1].upper()
            rest = candidate[match.end() :]
            several = _SEVERAL.match(candidate) is not None or _joined_with_another(
                letter, candidate[match.end(1) :], choices
            )
            return None if several or _is_another(letter, rest, choices) else letter
    by_text = _by_whole_text(bare, choices)
    if by_text is not None:
        return by_text
    named = {(a or b).upper() for a, b in _BRACKETED.findall(plain)} & set(letters)
    if named:
        return named.pop() if len(named) == 1 else None
    return _by_boolean(plain, choices) or _by_part(plain, choices) or _by_number(plain, choices)


def _named(text: str, letters: str) -> set[str]:
    """The options whose letters stand in a text; the words "A" and "I" are none unless they are marked as letters."""
    found = re.findall(r"(?<![\w'’])([(\[*]{0,3})([A-Z])(?![\w'’])([)\]*.:,]|\Z)?", text)
    return {
        letter for opened, letter, closed in found if letter in letters and (letter not in "AI" or opened or closed)
    }


def _is_another(letter: str, rest: str, choices: Sequence[str]) -> bool:
    """Whether the words after a letter are the text of another option: `B) Paris` where Paris is A."""
    named = _by_whole_text(rest.strip(" \t-–—:=.)*"), choices) if choices else None
    return named is not None and named != letter


def _joined_with_another(letter: str, rest: str, choices: Sequence[str]) -> bool:
    """Whether a second option is named beside the first (`A) x and D) y`); letters in the option's own text are none."""
    if choices:
        rest, own = rest.strip(" \t).:*"), choices[ord(letter) - ord("A")].strip()
        if own and rest.casefold().startswith(own.casefold()):
            rest = rest[len(own) :]
    return any(other != letter and other in _letters(choices) for other in _JOINED.findall(rest))


def _by_whole_text(text: str, choices: Sequence[str]) -> str | None:
    said = _plain(text)
    hits = [i for i, option in enumerate(choices) if said and _plain(option) == said]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _by_part(text: str, choices: Sequence[str]) -> str | None:
    """The one option in words whose text stands in a statement; of options that contain each other the longest counts."""
    said, options = f" {_plain(_CONTRAST.sub('', text) or text)} ", [_plain(c) for c in choices]
    # A number, or one or two signs, stands in too many sentences to be what they state.
    spoken = [o if re.search(r"[^\W\d_]{3}", o) and not is_number(o) else "" for o in options]
    hits = [i for i, o in enumerate(spoken) if o and re.search(rf"(?<!\w){re.escape(o)}(?!\w)", said)]
    hits = [i for i in hits if not any(j != i and spoken[i] in spoken[j] for j in hits)]
    if len(hits) == 1 and _DENIAL.search(said) is not None and _DENIAL.search(spoken[hits[0]]) is None:
        return None  # "it is not Rome"
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
    lines = [plain for line in text.splitlines() if (plain := _HTML.sub("", line).strip(" \t*_`"))]
    if not lines:
        return None
    last = lines[-1][-2000:]
    whole = _by_whole_text(last, choices)
    if whole is not None and not re.fullmatch(r"\W*[A-Z]\W*", last):
        return whole
    if _SEVERAL_MARKED.match(last) is not None:
        return None
    if _RULED_OUT.search(last) is not None:
        return read_choice(last, choices)
    if len(last) <= 200 and (match := re.match(r"\A[(\[]?([A-Z])(?:[)\].:]|\Z)", last)) and match[1] in letters:
        rest = last[match.end() :]
        before = _OPENING.match(lines[-2]) if len(lines) > 1 else None
        if before is not None and ord(before[1] or before[2]) + 1 == ord(match[1]):
            return None  # it goes through the options
        several = _joined_with_another(match[1], rest, choices) or _is_another(match[1], rest, choices)
        return None if several else match[1]
    if _SEVERAL.match(last) is not None and len(last) <= 40:
        return None
    if len(lines) == 1 and len(last.split()) <= _SHORT and (_DENIAL.search(last) is None or _NEGATED.search(last)):
        named_here = read_choice(last, choices)
        if named_here is not None:
            return named_here
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
    if len(lines) == 1 and (said := _by_boolean(last, choices)) is not None:
        return said
    return _opening(lines, choices, letters)


def _opening(lines: Sequence[str], choices: Sequence[str], letters: str) -> str | None:
    """The option with which a reply begins before it goes on to explain; None where it goes through several options."""
    if not choices:
        return None
    begun = [(m[1] or m[2], line[m.end() :]) for line in lines if (m := _OPENING.match(line)) is not None]
    first = _OPENING.match(lines[0])
    if first is None or len({letter for letter, _ in begun}) != 1 or begun[0][0] not in letters:
        return None
    letter, rest = begun[0]
    if letter == "I" and lines[0][1:2] == ",":
        return None
    several = _joined_with_another(letter, lines[0][1:][:200], choices) or _is_another(letter, rest, choices)
    return None if several else letter

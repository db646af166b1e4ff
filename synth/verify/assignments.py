"""Reading who or what has which value: `Ann is a knight and Bob is a knave`, lines `(1) Ann is a knight`, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from synth.verify.items import LONGEST, Contradiction, parse_value
from synth.verify.latex import unwrap

__all__ = ["read_assignment", "resolve", "statement_end"]

_FENCE = re.compile(r"\A```[\w-]{0,12}[ \t]*\n")
_MARKS = re.compile(r"[*_`\"“”]|(?<!\w)['‘]|['’](?!\w)")
_BREAK = re.compile(r"[\n;,]|[.!](?=\s|\Z)|\s(?:and|while|whereas|but|&)(?=\s)")
_MARKER = re.compile(r"\s{0,8}(?:[-•+–]|\(?\d{1,3}[.):])\s{1,4}")
_FILLER = re.compile(
    r"\s{0,4}(?:(?:that|so|thus|therefore|hence|then|finally|and|we\shave|this\smeans|it\sfollows|the\sanswer\sis|final\sanswer)\b[\s:]{0,4}){1,4}",
    re.IGNORECASE,
)
_COPULA = re.compile(
    r"\s{1,4}(?P<verb>is|are|was|were|must\sbe|has\sto\sbe)\s{1,4}|\s{0,4}(?::|=>|->|=|→|⇒|–|—|\s-)(?:\s{1,4}|(?=\w))",
    re.IGNORECASE,
)
_DETERMINER = re.compile(r"(?:(?:both|all|each|either|indeed|also|a|an|the)\s{1,4}){1,3}(?=\S)", re.IGNORECASE)
_REASON = re.compile(r"\s{0,2}\(|\s(?:because|since|as|who|which|so|due|if|when)(?=\s)", re.IGNORECASE)
_LONGEST_NAME, _LONGEST_VALUE, _MOST_NAMES = 60, 60, 200
_MOST_WORDS = 4
"""Of a name or a value, in a text that is nothing but an assignment."""
_SENTENCE = re.compile(r"[^\n.;!]{1,500}(?:[.;!](?=\s|\Z)[.;!]{0,3}|\n|\Z)[ \t]*")


def read_assignment(said: str, *, strict: bool = False) -> dict[str, str] | None:
    """The value of each name that a text assigns one, in its order; None where it gives one name two values, or says too much to be read.

    Args:
        said: JSON, sentences or lines.
        strict: whether a text that says anything else gives None.
    """
    text = _FENCE.sub("", said.strip()).removesuffix("```").strip()
    if not text or len(text) > LONGEST:
        return None
    if text[:1] in "{[":
        try:
            value = parse_value(text)
        except Contradiction:
            return None
        except ValueError:
            value = None
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            value = _joined(value)
        if value is not None:
            return _of_json(value)
    pairs = list(_pairs(_MARKS.sub("", unwrap(text)), strict=strict))
    return _united(pairs) if len(pairs) <= _MOST_NAMES and None not in pairs else None


def _joined(parts: Sequence[Mapping[str, object]]) -> object:
    fields = [(name, value) for part in parts for name, value in part.items()]
    return dict(fields) if len({name for name, _ in fields}) == len(fields) else None


def _of_json(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or len(value) > _MOST_NAMES:
        return None
    pairs: list[tuple[str, str] | None] = []
    for name, one in value.items():
        if not isinstance(one, (str, bool)) or not str(one).strip():
            return None
        plain = one.strip() if isinstance(one, str) else str(one).lower()
        pairs.append((name.strip(), _DETERMINER.sub("", plain, count=1) if _DETERMINER.match(plain) else plain))
    return _united(pairs)


def _united(pairs: Sequence[tuple[str, str] | None]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for pair in pairs:
        if pair is None:
            return None
        name = names.setdefault(pair[0].casefold(), pair[0])
        if found.setdefault(name, pair[1]).casefold() != pair[1].casefold():
            return None
    return found


def _pairs(text: str, *, strict: bool) -> Iterator[tuple[str, str] | None]:
    """The names of a text with their values; None for what is neither, in a strict reading."""
    waiting: list[str] = []
    for clause in _BREAK.split(text):
        said = _without(_FILLER, _without(_MARKER, clause)).strip()
        if not said:
            continue
        verb = _COPULA.search(said)
        name, value = (said[: verb.start()].strip(), said[verb.end() :].strip()) if verb is not None else (said, "")
        if verb is None or not name or not value:
            waiting.append(name)
            continue
        many = (verb["verb"] or "").lower() in {"are", "were"}
        value = _without(_DETERMINER, _REASON.split(value, maxsplit=1)[0]).strip(" .:")
        short = len(name) <= _LONGEST_NAME and 0 < len(value) <= _LONGEST_VALUE
        if strict and not (short and len(name.split()) <= _MOST_WORDS and len(value.split()) <= _MOST_WORDS):
            yield None
            return
        if short:
            value = value[:-1] if many and value.endswith("s") else value
            yield from ((other, value) for other in (*(waiting if many else ()), name))
        if waiting and not many and strict:
            yield None
            return
        waiting = []
    if waiting and strict:
        yield None


def _without(pattern: re.Pattern[str], text: str) -> str:
    begins = pattern.match(text)
    return text if begins is None else text[begins.end() :]


def resolve(said: Mapping[str, str], names: Sequence[str]) -> dict[str, str] | None:
    """What a reading says of given names: of `Thus Ann` it is Ann, of names that end in each other the longest; None where one has two
    values. Other names are left out.
    """
    found: dict[str, str] = {}
    known = {name.casefold(): name for name in names}
    longest = max(map(len, known), default=0)
    for subject, value in said.items():
        whole = subject.casefold()
        plain = whole[max(0, len(whole) - longest - 1) :]
        starts = [*([0] if plain == whole else []), *(m.start() for m in re.finditer(r"(?<!\w)\w", plain))]
        name = next((known[plain[start:]] for start in starts if plain[start:] in known), None)
        if name is not None and found.setdefault(name, value).casefold() != value.casefold():
            return None
    return found


def statement_end(text: str, start: int) -> int | None:
    """Where an assignment in sentences or lines ends that begins at `start`; None where none begins there."""
    place, end = start, None
    for _ in range(_MOST_NAMES):
        while place < len(text) and text[place].isspace():
            place += 1
        sentence = _SENTENCE.match(text, place)
        if sentence is None or not read_assignment(sentence[0], strict=end is not None):
            break
        place = sentence.end()
        end = place - (len(sentence[0]) - len(sentence[0].rstrip()))
    return end

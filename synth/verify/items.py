"""Values of which answers are made: the items of sets, lists and rankings, the fields of objects.

A value is what JSON knows: text, a number with the digits it is written with (`Numeral`), true, false, null, a list, an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from typing import Any

from synth.nesting import TOO_DEEP, too_deep
from synth.verify.latex import repair_escapes, unwrap
from synth.verify.numbers import is_number, read_number
from synth.verify.scripts import to_halfwidth
from synth.verify.text import words_of

__all__ = [
    "Contradiction",
    "Numeral",
    "Value",
    "as_json",
    "bracket_end",
    "key",
    "last_object",
    "parse_value",
    "read_items",
]

Value = Any
LONGEST = 20_000
"""Characters of an answer that is read as values."""
MOST_ITEMS = 1000
_DEEPEST = 8
_MOST_OBJECTS = 20


class Numeral(str):
    """A number as it is written."""

    __slots__ = ()


class Contradiction(ValueError):
    """An object gives one name two values."""


def _fields(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name, value in pairs:
        if name in fields and fields[name] != value:
            raise Contradiction(name)
        fields[name] = value
    return fields


def _no_constant(text: str) -> Value:
    raise ValueError(text)


def parse_value(text: str) -> Value:
    """The value of a JSON text.

    Raises:
        Contradiction: an object gives one name two values.
        ValueError: it is no JSON, or too long or too deep.
    """
    if len(text) > LONGEST:
        raise ValueError("too long")
    try:
        value = json.loads(
            text,
            strict=False,
            parse_float=Numeral,
            parse_int=Numeral,
            parse_constant=_no_constant,
            object_pairs_hook=_fields,
        )
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if too_deep(value, _DEEPEST):
        raise ValueError(TOO_DEEP)
    return value


def as_json(value: Value) -> str:
    """A value as JSON, its numbers as they were written."""
    if isinstance(value, Numeral):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(as_json, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_json(name)}: {as_json(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def key(value: Value) -> Hashable:
    """What is equal of two values that are the same answer: numbers by value, words by what they say (as in `same_text`), lists in their
    order, objects in any.
    """
    if isinstance(value, str):
        number = read_number(value) if isinstance(value, Numeral) or is_number(value) else None
        return ("number", number) if number is not None else ("words", words_of(value))
    if isinstance(value, list):
        return ("list", *map(key, value))
    if isinstance(value, dict):
        return ("object", frozenset((name, key(one)) for name, one in value.items()))
    return ("json", value)


_FENCE = re.compile(r"\A```[\w-]{0,12}[ \t]*\n")
_LATEX = re.compile(r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?)(?![a-zA-Z])|\\[,;:! ]|\\q?quad(?![a-zA-Z])|\$")
_BRACES = re.compile(r"\\(?:([{}])|lbrace|rbrace|langle|rangle)")
_AND = re.compile(r"\\text\s?\{\s?(and|or)\s?\}")
_EMPTY = re.compile(r"(?i)(?:\\emptyset|\\varnothing|∅|(?:the\s)?empty\s(?:set|list)|\[\s*\]|\{\s*\})")
_MARKER = re.compile(r"[ \t]{0,8}(?:[-•*+–]|\(?\d{1,3}[.):]|\(?[a-z][.)])[ \t]{1,4}(?=\S)")
_NAMED = re.compile(r"\\?[A-Za-z](?:_\{?\w{1,3}\}?)?\s{0,2}(?:=|∈|\\in(?![a-z]))\s{0,2}(?=\S)")
_GROUPED = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])")
_OR = re.compile(r"(?i)\bor\b")
_NUMERAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_TOKEN = re.compile(r"[(\[{]|[)\]}]|[,;\n]|(?<![^\W_])(?:and|or)(?![^\W_])|[\"“'‘]")
_QUOTES = "\"“'‘"
_CLOSING = {
    sign: re.compile(rf"{closing}(?=\s*(?:[,;\n)\]}}]|and\b|or\b|\Z))")
    for sign, closing in zip(_QUOTES, "\"”'’", strict=True)
}
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_AFTER = re.compile(r"[\s.,;*_`$]*(?:[^\W\d_]{1,20}[\s.,;*_`$]*){0,3}")
_LISTING = re.compile(r"(?i)\b(?:and|or|nor|not|but|is|are|was|isn|wrong|incorrect|false|then|if)\b")


def read_items(said: str, *, ordered: bool = False) -> list[Value] | None:
    """The items that a text lists: as JSON, in brackets or braces of any kind, with commas, semicolons, `and` or `or` between them, or one a
    line; None where that cannot be said. A text without any of these is one item.

    Args:
        said: the text.
        ordered: whether their order counts. Then an `or` outside of brackets stands between several answers, and none of them is given.
    """
    text = _FENCE.sub("", said.strip()).removesuffix("```").strip()
    if not text or len(text) > LONGEST or (ordered and text[0] not in _PAIRS and _OR.search(text) is not None):
        return None
    try:
        value = parse_value(text)
    except Contradiction:
        return None
    except ValueError:
        return _listed(text)
    if isinstance(value, list):
        return value if len(value) <= MOST_ITEMS else None
    return _listed(text) if isinstance(value, str) and not isinstance(value, Numeral) else [value]


def _listed(text: str, depth: int = 0) -> list[Value] | None:
    if depth > _DEEPEST:
        return None
    text = _AND.sub(r" \1 ", repair_escapes(to_halfwidth(text)))
    text = _BRACES.sub(lambda m: m[1] or {"lb": "{", "rb": "}", "la": "(", "ra": ")"}[m[0][1:3]], text)
    text = _LATEX.sub(" ", text).strip().strip("*_`").strip()
    if _EMPTY.fullmatch(text) is not None:
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    marks = [_MARKER.match(line) for line in lines]
    if len(lines) > 1 and all(marks):
        return [_item(line[m.end() :], 0) for line, m in zip(lines, marks, strict=True) if m is not None]
    inside = _inside(text)
    if inside is not None:
        if text[0] == "(" and _inside(inside) is not None:
            return _listed(inside, depth + 1)
        try:
            value = parse_value(f"[{inside}]")
        except Contradiction:
            return None
        except ValueError:
            return _split(inside, 0)
        return value if len(value) <= MOST_ITEMS else None
    if text[:1] in _PAIRS and (end := bracket_end(text, 0)) is not None:
        rest = text[end:]
        if _AFTER.fullmatch(rest) is not None and _LISTING.search(rest) is None:
            return _listed(text[:end], depth + 1)  # "[12, 8] mW"
        if not rest.lstrip(" ,;").startswith(("[", "(", "{", "and", "or", ">")):
            return None
    if _GROUPED.search(text) is not None:
        return None  # one number or several?
    return _split(text, 0)


def _inside(text: str) -> str | None:
    """What stands in the brackets around a whole text."""
    return text[1:-1].strip() if text[:1] in _PAIRS and bracket_end(text, 0) == len(text) else None


def _split(text: str, depth: int) -> list[Value] | None:
    """The parts of a text between separators that stand in no brackets and no quotation marks."""
    closings = _closings(text)
    parts: list[str] = []
    unclosed = set[str]()
    begin = place = 0
    while (token := _TOKEN.search(text, place)) is not None:
        place = token.end()
        if token[0] in _PAIRS:
            place = closings.get(token.start(), place)
        elif token[0] in _QUOTES:
            if token[0] in unclosed or text[begin : token.start()].strip():
                continue  # an apostrophe
            closing = _CLOSING[token[0]].search(text, place)
            if closing is None:
                unclosed.add(token[0])  # nor is any that follows
            else:
                place = closing.end()
        elif token[0] not in ")]}":
            parts.append(text[begin : token.start()])
            begin = place
    parts = [part for part in (*(p.strip() for p in parts), text[begin:].strip()) if part]
    if len(parts) > MOST_ITEMS:
        return None
    return [_item(part, depth) for part in parts]


def _closings(text: str) -> dict[int, int]:
    """The place after each bracket that closes another, by the place of that."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for place, sign in _brackets(text, 0, len(text)):
        if sign in _PAIRS:
            opened.append(place)
        elif opened:
            found[opened.pop()] = place + 1
    return found


def _item(text: str, depth: int) -> Value:
    text = text.strip().strip("*_`").strip().rstrip(".").strip()
    if len(text) > 1 and text[0] in "\"'“‘" and text[-1] in "\"'”’":
        return text[1:-1]
    inside = _inside(text)
    if inside is not None and depth < _DEEPEST:
        parts = _split(inside, depth + 1)
        return inside if parts is None or (text[0] != "[" and len(parts) < 2) else parts
    plain = _NAMED.sub("", text, count=1) if _NAMED.match(text) is not None else text
    if _NUMERAL.fullmatch(plain) is not None:
        return Numeral(plain)
    return plain if is_number(plain) else unwrap(text) if "\\" in text else text


def bracket_end(text: str, start: int) -> int | None:
    """The place after the bracket that closes the one at `start`; None where none does, within bounds."""
    depth = 0
    for place, sign in _brackets(text, start, min(len(text), start + LONGEST)):
        depth += 1 if sign in _PAIRS else -1
        if depth == 0:
            return place + 1
    return None


def _brackets(text: str, start: int, stop: int) -> Iterator[tuple[int, str]]:
    """The brackets of a text that stand in no string in double quotes, with their places."""
    quoted = False
    for token in _BRACKET.finditer(text, start, stop):
        sign = token[0][-1]
        if token[0] == '"' or sign == "\n":
            quoted = token[0] == '"' and not quoted
        elif not quoted and sign in "()[]{}":
            yield token.end() - 1, sign


_BRACKET = re.compile(r'\\[^\n]|["\n(\[{)\]}]')


def last_object(text: str) -> str | None:
    """The last JSON object of a text that stands in no other."""
    for start, end in reversed(list(_outermost(text))[-_MOST_OBJECTS:]):
        try:
            if isinstance(parse_value(text[start:end]), dict):
                return text[start:end]
        except Contradiction:
            return text[start:end]
        except ValueError:
            continue
    return None


def _outermost(text: str) -> Iterator[tuple[int, int]]:
    """The pairs of braces that stand in no other pair, in order."""
    opened: list[int] = []
    found: list[tuple[int, int]] = []
    for token in re.finditer(r"[{}]", text):
        if token[0] == "{":
            opened.append(token.start())
        elif opened:
            start = opened.pop()
            while found and found[-1][0] > start:
                found.pop()
            found.append((start, token.end()))
    yield from found

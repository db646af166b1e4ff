"""Where a reply states its answer: tags, boxes, `####`, a field of JSON, sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from synth.records import AnswerKind
from synth.verify.kinds import Kind, kind_of
from synth.verify.latex import Box, last_box
from synth.verify.statements import Statement, find_statements, value_after

__all__ = ["LAST_WORDS", "Stated", "own_part", "statements"]

_BOX_BESIDE = re.compile(
    r"\\boxed\s?\{([^{}]{1,100}(?:\{[^{}]{0,50}\}[^{}]{0,50}){0,3})\}[\s$]{0,4}(?:,|;|,?\s?(?:\\text\s?\{\s?)?(?:and|or)(?:\s?\})?)[\s$]{0,4}\Z"
)
_REST_OF_LINE = re.compile(r"[ \t$*.]*+(?=\n|\Z)")
_TAG = re.compile(r"<(/?)(?:answer|final[_ -]?answer)(?:\s[^<>]{0,80})?>", re.IGNORECASE)
_HASHES = re.compile(r"(?<!#)####(?!#)[ \t]{0,4}([^\n]+)")
_HEADING_TEXT = re.compile(
    r"[*_\s]*(?:(?:the\s)?(?:final\s)?answer\b\W*\Z|step\b|\d{1,2}[.)]\s|\w[^\n]{0,200}:[*_\s]*\Z)", re.IGNORECASE
)
_JSON_FIELD = re.compile(
    r'(?:"|\\n|\n)(?i:final[_ ]?)?(?i:answer)"\s{0,4}:\s{0,4}(?:("(?:[^"\\]|\\.){0,2000}")|(\[[^\[\]]{0,500}\])|([^",}\[\n]{1,200}))'
)
_BLANK = " \t\n\r"  # not the form feed of a `\\frac` that went through JSON
_JSON_NAMES = ("answer", "final_answer", "finalanswer", "final answer")
# A base model that goes on after its answer writes the next problem itself. `Q2.` is a sub-question, and part of the
# reasoning.
_NEXT_PROBLEM = re.compile(r"(?i)[ \t#*]{0,4}(?:problem|question|q|user|human)\s?:")
_BEFORE_COLON = 13
"""Characters of a line that this can have before its colon, at most."""
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end|endoftext|return|end_of_text|END_RESPONSE|END_TEXT|end_of_solution|end_of_turn)\|>"
    r"|</s>\s*\Z|<end_of_turn>|<｜end▁of▁sentence｜>"
)
_LONGEST_EMPHASIS = 200
_COPULA = re.compile(r"(?<=[^\s])(?:です|でした|である|になります|となります|입니다|이다|이에요|예요)[。.]?\Z")
_SENTENCE_MARK = re.compile(r"(?<=[^\s!])!{1,3}\Z")
_FINAL = re.compile(r"\W{0,20}final\sanswer\W{0,10}(?:(?:the\s)?answer\W{0,5})?(?:is\W{0,5})?", re.IGNORECASE)
_STATEMENTS_TRIED = 50
LAST_WORDS = 20
"""Characters after a statement that are too few to say something else."""


class Stated(NamedTuple):
    value: str
    start: int
    """Where in the text the statement begins."""
    end: int
    """Where it ends."""
    shown: bool = True
    """Whether it has a place of its own in the text."""
    marked: bool = False
    """Whether it has the form of an answer, regardless of its content, so that nothing before it can be one."""
    element: bool = False
    """Whether it has an end of its own on both sides."""
    rival: str | None = None
    """What the statement directly before a "final answer" says, with not a word between them."""


def statements(text: str, kind: AnswerKind) -> Iterator[Stated]:
    """What a text states as its answer, the statement that counts most first."""
    tag = _last_tag(text) if "nswer" in text and "</" in text else None
    if tag is not None:
        yield tag
    box = last_box(text) if "oxed" in text or "fbox" in text else None
    if box is not None:
        inside = box.inside
        if (before := _BOX_BESIDE.search(text, max(0, box.start - 300), box.start)) is not None:
            inside = f"{before[1]}, {inside}"  # one answer in several boxes
        yield Stated(inside, *_around(text, box, kind), marked=True)
    if "####" in text:
        yield from (
            Stated(m[1].strip(), m.start(), m.end(), marked=True)
            for m in reversed(list(_HASHES.finditer(text))[-_STATEMENTS_TRIED:])
            if not _HEADING_TEXT.match(m[1])
        )
    if '"' in text and "nswer" in text:
        answer = _json_answer(text)
        if answer is not None and (answer.startswith("{") or not kind_of(kind).objects):
            yield Stated(answer, len(text), len(text), shown=False)
    yield from reversed(_sentences(text, kind))
    lines = text.rstrip().rpartition("\n")
    if lines[2].lstrip().startswith("A:"):
        start = len(lines[0] + lines[1])
        yield Stated(lines[2].strip()[2:].strip(), start, start + len(lines[2]))


def _around(text: str, box: Box, kind: AnswerKind) -> tuple[int, int]:
    """The statement whose value is nothing but the box ("The answer is $\\boxed{5}$."), else the box itself."""
    for found in reversed(find_statements(text)[-_STATEMENTS_TRIED:]):
        if found.start < box.start and box.start - found.end < LAST_WORDS:
            end = value_after(text, found.end, words=kind_of(kind).in_words, heading=found.heading)
            beside = text[found.end : box.start] + text[box.end : max(end, box.end)]
            if end >= box.end and not re.search(r"[^\W_]", beside):
                return found.start, end
    line = text.rfind("\n", 0, box.start) + 1
    if re.fullmatch(r"\s*####[\s$*]*", text[line : box.start]) is None:
        return box.start, box.end
    rest = _REST_OF_LINE.match(text, box.end)
    return line, box.end if rest is None else rest.end()


def _sentences(text: str, kind: AnswerKind) -> list[Stated]:
    """The statements in words, in order."""
    sentences: list[Stated] = []
    of = kind_of(kind)
    for found in find_statements(text)[-_STATEMENTS_TRIED:]:
        end = _end(text, found, of)
        if text.count("**", found.start, end) % 2:  # "The answer is **B. Rome**."
            line = text.find("\n", end)
            closing = text.find("**", end, min(end + _LONGEST_EMPHASIS, line if line >= 0 else len(text)))
            end = closing + 2 if closing >= 0 else end
        value = _COPULA.sub("", _SENTENCE_MARK.sub("", text[found.end : end].strip()))
        if re.search(r"(?<!\*)\*\Z", text[found.start : found.end]) and re.search(r"(?<!\*)\*\Z", value):
            value = value[:-1]  # "**Answer:** *Paris*"
        if value:
            before = next((s for s in reversed(sentences[-2:]) if s.end <= found.start), None)
            rival = before.value if before is not None and _FINAL.fullmatch(text[before.end : found.end]) else None
            sentences.append(Stated(value, found.start, end, rival=rival))
    return sentences


def _end(text: str, found: Statement, of: Kind) -> int:
    """Where the value of a statement ends: with its sentence or line, whose ends inside of the value its kind passes over."""
    inside = of.extent(text, found.end)
    if inside is None:
        return value_after(text, found.end, words=of.in_words, heading=found.heading)
    rest = _REST_OF_LINE.match(text, inside)
    return value_after(text, inside, words=of.in_words, heading=found.heading) if rest is None else rest.end()


def _last_tag(text: str) -> Stated | None:
    """The last `<answer>…</answer>` that has both its ends."""
    opened: re.Match[str] | None = None
    last: Stated | None = None
    for token in _TAG.finditer(text):
        if not token[1]:
            opened = token
        elif opened is not None:
            last = Stated(
                text[opened.end() : token.start()].strip(), opened.start(), token.end(), marked=True, element=True
            )
            opened = None
    return last


@lru_cache(maxsize=8)
def _states_something(text: str, kind: AnswerKind) -> bool:
    return next(statements(text, kind), None) is not None


def own_part(text: str, kind: AnswerKind) -> str:
    """A reply up to where its turn ends, or where it continues with a problem of its own after it stated an answer."""
    if (
        ("<|" in text or "</s>" in text or "<" in text)
        and (end := _END_OF_TURN.search(text)) is not None
        and text[: end.start()].strip()
    ):
        text = text[: end.start()]
    colon = text.find(":")
    while colon >= 0:  # to look for these first is many times as quick
        line = text.rfind("\n", max(0, colon - _BEFORE_COLON - 1), colon) + 1
        if (line or colon <= _BEFORE_COLON) and _NEXT_PROBLEM.match(text, line) and text[:line].strip():
            head = text[:line]
            return head if _states_something(head, kind) else text
        colon = text.find(":", colon + 1)
    return text


def _json_answer(text: str) -> str | None:
    """The field `answer` of the last JSON object; empty where it is null, None where there is no such field."""
    for candidate in (*reversed(text.split("```")), text):
        inside = candidate.strip().removeprefix("json").strip()
        if not (inside.startswith("{") and "nswer" in inside):
            continue
        try:
            value = _field(json.loads(inside, parse_float=_Digits, parse_int=_Digits), inside)
        except (ValueError, RecursionError):
            continue
        if value is not None:
            return value
    found = list(_JSON_FIELD.finditer(text))  # broken: cut off, or with unescaped LaTeX; or amid a text
    if not found:
        return None
    quoted, listed, bare = found[-1].groups()
    if quoted is not None:
        return re.sub(r"\\([\"\\/])", r"\1", quoted[1:-1]).strip()
    value = (listed or bare).strip()
    return "" if value == "null" else value


class _Digits(str):
    """A JSON number with the digits it has in the text."""

    __slots__ = ()


def _field(fields: Any, text: str) -> str | None:
    named = [v for k, v in fields.items() if k.lower() in _JSON_NAMES] if isinstance(fields, dict) else []
    if not named:
        return None
    value = named[-1]
    if isinstance(value, (list, dict)):
        plain = [v for k, v in json.loads(text).items() if k.lower() in _JSON_NAMES][-1]
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return "" if value is None else str(value).strip(_BLANK)

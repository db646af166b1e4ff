"""Reading the final answer out of a reply.

Looked for in this order: the last `\\boxed{…}`; `#### x`; the field `answer` of a JSON object, whole or broken; the
last statement such as "The answer is x" or "Answer: x"; a last line "A: x". Where nothing is stated, numbers fall back
on the last number, choices on the option the last line names, yes/no on the last or first line, words on nothing. What
a base model writes on after its answer (`Question: …`) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from synth.records import AnswerKind
from synth.verify.booleans import last_boolean, read_boolean
from synth.verify.choices import last_named_choice, read_choice
from synth.verify.latex import last_boxed
from synth.verify.numbers import find_numbers, last_number

__all__ = ["extract_answer", "split_answer"]

_TOPIC = r"(?:\s{1,3}(?:here|to\s{1,3}(?:the|this|your)\s{1,3}(?:question|problem)))?"
_IS = r"\s{0,3}[*_]{0,2}\s{0,3}(?:\b(?:is|are|would\s{1,3}be|should\s{1,3}be|must\s{1,3}be|will\s{1,3}be)\b|[:=])"
# White space is bounded everywhere: two unbounded runs side by side take quadratic time on a long run of spaces.
_STATED = rf"""(?x)
    (?:
      \b(?:
        (?:final|correct|right|best|closest|likely|appropriate)
          \s{{1,3}}(?:answer|option|choice)(?:\s{{1,3}}choice)?
      | (?:the|my|our|so|thus|therefore|hence),?\s{{1,3}}(?:\w{{1,20}}\s{{1,3}}answer\s{{1,3}}choice|answer)
      ){_TOPIC}{_IS}
    | (?<![^\n.!?*\#>]) [\s*_\#>]{{0,6}} (?:final\s{{1,3}})? answer \s{{0,3}}[*_]{{0,2}}\s{{0,3}} (?:\bis\b|[:=])
    )
    [\s*_:]{{0,8}} (?:(?:\.{{2,3}}|…)\s{{1,3}})?
    """
_STATEMENT, _STATEMENT_LOWER = re.compile(_STATED, re.IGNORECASE), re.compile(_STATED)
_STATEMENT_WORDS = ("answer", "option", "choice")
"""One of them is in every statement; to look for them first is many times as quick."""
_BEFORE_WORD, _FROM_WORD = 40, 120
"""Characters that a statement can have before the first of these words, at most, and from it on."""
_HASHES = re.compile(r"####[ \t]{0,4}([^\n]+)")
_JSON_FIELD = re.compile(r'"answer"\s{0,4}:\s{0,4}(?:"((?:[^"\\]|\\.){0,2000})"|([^",}\n]{1,200}))')
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])|(?<=\d[.!?])\s+(?=\d)|\n")
# A base model that goes on after its answer writes the next problem itself. `Q2.` is a sub-question, and part of the
# reasoning.
_NEXT_PROBLEM = re.compile(r"(?i)[ \t#*]{0,4}(?:problem|question|q|user|human)\s?:")
_BEFORE_COLON = 13
"""Characters of a line that this can have before its colon, at most."""
_EMPHASIS = re.compile(r"\A(\*\*|__|[*_`])(.{1,2000})\1(?=\.?\Z)", re.DOTALL)
_STATEMENTS_TRIED = 50
_LAST_WORDS = 20
"""Characters after a statement that are too few to say something else."""


class _Stated(NamedTuple):
    answer: str
    start: int
    """Where in the reply the statement begins; -1 where it is not to be cut off."""
    end: int
    """Where in the reply it ends."""
    in_sentence: bool = False
    """Whether it is part of a sentence, with which it is to be cut off."""


def _statements(reply: str) -> Iterator[_Stated]:
    """What a reply states as its answer, the statement that counts most first."""
    boxed = last_boxed(reply) if "boxed" in reply else None
    if boxed is not None:
        yield _Stated(boxed, -1, len(reply))
    hashes = list(_HASHES.finditer(reply)) if "####" in reply else []
    if hashes:
        yield _Stated(hashes[-1][1].strip(), hashes[-1].start(), len(reply))
    if '"answer"' in reply:
        answer = _json_answer(reply)
        if answer is not None:
            yield _Stated(answer, -1, len(reply))
    for found in reversed(_find_statements(reply)[-_STATEMENTS_TRIED:]):
        rest = reply[found.end() : found.end() + 2000]
        said = _SENTENCE_END.split(rest, maxsplit=1)[0]
        if said.strip():
            yield _Stated(said.strip(), found.start(), found.end() + len(said), in_sentence=True)
    lines = reply.rstrip().rpartition("\n")
    if lines[2].lstrip().startswith("A:"):
        yield _Stated(lines[2].strip()[2:].strip(), len(lines[0] + lines[1]), len(reply))


@lru_cache(maxsize=8)
def _find_statements(reply: str) -> tuple[re.Match[str], ...]:
    lower = reply.lower()
    if len(lower) != len(reply):  # some letters become two
        return tuple(_STATEMENT.finditer(reply))
    found: list[re.Match[str]] = []
    end = 0
    for at in sorted(at for word in _STATEMENT_WORDS for at in _places(lower, word)):
        near = _STATEMENT_LOWER.search(lower, max(end, at - _BEFORE_WORD), at + _FROM_WORD) if at >= end else None
        if near is not None and (whole := _STATEMENT.match(reply, near.start())) is not None:
            found.append(whole)
            end = whole.end()
    return tuple(found)


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


@lru_cache(maxsize=8)
def _stated(reply: str) -> _Stated | None:
    return next(_statements(reply), None)


def _own_part(reply: str) -> str:
    """A reply up to where it goes on with a problem of its own, if it states an answer before that."""
    colon = reply.find(":")
    while colon >= 0:  # to look for these first is many times as quick
        line = reply.rfind("\n", 0, colon) + 1
        if colon - line <= _BEFORE_COLON and _NEXT_PROBLEM.match(reply, line) and reply[:line].strip():
            head = reply[:line]
            return head if _stated(head) is not None else reply
        colon = reply.find(":", colon + 1)
    return reply


def _sentence_start(reply: str, position: int) -> int:
    """Where the sentence around a position begins."""
    line = reply.rfind("\n", 0, position) + 1
    near = max(line, position - 500)
    return max((near + m.end() for m in re.finditer(r"[.!?]\s", reply[near:position])), default=line)


def _json_answer(reply: str) -> str | None:
    """The field `answer` of the last JSON object; empty where it is null, None where there is no such field."""
    for candidate in (*reversed(reply.split("```")), reply):
        text = candidate.strip().removeprefix("json").strip()
        if not (text.startswith("{") and '"answer"' in text):
            continue
        try:
            value: Any = orjson.loads(text)["answer"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if isinstance(value, (list, dict)):
            return orjson.dumps(value).decode()
        return "" if value is None else str(value).strip()
    fields = list(_JSON_FIELD.finditer(reply))  # broken: cut off, or with unescaped LaTeX
    if not fields:
        return None
    text = fields[-1][1] if fields[-1][1] is not None else fields[-1][2]
    return re.sub(r"\\([\"\\/])", r"\1", text).strip()


def extract_answer(
    reply: str, *, kind: AnswerKind, choices: Sequence[str] = (), which: Literal["stated", "last", "first"] = "stated"
) -> str | None:
    """The final answer of a reply, or None where none can be read.

    Args:
        reply: the whole reply.
        kind: the kind of answer looked for.
        choices: the options, for `choice`.
        which: `stated` as described above; `first` or `last`: the first or last candidate of that kind anywhere, for
            comparison with published extractions (arXiv:2212.10071 takes the first of a second reply).
    """
    if which != "stated":
        return _anywhere(reply, kind, choices, which)
    reply = _own_part(reply)
    after = 0
    for stated in _statements(reply):
        answer = _of_kind(stated.answer, kind, choices)
        if answer is not None:
            return answer
        after = max(after, stated.end)
        if stated.end > len(reply) - _LAST_WORDS:
            return None
    # A statement that could not be read ("The answer is not listed.") bars what stood before it, not what follows.
    return _fallback(reply[after:], kind, choices)


def _of_kind(said: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    """What a statement says, if it says something of that kind."""
    said = said.strip()
    if kind == "text":
        said = _EMPHASIS.sub(r"\2", said).rstrip(".").strip()
        if said.count("**") == 1:  # the other pair stood before the statement, or around it
            said = said.removesuffix("**").strip()
        return said.strip("\"'") or said or None
    said = said.strip("*_` ").rstrip(".").strip()
    if kind == "number":
        # An expression is an answer too, though not one that is compared as a number.
        return said if re.search(r"\d|\\[a-z]*frac|\\sqrt|\\pi\b|π", said) else None
    if kind == "choice":
        return read_choice(said, choices)
    if kind == "boolean":
        value = read_boolean(said)
        return None if value is None else ("yes" if value else "no")
    return said or None


def _fallback(reply: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    if kind == "number":
        return last_number(reply)
    if kind == "choice":
        return last_named_choice(reply, choices)
    if kind == "boolean":
        value = last_boolean(reply)
        return None if value is None else ("yes" if value else "no")
    if kind == "math":
        found = re.findall(r"\$([^$\n]{1,300})\$", reply)
        if found:
            return str(found[-1]).strip() or None
    lines = [line for line in reply.splitlines() if line.strip()]
    if len(lines) == 1 and len(reply.split()) <= 5:  # nothing but the answer
        return lines[0].strip().rstrip(".").strip() or None
    return None


def _anywhere(reply: str, kind: AnswerKind, choices: Sequence[str], which: str) -> str | None:
    if kind == "number":
        found = [n for _, n in find_numbers(reply)]
    elif kind == "choice":
        letters = "".join(chr(ord("A") + i) for i in range(len(choices) or 26))
        found = re.findall(rf"(?<![A-Za-z])([{letters}])(?![A-Za-z'’])", reply)
    elif kind == "boolean":
        found = [
            "yes" if w.lower() in {"yes", "true"} else "no"
            for w in re.findall(r"\b(?:yes|no|true|false)\b", reply, re.IGNORECASE)
        ]
    else:
        found = [line.strip() for line in reply.splitlines() if line.strip()]
    return (found[0] if which == "first" else found[-1]) if found else None


def split_answer(reply: str, *, kind: AnswerKind, choices: Sequence[str] = ()) -> tuple[str, str | None]:
    """The reasoning of a reply without the statement of the answer at its end, and the answer."""
    answer = extract_answer(reply, kind=kind, choices=choices)
    if answer is None:
        return reply.strip(), None
    if '"answer"' in reply:
        fenced = next((p for p in reversed(reply.split("```")) if '"answer"' in p), reply)
        try:
            whole = orjson.loads(fenced.strip().removeprefix("json"))
            reasoning = next(
                (whole[k] for k in ("reasoning", "rationale", "explanation") if isinstance(whole.get(k), str)), None
            )
            if reasoning is not None:
                return reasoning.strip(), answer
        except (orjson.JSONDecodeError, AttributeError):
            pass  # broken JSON stays as it is: nothing is lost
    stated = _stated(reply)
    if stated is not None and stated.start >= 0:
        start = _sentence_start(reply, stated.start) if stated.in_sentence else stated.start
        # Only a statement at the very end is cut off; what follows one in the middle is reasoning.
        if len(reply) - start <= len(stated.answer) + 200:
            head = reply[:start].strip()
            if head and "\n" not in reply[start:].strip():
                return head, answer
    return reply.strip(), answer

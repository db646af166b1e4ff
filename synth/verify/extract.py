"""Reading the final answer out of a reply.

Looked for in this order: the last `\\boxed{…}`; `#### x`; the field `answer` of a JSON object, whole or broken; the
last statement such as "The answer is x" or "Answer: x"; a last line "A: x". Where nothing is stated, numbers fall back
on the last number, choices on the last option named, yes/no on the last line, words on nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import orjson

from synth.records import AnswerKind
from synth.verify.booleans import read_boolean
from synth.verify.choices import last_named_choice, read_choice
from synth.verify.latex import last_boxed
from synth.verify.numbers import find_numbers

__all__ = ["extract_answer", "split_answer"]

_STATEMENT = re.compile(
    r"""(?ix)
    (?:
      \b(?:final|correct|right|best|likely)\s+(?:answer|option|choice)(?:\s+choice)?
        (?:\s+(?:here|to\s+(?:the|this)\s+(?:question|problem)))? \s* [*_]{0,2} \s* (?:\b(?:is|are|would\s+be|should\s+be|must\s+be)\b|[:=])
    | \b(?:the|my|our|so|thus|therefore|hence)\s+answer (?:\s+(?:here|to\s+(?:the|this)\s+(?:question|problem)))?
        \s* [*_]{0,2} \s* (?:\b(?:is|are|would\s+be|should\s+be|must\s+be)\b|[:=])
    | (?:^|(?<=[\n.!?*#>])) [\s*_\#>]{0,6} (?:final\s+)? answer \s* [*_]{0,2} \s* (?:\bis\b|[:=])
    )
    [\s*_:]{0,8}
    """
)
_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_LAST_LINE = re.compile(r"(?:\A|\n)[ \t]*A:[ \t]*([^\n]+)\s*\Z")
_FENCE = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)
_JSON_FIELD = re.compile(r'"answer"\s*:\s*(?:"((?:[^"\\]|\\.){0,2000})"|([^",}\n]{1,200}))')
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])|\n")


class _Stated(NamedTuple):
    answer: str
    start: int
    """Where in the reply the statement begins; -1 where it is not to be cut off."""


def _stated(reply: str) -> _Stated | None:
    boxed = last_boxed(reply) if "boxed" in reply else None
    if boxed is not None:
        return _Stated(boxed, -1)
    hashes = list(_HASHES.finditer(reply))
    if hashes:
        return _Stated(hashes[-1][1].strip(), hashes[-1].start())
    if '"answer"' in reply:
        answer = _json_answer(reply)
        if answer is not None:
            return _Stated(answer, -1)
    statements = list(_STATEMENT.finditer(reply))
    for last in reversed(statements):
        rest = reply[last.end() : last.end() + 2000]
        said = _SENTENCE_END.split(rest, maxsplit=1)[0].strip()
        if said:
            return _Stated(said, _sentence_start(reply, last.start()))
    line = _LAST_LINE.search(reply)
    return _Stated(line[1].strip(), line.start()) if line else None


def _sentence_start(reply: str, position: int) -> int:
    """Where the sentence around a position begins."""
    before = reply[:position]
    cut = max(
        before.rfind("\n"),
        max((m.end() - 1 for m in re.finditer(r"[.!?]\s", before[-500:])), default=-1) + max(0, len(before) - 500)
        if re.search(r"[.!?]\s", before[-500:])
        else -1,
    )
    return cut + 1


def _json_answer(reply: str) -> str | None:
    fenced = _FENCE.search(reply)
    for candidate in (fenced[1] if fenced else None, reply):
        if candidate is None:
            continue
        try:
            value: Any = orjson.loads(candidate)["answer"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if isinstance(value, (str, int, float)):
            return str(value).strip()
    fields = list(_JSON_FIELD.finditer(reply))  # broken: cut off, or with unescaped LaTeX
    if not fields:
        return None
    text = fields[-1][1] if fields[-1][1] is not None else fields[-1][2]
    return re.sub(r"\\([\"\\/])", r"\1", text).strip() or None


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
    stated = _stated(reply)
    if stated is not None and (answer := _of_kind(stated.answer, kind, choices)) is not None:
        return answer
    return _fallback(reply, kind, choices)


def _of_kind(said: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    """What a statement says, if it says something of that kind."""
    said = said.strip().strip("*_` ").rstrip(".").strip()
    if kind == "number":
        tail = said.rpartition("=")[2] if "=" in said else said
        return said if find_numbers(tail.replace("\\$", "$")) or find_numbers(said) or "\\frac" in said else None
    if kind == "choice":
        return read_choice(said, choices)
    if kind == "boolean":
        value = read_boolean(said)
        return None if value is None else ("yes" if value else "no")
    if kind == "math":
        return said.rstrip(".").strip() or None
    return said.rstrip(".").strip().strip("\"'") or None


def _fallback(reply: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    if kind == "number":
        numbers = find_numbers(reply)
        return numbers[-1][1] if numbers else None
    if kind == "choice":
        return last_named_choice(reply, choices)
    lines = [line for line in reply.splitlines() if line.strip()]
    if kind == "boolean" and lines:
        value = read_boolean(lines[-1])
        return None if value is None else ("yes" if value else "no")
    if kind == "math":
        found = re.findall(r"\$([^$\n]{1,300})\$", reply)
        if found:
            return str(found[-1]).strip()
    if len(lines) == 1 and len(reply.split()) <= 5:  # nothing but the answer
        return lines[0].strip().rstrip(".")
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
        fenced = _FENCE.search(reply)
        try:
            whole = orjson.loads(fenced[1] if fenced else reply)
            reasoning = next(
                (whole[k] for k in ("reasoning", "rationale", "explanation") if isinstance(whole.get(k), str)), None
            )
            if reasoning is not None:
                return reasoning.strip(), answer
        except (orjson.JSONDecodeError, AttributeError):
            pass  # broken JSON stays as it is: nothing is lost
    stated = _stated(reply)
    # Only a statement at the very end is cut off; what follows one in the middle is reasoning.
    if stated is not None and stated.start >= 0 and len(reply) - stated.start <= len(stated.answer) + 200:
        head = reply[: stated.start].strip()
        if head and "\n" not in reply[stated.start :].strip():
            return head, answer
    return reply.strip(), answer

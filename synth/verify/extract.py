"""Reading the final answer out of a reply.

A thought at the start of the reply is passed over. Then the answer is looked for in this order: the last
`<answer>…</answer>`; the last `\\boxed{…}`; `#### x`; the field `answer` of a JSON object, whole or broken; the last
statement such as "The answer is x", "Answer: x", "答案是x" or a heading "# Answer" with the value under it; a last line
"A: x". Where nothing is stated, numbers fall back on the last number, choices on the option the last line names, yes/no on
the last or first line, mathematics on the last formula, words on nothing. What a base model writes on after its answer
(`Question: …`) is not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from synth.records import AnswerKind
from synth.texts import split_thought
from synth.verify.booleans import last_boolean, read_boolean
from synth.verify.choices import last_named_choice, read_choice
from synth.verify.latex import Box, last_box, repair_escapes
from synth.verify.numbers import find_numbers, is_number, last_number, read_number
from synth.verify.scripts import to_halfwidth
from synth.verify.statements import find_statements, value_after, widen

__all__ = ["FoundAnswer", "extract_answer", "find_answer"]

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
_EMPHASIS = re.compile(r"\A(\*\*|__|[*_`])(.{1,2000})\1(?=\.?\Z)", re.DOTALL)
_DISPLAY = re.compile(
    r"\A(?:\$\$(?P<a>.{1,2000}?)\$\$|\\\[(?P<b>.{1,2000}?)\\\]|\\\((?P<c>.{1,2000}?)\\\)|\$(?P<d>[^$]{1,2000})\$"
    r"|```\w{0,12}\n(?P<e>.{1,2000}?)\n?```|\\begin\{(?P<env>equation|align)\*?\}(?P<f>.{1,2000}?)\\end\{(?P=env)\*?\})"
    r"(?=[.,]?\Z)",
    re.DOTALL,
)
_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,300})\$\$|\$(?P<b>[^$\n]{1,300})\$|\\\[(?P<c>.{1,300}?)\\\]|\\\((?P<d>.{1,300}?)\\\)", re.DOTALL
)
_ENDS = re.compile(r"\A[*_`\s]{1,20}|[*_`\s.。]{1,20}\Z")
_ITEM = re.compile(r"\A[-•>]\s(?=[^\W\d])")
_LIKELY = re.compile(r"\A(?:probably|most\slikely)\s(?=\S)")
_TAKEN_BACK = re.compile(
    r"(?i)[\s*_.,;\-–—]{0,6}(?:(?:no|oh|hmm+|but)\b[,.]?\s)?(?:wait|oops|hmm+|sorry|scratch\sthat|hold\son|let\sme\s(?:re-?check|reconsider|redo))\b"
)
"""How a text goes on that withdraws, or doubts, what it has stated."""
_LONGEST_EMPHASIS = 200
_COPULA = re.compile(r"(?<=[^\s])(?:です|でした|である|になります|となります|입니다|이다|이에요|예요)[。.]?\Z")
_SENTENCE_MARK = re.compile(r"(?<=[^\s!])!{1,3}\Z")
_NUMERIC = re.compile(
    r"\d|\\[a-z]*frac|\\sqrt|\\pi\b|[π√½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six"
    r"|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|dozen|half)\b",
    re.IGNORECASE,
)
_FINAL = re.compile(r"\W{0,20}final\sanswer\W{0,10}(?:(?:the\s)?answer\W{0,5})?(?:is\W{0,5})?", re.IGNORECASE)
_STATEMENTS_TRIED = 50
_SHORT_REPLY = 8
"""Words of a reply that is nothing but an answer, at most."""
_SHORT_QUESTION = 3
"""Words of an answer with a question mark behind it, at most: a longer one is the question said again."""
_LAST_WORDS = 20
"""Characters after a statement that are too few to say something else."""
_NO_ANSWER = re.compile(
    r"""(?ix) [\s*_"'(]{0,6} (?:(?:that\s)?(?:it|this|the\sanswer)\s)?
    (?: (?:cannot|can['’]?t|can\snot|could\snot|couldn['’]t|not)\s(?:be\s)?(?:determined|known|answered|found|given|calculated|listed|possible)
      | unknown | undetermined | indeterminate | n/?a\b | none\b | null\b | not\s(?:available|applicable|enough) | unclear | uncertain
      | (?:there\sis\s)?(?:insufficient|not\senough)\s )"""
)


class FoundAnswer(NamedTuple):
    """The answer of a reply, and where the reply states it."""

    answer: str | None
    """The answer; None where none can be read."""
    span: tuple[int, int] | None
    """Characters of the reply that state it (`response[slice(*span)]`): a sentence or line such as "The answer is 10.", an
    element, or the box alone where it stands inside of a sentence. None where the reply states no answer in a place of its
    own: the answer was taken as its last number, or out of a JSON object."""


class _Stated(NamedTuple):
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


def find_answer(response: str, *, kind: AnswerKind, choices: Sequence[str] = ()) -> FoundAnswer:
    """The final answer of a reply and the characters in which it is stated.

    Args:
        response: the whole reply. A thought at its start (in `<think>` tags, or those of other model families) is passed
            over; a thought without an end states no answer.
        kind: the kind of answer looked for.
        choices: the options, for `choice`.
    """
    split = split_thought(response)
    if not split.finished:
        return FoundAnswer(None, None)
    begin = response.find(split.response, split.start) if split.thought is not None else 0
    text = split.response if split.thought is not None else response
    answer, span = _find(text, kind, choices)
    if span is not None:
        span = (span[0] + begin, span[1] + begin) if begin >= 0 else None
    return FoundAnswer(answer, span)


def _find(response: str, kind: AnswerKind, choices: Sequence[str]) -> FoundAnswer:
    # A character each: places in it are places in the response.
    text = _own_part(to_halfwidth(response), kind)
    after = barred = 0
    for stated in _statements(text, kind):
        if stated.start < barred:
            continue
        said = stated.value
        if kind == "text" and stated.shown and (at := text.find(said, stated.start, stated.end)) >= 0:
            said = response[at : at + len(said)]  # full-width signs as they were
        answer = _of_kind(said, kind, choices)
        if answer is not None:
            if not stated.element and _TAKEN_BACK.match(text, stated.end) and kind != "text":
                again = _fallback(text[stated.end :], kind, choices)
                if again is None or (again != answer and not _same_number(again, answer, kind)):
                    return FoundAnswer(
                        None, None
                    )  # "The answer is A. No wait, B.": nobody can say what it is in the end
            if stated.rival is not None and _contradicts(_of_kind(stated.rival, kind, choices), answer, kind):
                return FoundAnswer(None, None)  # "The answer is 5. Final answer: 6": nobody can say which it is
            if stated.element:
                return FoundAnswer(answer, (stated.start, stated.end))
            return FoundAnswer(answer, widen(text, stated.start, stated.end) if stated.shown else None)
        after = max(after, stated.end)
        if stated.marked or stated.end > len(text) - _LAST_WORDS or _NO_ANSWER.match(said):
            barred = after
    if after and after > len(text) - _LAST_WORDS:
        return FoundAnswer(None, None)
    # A statement that could not be read ("The answer is not listed.") bars what stood before it, not what follows.
    answer = _fallback(text[after:], kind, choices)
    if answer is None:
        return FoundAnswer(None, None)
    whole = text.strip()
    if after or not _nothing_but(whole, answer, kind, choices):
        return FoundAnswer(answer, None)
    start = len(text) - len(text.lstrip())
    return FoundAnswer(answer, (start, start + len(whole)))


def _nothing_but(whole: str, answer: str, kind: AnswerKind, choices: Sequence[str]) -> bool:
    """Whether a reply holds an answer and nothing else."""
    marks = "*_`$().:\"' \n"
    plain = whole.strip(marks)
    if plain == answer.strip(marks) or (kind == "number" and is_number(whole)):
        return True
    if kind == "boolean":
        return plain.casefold() in {"yes", "no", "true", "false"}
    if kind == "choice" and choices:
        option = choices[ord(answer) - ord("A")].strip(marks).casefold()
        return plain.casefold() == option or re.sub(rf"\A{answer}[).:*\s-]{{1,6}}", "", plain).casefold() == option
    return False


def _statements(text: str, kind: AnswerKind) -> Iterator[_Stated]:
    """What a text states as its answer, the statement that counts most first."""
    tag = _last_tag(text) if "nswer" in text and "</" in text else None
    if tag is not None:
        yield tag
    box = last_box(text) if "oxed" in text or "fbox" in text else None
    if box is not None:
        inside = box.inside
        if (before := _BOX_BESIDE.search(text, max(0, box.start - 300), box.start)) is not None:
            inside = f"{before[1]}, {inside}"  # one answer in several boxes
        yield _Stated(inside, *_around(text, box, kind), marked=True)
    if "####" in text:
        yield from (
            _Stated(m[1].strip(), m.start(), m.end(), marked=True)
            for m in reversed(list(_HASHES.finditer(text))[-_STATEMENTS_TRIED:])
            if not _HEADING_TEXT.match(m[1])
        )
    if '"' in text and "nswer" in text:
        answer = _json_answer(text)
        if answer is not None:
            yield _Stated(answer, len(text), len(text), shown=False)
    yield from reversed(_sentences(text, kind))
    lines = text.rstrip().rpartition("\n")
    if lines[2].lstrip().startswith("A:"):
        start = len(lines[0] + lines[1])
        yield _Stated(lines[2].strip()[2:].strip(), start, start + len(lines[2]))


def _around(text: str, box: Box, kind: AnswerKind) -> tuple[int, int]:
    """The statement whose value is nothing but the box ("The answer is $\\boxed{5}$."), else the box itself."""
    for found in reversed(find_statements(text)[-_STATEMENTS_TRIED:]):
        if found.start < box.start and box.start - found.end < _LAST_WORDS:
            end = value_after(text, found.end, words=kind == "text", heading=found.heading)
            beside = text[found.end : box.start] + text[box.end : max(end, box.end)]
            if end >= box.end and not re.search(r"[^\W_]", beside):
                return found.start, end
    line = text.rfind("\n", 0, box.start) + 1
    if re.fullmatch(r"\s*####[\s$*]*", text[line : box.start]) is None:
        return box.start, box.end
    rest = _REST_OF_LINE.match(text, box.end)
    return line, box.end if rest is None else rest.end()


def _sentences(text: str, kind: AnswerKind) -> list[_Stated]:
    """The statements in words, in order."""
    sentences: list[_Stated] = []
    for found in find_statements(text)[-_STATEMENTS_TRIED:]:
        end = value_after(text, found.end, words=kind == "text", heading=found.heading)
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
            sentences.append(_Stated(value, found.start, end, rival=rival))
    return sentences


def _last_tag(text: str) -> _Stated | None:
    """The last `<answer>…</answer>` that has both its ends."""
    opened: re.Match[str] | None = None
    last: _Stated | None = None
    for token in _TAG.finditer(text):
        if not token[1]:
            opened = token
        elif opened is not None:
            last = _Stated(
                text[opened.end() : token.start()].strip(), opened.start(), token.end(), marked=True, element=True
            )
            opened = None
    return last


@lru_cache(maxsize=8)
def _states_something(text: str, kind: AnswerKind) -> bool:
    return next(_statements(text, kind), None) is not None


def _own_part(text: str, kind: AnswerKind) -> str:
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
        return _anywhere(split_thought(reply).response, kind, choices, which)
    return find_answer(reply, kind=kind, choices=choices).answer


def _of_kind(said: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    """What a statement says, if it says something of that kind."""
    said = (said if kind == "text" else repair_escapes(said)).strip()
    if kind == "text":
        said = _without_display(_EMPHASIS.sub(r"\2", said)).rstrip(".。").strip()
        said = _LIKELY.sub("", _ITEM.sub("", said))
        if said.count("**") == 1:  # the other pair stood before the statement, or around it
            said = said.removesuffix("**").strip()
        said = said.strip('"') or said
        return ((said.strip("'") or said) if said.startswith("'") else said) or None  # the prime of f' stays
    said = _without_display(_ENDS.sub("", said))
    if said.endswith("?") and len(said.split()) <= _SHORT_QUESTION and kind in {"number", "choice", "boolean"}:
        return None  # "The answer is yes? No."
    if kind == "number":
        # An expression is an answer too, though not one that is compared as a number.
        return said if _NUMERIC.search(said) else None
    if kind == "choice":
        return read_choice(said, choices)
    if kind == "boolean":
        value = read_boolean(said)
        return None if value is None else ("yes" if value else "no")
    return said or None


def _same_number(one: str, other: str, kind: AnswerKind) -> bool:
    a = read_number(one) if kind in {"number", "math"} else None
    return a is not None and a == read_number(other)


def _contradicts(other: str | None, answer: str, kind: AnswerKind) -> bool:
    if other is None or other == answer:
        return False
    if kind in {"choice", "boolean"}:
        return True
    a, b = read_number(other), read_number(answer)
    return a is not None and b is not None and a != b


def _without_display(said: str) -> str:
    """What stands inside of a displayed formula or a fence; other texts as they are."""
    if not said.startswith(("$$", "\\[", "```", "\\begin{")):
        return said
    found = _DISPLAY.match(said)
    if found is None:
        return said
    return next(v for k, v in found.groupdict().items() if k != "env" and v is not None).strip()


def _fallback(text: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    if kind == "number":
        # A line that is all of the reply is read as a whole: of "x > 10" it is not the 10.
        line = text.strip()
        alone = "\n" not in line and len(line.split()) <= _SHORT_REPLY
        return None if alone and read_number(line) is None else last_number(text)
    if kind == "choice":
        return last_named_choice(text, choices)
    if kind == "boolean":
        value = last_boolean(text)
        return None if value is None else ("yes" if value else "no")
    if kind == "math":
        formulas = list(_FORMULA.finditer(text))
        if formulas:
            return next(v for v in formulas[-1].groups() if v is not None).strip() or None
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(text.split()) <= 5:  # nothing but the answer
        return lines[0].strip().rstrip(".").strip() or None
    return None


def _anywhere(text: str, kind: AnswerKind, choices: Sequence[str], which: str) -> str | None:
    if kind == "number":
        found = [n for _, n in find_numbers(text)]
    elif kind == "choice":
        letters = "".join(chr(ord("A") + i) for i in range(len(choices) or 26))
        found = re.findall(rf"(?<![A-Za-z])([{letters}])(?![A-Za-z'’])", text)
    elif kind == "boolean":
        found = [
            "yes" if w.lower() in {"yes", "true"} else "no"
            for w in re.findall(r"\b(?:yes|no|true|false)\b", text, re.IGNORECASE)
        ]
    else:
        found = [line.strip() for line in text.splitlines() if line.strip()]
    return (found[0] if which == "first" else found[-1]) if found else None

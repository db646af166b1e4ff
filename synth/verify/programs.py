"""Reading a program out of a reply, and comparing what it wrote or returned. Nothing here runs a program."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["FoundProgram", "continued", "defines", "find_program", "same_output", "same_value"]

_PYTHON = frozenset({"python", "py", "python3", "py3", "python2"})
_FENCES = ("```", "~~~")
_OPEN, _CLOSE = "<answer>", "</answer>"
_BEGINNINGS = ("def ", "class ", "import ", "from ", "@", "#!", "async def ")
"""How the first line of a reply begins that is a program and nothing else."""
_TOLERANCE = 1e-9
"""Relative difference between numbers that still counts as none, where one of them has a fraction."""


class FoundProgram(NamedTuple):
    """A program in a reply."""

    code: str | None
    """The program; None where there is none in Python."""
    span: tuple[int, int] | None = None
    """The characters of the reply that hold it, with its fence."""
    language: str | None = None
    """Where there is a program in another language: its name, as the fence has it."""


class _Block(NamedTuple):
    language: str
    code: str
    start: int
    end: int


def find_program(response: str, entry_point: str | None = None) -> FoundProgram:
    """The program of a reply: its last fenced block in Python, within the last `<answer>` where there is one. A reply without any fence that
    begins like a program is one as a whole.

    Args:
        response: the reply, without its thought.
        entry_point: the function that the program is to define: a block that defines it goes before later ones that do not, such as examples.
    """
    begin, end = _answer_element(response)
    blocks = [block for block in _blocks(response, begin, end) if block.code.strip()]
    python = [block for block in blocks if block.language in _PYTHON] or [
        block for block in blocks if not block.language
    ]
    if python:
        defining = [block for block in python if entry_point is not None and defines(block.code, entry_point)]
        block = (defining or python)[-1]
        return FoundProgram(block.code, (block.start, block.end))
    if blocks:
        return FoundProgram(None, None, blocks[-1].language)
    text = response[begin:end]
    if begin or _begins_like_a_program(text):
        code = text.strip("\n").rstrip()
        return FoundProgram(code, (begin, end)) if code.strip() else FoundProgram(None)
    return FoundProgram(None)


def _answer_element(text: str) -> tuple[int, int]:
    """Where the content of the last `<answer>` stands; all of the text where there is none."""
    begin = text.rfind(_OPEN)
    if begin < 0:
        return 0, len(text)
    begin += len(_OPEN)
    end = text.find(_CLOSE, begin)
    return begin, end if end >= 0 else len(text)


def _blocks(text: str, begin: int, end: int) -> Iterator[_Block]:
    """The fenced blocks of a part of a text. One without an end goes to the end of the part."""
    mark, language, first, start = "", "", 0, 0
    at = begin
    for line in text[begin:end].splitlines(keepends=True):
        plain = line.strip()
        if not mark and plain.startswith(_FENCES):
            mark = plain[: len(plain) - len(plain.lstrip(plain[0]))]
            words = plain[len(mark) :].strip("{} .").lower().split()
            language, start, first = (words[0] if words else ""), at, at + len(line)
        elif mark and plain.startswith(mark) and not plain.strip(mark[0]):
            yield _Block(language, text[first:at].rstrip(), start, at + len(line.rstrip("\r\n")))
            mark = ""
        at += len(line)
    if mark:
        yield _Block(language, text[first:end].rstrip(), start, end)


def _begins_like_a_program(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return False
    indented = lines[0][:1] in {" ", "\t"} and all(line[:1] in {" ", "\t"} for line in lines)
    return indented or lines[0].startswith(_BEGINNINGS)


def defines(code: str, entry_point: str) -> bool:
    """Whether a program defines a function or class of that name, as far as lines show it."""
    name = entry_point.partition("(")[0].partition(".")[0].strip()
    begins = (f"def {name}(", f"async def {name}(", f"class {name}:", f"class {name}(", f"{name} =", f"def {name} (")
    return any(line.startswith(begins) for line in code.splitlines())


def continued(code: str, question: str, entry_point: str | None) -> str:
    """A program with what it takes from its question, where that is a program itself (HumanEval, MBPP): as the body of the function that the
    question ends with, if it is indented; else behind the imports and functions that stand in the question before its own.

    Args:
        code: the program, as the reply has it.
        question: the question.
        entry_point: the function that is to be defined; without it the question is not looked at.
    """
    if entry_point is None:
        return code
    asked = question if defines(question, entry_point) else find_program(question, entry_point).code or ""
    if not defines(asked, entry_point):
        return code
    first = next((line for line in code.splitlines() if line.strip()), "")
    if first[:1] in {" ", "\t"}:
        return f"{asked}\n{code}"
    before: list[str] = []
    for line in asked.splitlines():
        if defines(line, entry_point):
            break
        before.append(line)
    return "\n".join([*before, code])


def same_output(written: str, expected: str) -> bool:
    """Whether a program wrote what it was to write, blanks at the ends of lines and empty lines at the end aside."""
    return _lines(written) == _lines(expected)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]
    return lines if lines != [""] else []


def same_value(value: Any, expected: Any) -> bool:
    """Whether two values of JSON are equal: as in Python, numbers with a fraction to nine digits."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, float) or isinstance(expected, float):
        numbers = isinstance(value, (int, float)) and isinstance(expected, (int, float))
        return numbers and math.isclose(value, expected, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE**2)
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(same_value, value, expected))
    if isinstance(value, Mapping) and isinstance(expected, Mapping):
        return value.keys() == expected.keys() and all(same_value(value[name], expected[name]) for name in value)
    return bool(type(value) is type(expected) and value == expected)

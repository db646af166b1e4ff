"""How a state is written as one line, and read back without loss."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["NUMBER", "WORD", "Form", "Written", "listed", "one_of", "paired"]

S = TypeVar("S", bound=NamedTuple)

MOST_LETTERS = 20_000
"""Of a line; longer ones are not read."""
_NUMBERED = re.compile(r"\s*(?:[-*•]\s+)?(?:(?:[Ss]tep\s+)?\d{1,6}[.):]\s+)?")
"""What writers of lists put before a line."""


class Written(NamedTuple):
    """How the values of a field are written."""

    pattern: str
    """What a value looks like. It has no groups, and matches nothing with a comma, semicolon, colon or full stop in it, unless it is a list."""
    say: Callable[[Any], str]
    """A value as text."""
    read: Callable[[str], Any]
    """The value of a text that matches."""


NUMBER = Written(r"-?[0-9]{1,12}", str, int)
"""A whole number."""
WORD = Written(r"[A-Za-z0-9]{1,600}", str, str)
"""Letters and digits."""


def one_of(*words: str) -> Written:
    """One of a few texts, of which none begins another."""
    return Written("|".join(re.escape(word) for word in words), str, str)


def paired(first: Written, second: Written) -> Written:
    """Two values with a space between them; the first holds no space."""

    def say(value: tuple[Any, Any]) -> str:
        return f"{first.say(value[0])} {second.say(value[1])}"

    def read(text: str) -> tuple[Any, Any]:
        left, _, right = text.partition(" ")
        return first.read(left), second.read(right)

    return Written(f"(?:{first.pattern}) (?:{second.pattern})", say, read)


def listed(of: Written) -> Written:
    """A list of any length with commas between its values; the empty list is `none`."""

    def say(values: tuple[Any, ...]) -> str:
        return ", ".join(map(of.say, values)) or "none"

    def read(text: str) -> tuple[Any, ...]:
        return () if text == "none" else tuple(map(of.read, text.split(", ")))

    return Written(f"none|(?:{of.pattern})(?:, (?:{of.pattern}))*", say, read)


class Form(Generic[S]):
    """The form of the lines of an algorithm: a state is written by it and read by it, so that nothing is lost.

    Args:
        state: a named tuple; its fields are those of the form.
        text: the line with each field once, in braces, and one space between words. It begins with a word and ends with a full stop.
        written: how the values of each field are written.
    """

    def __init__(self, state: Callable[..., S], text: str, /, **written: Written) -> None:
        self.text = text
        self._state = state
        self._written: Mapping[str, Written] = written
        parts: list[str] = []
        for literal, name, _, _ in Formatter().parse(text.removesuffix(".")):
            parts.append(re.escape(literal))
            if name is not None:
                parts.append(f"(?P<{name}>{written[name].pattern})")
        self.pattern = re.compile("".join(parts) + r"\.?")
        self._begins = text.partition("{")[0].strip()

    def say(self, state: S) -> str:
        """The line of a state."""
        values: dict[str, Any] = state._asdict()
        return self.text.format(**{name: self._written[name].say(value) for name, value in values.items()})

    def read(self, line: str) -> S | None:
        """The state that a line states; None where it is not of this form. A number of the step before it, and more or less white space,
        are passed over.
        """
        if len(line) > MOST_LETTERS:
            return None
        found = self.pattern.fullmatch(" ".join(_bare(line).split()))
        if found is None:
            return None
        return self._state(**{name: self._written[name].read(found[name]) for name in self._written})

    def begins(self, line: str) -> bool:
        """Whether a line begins as one of this form does."""
        return _bare(line[:MOST_LETTERS]).startswith(self._begins)


def _bare(line: str) -> str:
    found = _NUMBERED.match(line)
    return line if found is None else line[found.end() :]

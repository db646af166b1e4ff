"""The little of LaTeX that answers are wrapped in."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Box", "last_box", "last_boxed", "repair_escapes", "unwrap"]

_WRAPPER = re.compile(
    r"\\(?:text|textrm|textit|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|textbf|mbox|hbox|operatorname\*?"
    r"|boldsymbol|bm|pmb|underline|emph|boxed|fbox|ensuremath)\s{0,2}\{([^{}]*)\}"
)
_STYLE = re.compile(r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|boldmath|bf|rm|it)(?![a-zA-Z])\s?")
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad|\\left(?![a-z])|\\right(?![a-z])|~")
_FRACTION = re.compile(r"\\[dtc]?frac\s{0,2}\{([^{}]+)\}\s{0,2}\{([^{}]+)\}")
_SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s{0,2}(\d)\s{0,2}(\d)")
_PLAIN_FRACTION = re.compile(r"\((-?\d{1,15}(?:\.\d{1,15})?)\)\s?/\s?\((-?\d{1,15}(?:\.\d{1,15})?)\)")
_BLANKS = re.compile(r"[ \t]+")
# A doubled backslash, or a backspace where `\b` was taken for an escape, comes from a reply that went through JSON.
_BOX = r"(?:\\{1,2}(?:boxed|fbox)|\x08oxed)"
_BRACE = re.compile(_BOX + r"\s{0,2}\{|\\.|[{}]", re.DOTALL)
_SHORT_BOXED = re.compile(r"\\boxed\s{1,2}([^\s$]+)")
_NESTED_TRIED = 4
_ESCAPED = {
    "\x0c": ("\\f", ""),  # \frac
    "\x08": ("\\b", ""),  # \boxed, \binom, \bar
    "\t": ("\\t", "imes|ext|heta|an|au|frac|o|riangle|ilde"),
    "\r": ("\\r", "ight|ho|m|angle|oot"),
    "\x07": ("\\a", ""),  # \alpha
    "\x0b": ("\\v", ""),  # \varnothing
}
_CONTROL = re.compile("|".join(f"{sign}(?:{names})" if names else sign for sign, (_, names) in _ESCAPED.items()))
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dtc]?frac|sqrt|text|pi|left|right|times|cdot|boxed|infty|mathrm|circ|pm|begin|end|cup)\b)"
)


class Box(NamedTuple):
    """A `\\boxed{…}` of a text."""

    inside: str
    """What it holds, stripped."""
    start: int
    """Where in the text it begins, with its command."""
    end: int
    """Where in the text it ends, with its brace."""


def last_box(text: str) -> Box | None:
    """The last outermost `\\boxed{…}` whose braces close; braces may be nested."""
    open_boxes: list[tuple[int, int] | None] = []  # where each open box and its inside begin; None for other braces
    last: tuple[int, int, int] | None = None
    for token in _BRACE.finditer(text):
        if len(token[0]) > 2:
            open_boxes.append(token.span())
        elif token[0] == "{":
            open_boxes.append(None)
        elif token[0] == "}" and open_boxes:
            opened = open_boxes.pop()
            if opened is not None:
                # A box around others closes last.
                last = (*opened, token.start())
    if last is not None:
        start, begin, end = last
        return Box(text[begin:end].strip(" \t\n\r"), start, end + 1)
    short = list(_SHORT_BOXED.finditer(text))
    return Box(short[-1][1], *short[-1].span()) if short else None


def last_boxed(text: str) -> str | None:
    """What stands in the last outermost `\\boxed{…}` whose braces close."""
    box = last_box(text)
    return None if box is None else box.inside


def repair_escapes(text: str) -> str:
    """LaTeX commands whose backslash was lost or doubled on the way through JSON (`\\f` of `\\frac`) with one backslash."""
    if _CONTROL.search(text) is not None:
        text = _CONTROL.sub(lambda m: _ESCAPED[m[0][0]][0] + m[0][1:], text)
    return _DOUBLED.sub(r"\\", text) if "\\\\" in text else text


def unwrap(text: str) -> str:
    """`text` without dollar signs of mathematics, text wrappers and spacing commands; plain fractions as `a/b`."""
    text = repair_escapes(text)
    text = _SPACE.sub(" ", text.replace("\\!", "").replace("\\$", "").replace("$", ""))
    text = text.replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "").replace("{,}", ",")
    text = _STYLE.sub(" ", text)
    for _ in range(_NESTED_TRIED):
        text, changed = _WRAPPER.subn(r" \1 ", text)
        if not changed:
            break
    text = _SHORT_FRACTION.sub(r" \1/\2 ", _FRACTION.sub(r" (\1)/(\2) ", text))
    text = _PLAIN_FRACTION.sub(r"\1/\2", text)
    text = _BLANKS.sub(" ", text)
    text = text.replace("\\%", "%").replace("^\\circ", "°").replace("^{\\circ}", "°")
    return text.replace("\\degree", "°").strip()

"""The little of LaTeX that answers are wrapped in."""

from __future__ import annotations

import re

__all__ = ["last_boxed", "unwrap"]

_WRAPPER = re.compile(r"\\(?:text|textrm|mathrm|mathbf|textbf|mbox|operatorname)\s{0,2}\{([^{}]*)\}")
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad|\\left(?![a-z])|\\right(?![a-z])|~")
_FRACTION = re.compile(r"\\[dt]?frac\s{0,2}\{([^{}]+)\}\s{0,2}\{([^{}]+)\}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s{0,2}(\d)\s{0,2}(\d)")
_PLAIN_FRACTION = re.compile(r"\((-?\d{1,15}(?:\.\d{1,15})?)\)\s?/\s?\((-?\d{1,15}(?:\.\d{1,15})?)\)")
_BLANKS = re.compile(r"[ \t]+")
_BRACE = re.compile(r"\\(?:boxed|fbox)\s{0,2}\{|\\.|[{}]", re.DOTALL)
_SHORT_BOXED = re.compile(r"\\boxed\s{1,2}([^\s$]+)")


def last_boxed(text: str) -> str | None:
    """What stands in the last outermost `\\boxed{…}` whose braces close; braces may be nested."""
    open_boxes: list[int | None] = []  # where the inside of each open brace begins; None for other braces
    last: tuple[int, int] | None = None
    for token in _BRACE.finditer(text):
        if len(token[0]) > 2:
            open_boxes.append(token.end())
        elif token[0] == "{":
            open_boxes.append(None)
        elif token[0] == "}" and open_boxes:
            start = open_boxes.pop()
            if start is not None:
                last = (start, token.start())
    if last is not None:
        return text[slice(*last)].strip()
    short = _SHORT_BOXED.findall(text)
    return short[-1] if short else None


def unwrap(text: str) -> str:
    """`text` without dollar signs of mathematics, text wrappers and spacing commands; plain fractions as `a/b`."""
    text = _SPACE.sub(" ", text.replace("\\!", "").replace("\\$", "").replace("$", ""))
    text = text.replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "").replace("{,}", ",")
    text = _WRAPPER.sub(r" \1 ", text)
    text = _SHORT_FRACTION.sub(r" \1/\2 ", _FRACTION.sub(r" (\1)/(\2) ", text))
    text = _PLAIN_FRACTION.sub(r"\1/\2", text)
    text = _BLANKS.sub(" ", text)
    return text.replace("\\%", "%").replace("^\\circ", "°").replace("^{\\circ}", "°").strip()

"""The little of LaTeX that answers are wrapped in."""

from __future__ import annotations

import re

__all__ = ["last_boxed", "unwrap"]

_WRAPPER = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}")
_SPACE = re.compile(r"\\[,;:! ]|\\quad|\\qquad|\\left|\\right|~")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)")


def last_boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{…}` whose braces close; braces may be nested."""
    for found in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*\{", text))):
        depth = 1
        for i in range(found.end(), min(len(text), found.end() + 2000)):
            depth += (text[i] == "{") - (text[i] == "}")
            if depth == 0:
                return text[found.end() : i].strip()
    short = re.findall(r"\\boxed\s+([^\s$]+)", text)
    return short[-1] if short else None


def unwrap(text: str) -> str:
    """`text` without dollar signs of mathematics, text wrappers and spacing commands; plain fractions as `a/b`."""
    text = _SPACE.sub(" ", text.replace("\\$", "").replace("$", ""))
    text = text.replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "")
    text = _WRAPPER.sub(r" \1 ", text)
    text = _SHORT_FRACTION.sub(r" \1/\2 ", _FRACTION.sub(r" (\1)/(\2) ", text))
    text = re.sub(r"\((-?\d+(?:\.\d+)?)\)\s*/\s*\((-?\d+(?:\.\d+)?)\)", r"\1/\2", text)
    return text.replace("\\%", "%").replace("^\\circ", "°").replace("^{\\circ}", "°").strip()

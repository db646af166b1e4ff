"""Which kind of answer a gold answer is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.records import AnswerKind
from synth.verify.numbers import is_number

__all__ = ["infer_kind"]

# No comma is both inside of a number and between two, or a list that ends otherwise would be read in 2^n ways.
_NUMBER = r"[-+−]?\d[\d.]*(?:/\d+)?%?°?"
_UNKNOWN = r"[a-z](?![A-Za-z'’])"
# Of a number only the end, or only its last run of digits: a pattern that may begin at each of its digits takes quadratic time.
_END_OF_NUMBER, _LAST_DIGITS = r"\d\.*", r"\d+\.*"
_MATH = re.compile(
    rf"""(?x)
      \\[a-zA-Z]+ | \\[{{}}] | \^ | [A-Za-z0-9)]\s*[=+*]\s*[-A-Za-z0-9(] | \b\d+[a-z]\b | \A[\[(]\s*-?[\d.]+\s*, | \A-?\d*sqrt
    | \A{_NUMBER}(?:\s*(?:,|;|,?\s(?:and|or)\s)\s*{_NUMBER})+,?\Z                  # 2, 3
    | \A\{{\s*{_NUMBER}(?:\s*,\s*{_NUMBER})*,?\s*\}}\Z                             # {{1, 2}}
    | (?<![A-Za-z])(?:{_END_OF_NUMBER}|{_UNKNOWN})\s*(?:<=|>=|[<>≤≥≠])\s*-?(?:\d|{_UNKNOWN})                # x > 10
    | (?<![A-Za-z\d])(?:{_LAST_DIGITS}|{_UNKNOWN})\s*(?:/|\s-\s|-)\s*{_UNKNOWN} | (?<![A-Za-z])[a-z]\s*[-/−]\s*\d   # n-1, x/2, a/b
    | \d_\{{?\d | (?<![A-Za-z\d])(?:\d+|[a-z])!\Z | \A-?[a-z]\Z(?<=-.) | \|[^|]{{1,80}}\| | [√∞π±×÷²³⁰-⁹₀-₉]
    """
)
_WORDS = re.compile(
    r"\A(?:n/a|a/c|i/o|w/o|y/n|b/w)\Z|(?<![^\W\d_])[^\W\d_]{4,}\s[^\W\d_]{3,}\s[^\W\d_]{2,}", re.IGNORECASE
)
"""Words of everyday language: not mathematics, even with signs among them."""


def infer_kind(answer: str, choices: Sequence[str] = ()) -> AnswerKind:
    """The kind of a gold answer: by its choices if it has any, else by its form."""
    if choices:
        return "choice"
    plain = answer.strip()
    if plain.isascii() and plain.isdigit():
        return "number"
    if plain.lower().rstrip(".") in {"yes", "no", "true", "false"}:
        return "boolean"
    if is_number(plain):
        return "number"
    found = _MATH.search(plain)
    if found is None or (found[0][0] != "\\" and _WORDS.search(plain) is not None):
        return "text"
    return "math"

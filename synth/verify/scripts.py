"""Letters of scripts that are written without spaces, and full-width signs."""

from __future__ import annotations

__all__ = ["NOT_AFTER_WORD", "NOT_BEFORE_WORD", "WORD", "to_halfwidth"]

UNSPACED = (
    r"\u0e00-\u0e4f\u0e5a-\u0eff"  # Thai, Lao; their digits are left to \w
    r"\u0f00-\u0fff\u1000-\u103f\u1050-\u109f\u1780-\u17df"  # Tibetan, Burmese, Khmer
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Japanese, Chinese
    r"\uac00-\ud7af\u1100-\u11ff"  # Korean: it has spaces, but particles and counters follow a number directly
)
WORD = rf"[^\W{UNSPACED}]"
"""A pattern for a letter, digit or underscore of a word that ends at a space; `42` in `共有42个` stands beside none."""
NOT_AFTER_WORD, NOT_BEFORE_WORD = rf"(?<!{WORD})", rf"(?!{WORD})"
"""What `\\b` is meant to say before and after a word, also beside letters of scripts without spaces."""

_HALFWIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D, 0xFE63: 0x2D}


def to_halfwidth(text: str) -> str:
    """Full-width letters, digits and signs, and the minus sign, as ASCII; the text stays as long as it was."""
    return text if text.isascii() else text.translate(_HALFWIDTH)

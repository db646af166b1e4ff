"""Answers that are one of the choices. A letter inside a word, or the article "A", is never a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.verify.latex import unwrap
from synth.verify.text import normalise_text

__all__ = ["last_named_choice", "read_choice"]

_LEAD = re.compile(
    r"\A(?:the\s+|correct\s+|answer\s+|is\s+|most\s+likely\s+|probably\s+|option\s+|choice\s+|letter\s+|[*_`'\":\-\s])+",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\A[(\[{]?\s*([A-Za-z])\s*(?:[)\]}.:,;*_`'\"]|\Z|\s+(?:is\b|because|since|as\b|-|–|—|\()|\n)")
_UPPER = re.compile(r"\A([A-Z])(?=\s+(?:[A-Z0-9(\"'$]))")
_NAMED = re.compile(r"(?:[(\[]\s*([A-Z])\s*[)\]]|\b(?:option|choice|answer)\s+(?:is\s+)?[\"'*(]*([A-Z])\b(?!['’]))")


def _letters(choices: Sequence[str]) -> str:
    return "".join(chr(ord("A") + i) for i in range(len(choices) or 26))


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """The letter a short statement names, by letter or by the option's text; None where it names none or several."""
    plain = unwrap(text[:2000]).strip()
    by_text = _by_text(plain, choices, whole=True)
    if by_text is not None and len(plain) > 1:
        return by_text
    letters = _letters(choices)
    bare = _LEAD.sub("", plain)
    for candidate in (plain, bare):
        match = _LETTER.match(candidate) or _UPPER.match(candidate)
        if (
            match
            and match[1].upper() in letters
            and not (match[1] == "a" and len(candidate) > 1 and candidate[1] == " ")
        ):
            return match[1].upper()
    return _by_text(bare, choices, whole=True) or _by_text(plain, choices, whole=False)


def _by_text(text: str, choices: Sequence[str], *, whole: bool) -> str | None:
    said = normalise_text(text)
    options = [normalise_text(c) for c in choices]
    if whole:
        hits = [i for i, o in enumerate(options) if o and o == said]
    else:
        padded = f" {said} "
        hits = [i for i, o in enumerate(options) if o and f" {o} " in padded]
        # "new york" is not "york": of options that contain each other only the longest counts.
        hits = [i for i in hits if not any(j != i and f" {options[i]} " in f" {options[j]} " for j in hits)]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def last_named_choice(text: str, choices: Sequence[str]) -> str | None:
    """Where nothing is stated: the last option named by `(B)`, `option B`, or alone on the last line."""
    letters = _letters(choices)
    lines = [line.strip(" *_`.") for line in text.splitlines() if line.strip()]
    if (
        lines
        and len(lines[-1]) <= 200
        and (last := re.match(r"\A[(\[]?([A-Z])(?:[)\].:]|\Z)", lines[-1]))
        and last[1] in letters
    ):
        return last[1]
    named = [a or b for a, b in _NAMED.findall(text) if (a or b) in letters]
    if named:
        return str(named[-1])
    return _by_text(lines[-1], choices, whole=False) if lines else None

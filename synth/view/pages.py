"""Templates, and how what models wrote is shown: as text, with every sign that acts made visible."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from synth.records import Part

__all__ = ["asset", "asset_hash", "brief", "inert", "page", "plain", "restored", "stated"]

_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters (of terminals too), marks and overrides of direction, signs without width, tag characters."""

_LONGEST = 6_000
"""Characters of one text shown at once."""


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control character: ␛ for escape
    return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def plain(value: Any) -> str:
    """`value` as text in which nothing acts: what a page shows of anything that is not markup of ours."""
    if value is None:
        return ""
    return _ACTS.sub(_sign, str(value).replace("\r\n", "\n"))


def restored(shown: str, original: str) -> str:
    """A text that somebody edited as `plain` shows it, with the acting characters of the original in place of their signs.

    A sign that the original text has as such stays a sign.
    """
    signs = {_sign(found): found[0] for found in _ACTS.finditer(original.replace("\r\n", "\n"))}
    for sign, character in signs.items():
        if sign not in original:
            shown = shown.replace(sign, character)
    return shown


def inert(value: Any, most: int = _LONGEST, length: int | None = None) -> Markup:
    """A long text as HTML: escaped, acting signs set off, cut after `most` characters with a word on what is left out.

    Args:
        value: the text, or its beginning.
        most: characters that are shown.
        length: characters of the whole text, where `value` is its beginning.
    """
    text = "" if value is None else str(value)
    left = (len(text) if length is None else length) - min(most, len(text))
    return _escaped(text[:most]) + (_cut(left) if left > 0 else "")


def stated(
    text: str,
    span: Sequence[int] | None,
    most: int = _LONGEST,
    *,
    length: int | None = None,
    statement: str | None = None,
) -> Markup:
    """A response as HTML: as `inert`, with the statement of its answer marked, also where that stands behind the cut.

    Args:
        text: the response, or its beginning.
        span: where the whole response states its answer, as (start, end) in characters; one outside of it marks nothing.
        most: characters that are shown.
        length: characters of the whole response, where `text` is its beginning.
        statement: the statement, or its beginning, where `text` may end before it.
    """
    whole = len(text) if length is None else length
    if (
        span is None or len(span) != 2 or not 0 <= span[0] < span[1] <= whole
    ):  # as a journal changed by hand may have it
        return inert(text, most, length)
    start, end = span
    shown = min(most, len(text))
    said = (text[start:end] if end <= len(text) else statement or text[start:])[:_LONGEST_STATEMENT]
    made = [_escaped(text[: min(start, shown)])]
    if start > shown:
        made.append(_cut(start - shown, Markup(" … ")))
    made.append(
        Markup('<span class="stated" title="where the response states its answer">{}</span>').format(_escaped(said))
    )
    if len(said) < end - start:
        made.append(_cut(end - start - len(said)))
    made.append(_escaped(text[end:shown]))
    if whole > max(end, shown):
        made.append(_cut(whole - max(end, shown)))
    return Markup("").join(made)


_LONGEST_STATEMENT = 1_000
"""Characters of the statement of an answer that are shown."""


def _escaped(text: str) -> Markup:
    """Text as HTML, acting signs set off."""
    text = text.replace("\r\n", "\n")
    made, at = [], 0
    for found in _ACTS.finditer(text):
        made += [escape(text[at : found.start()]), Markup('<span class="sign">{}</span>').format(_sign(found))]
        at = found.end()
    made.append(escape(text[at:]))
    return Markup("").join(made)


def _cut(left: int, after: str = "") -> Markup:
    """What stands in place of characters that are left out."""
    return Markup('<span class="cut"> … {:,} more characters{}</span>').format(left, after)


def brief(value: Any, most: int) -> str:
    """The beginning of a text on one line."""
    whole = "" if value is None else str(value)
    text = " ".join(plain(whole[: 4 * most]).split())
    return text if len(text) <= most and len(whole) <= 4 * most else text[: most - 1] + "…"


def _part(part: Part | Mapping[str, Any]) -> str:
    """A part of a record as people count: `step 1` is the first."""
    kind, index, start, end = (
        (part.kind, part.index, part.start, part.end)
        if isinstance(part, Part)
        else (part["kind"], part["index"], part["start"], part["end"])
    )
    if index is None:
        return f"characters {start} to {end}"
    return f"option {chr(ord('A') + index)}" if kind == "option" else f"{kind} {index + 1}"


def _number(value: float | None, digits: int = 3) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if abs(value) < 100 else f"{value:,.0f}"


def _money(value: float | None) -> str:
    if value is None:
        return "?"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else "<0.01" if value < 0.01 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _pretty(value: Any) -> str:
    """JSON as people read it; anything else as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Markup) else plain(value)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("synth.view"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "brief": brief,
        "inert": inert,
        "stated": stated,
        "part": _part,
        "number": _number,
        "money": _money,
        "seconds": _seconds,
        "pretty": _pretty,
    }
    return made


def page(template: str, **values: Any) -> str:
    """A template of this package, filled in; whatever is not markup of ours is escaped and inert."""
    return _environment().get_template(template).render(**values)


@cache
def asset(name: str) -> str:
    """A style sheet or script of ours."""
    return resources.files("synth.view").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def asset_hash(name: str) -> str:
    """What a Content-Security-Policy calls it by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(asset(name).encode()).digest()).decode()

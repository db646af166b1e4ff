"""Templates, and how what models wrote is shown: as text, with every sign that acts made visible."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from synth.records import Part
from synth.render.inert import ACTS, brief, plain, sign
from synth.render.numbers import dollars, latency, number

__all__ = ["as_html", "asset", "asset_hash", "page", "stated"]

_OURS = "synth.render"
_LONGEST = 6_000
"""Characters of one text shown at once."""


def as_html(value: Any, most: int = _LONGEST, length: int | None = None) -> Markup:
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
    """A response as HTML: as `as_html`, with the statement of its answer marked, also where that stands behind the cut.

    Args:
        text: the response, or its beginning.
        span: where the whole response states its answer, as (start, end) in characters; one outside of it marks nothing.
        most: characters that are shown.
        length: characters of the whole response, where `text` is its beginning.
        statement: the statement, or its beginning, where `text` may end before it.
    """
    whole = len(text) if length is None else length
    if span is None or len(span) != 2 or not 0 <= span[0] < span[1] <= whole:  # as an edited journal may have it
        return as_html(text, most, length)
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
    for found in ACTS.finditer(text):
        made += [escape(text[at : found.start()]), Markup('<span class="sign">{}</span>').format(sign(found))]
        at = found.end()
    made.append(escape(text[at:]))
    return Markup("").join(made)


def _cut(left: int, after: str = "") -> Markup:
    """What stands in place of characters that are left out."""
    return Markup('<span class="cut"> … {:,} more characters{}</span>').format(left, after)


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
def _environment(package: str) -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, _OURS))]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "brief": brief,
        "inert": as_html,
        "stated": stated,
        "part": _part,
        "number": number,
        "money": dollars,
        "seconds": latency,
        "pretty": _pretty,
    }
    return made


def page(template: str, /, package: str = _OURS, **values: Any) -> str:
    """A template, filled in; what is not markup of ours is escaped and inert.

    Args:
        template: its file.
        package: in whose folder `templates` it lies; it may import those of this package.
        values: what it sees.
    """
    return _environment(package).get_template(template).render(**values)


@cache
def asset(name: str, package: str = _OURS) -> str:
    """A style sheet or script of ours, from the folder `templates` of a package."""
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def asset_hash(name: str) -> str:
    """What a Content-Security-Policy calls it by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(asset(name).encode()).digest()).decode()

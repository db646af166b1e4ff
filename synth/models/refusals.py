"""Why a server refused: its status, its words and its headers, as a `ModelError` that says whether to ask again, and when."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from synth.errors import ModelError
from synth.models.transport import HttpReply
from synth.nesting import maybe_deep, too_deep
from synth.redact import redact

__all__ = ["pause_of", "refusal_of_server"]

_SPAN = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONG_AGO = 1e9
"""What is larger is a time since the epoch and no span: some servers say when, where others say in how long."""


def refusal_of_server(
    reply: HttpReply,
    url: str,
    *,
    model: str,
    key_variable: str | None = None,
    sent: Collection[str] = (),
    answered: int | None = None,
) -> ModelError:
    """The error a reply of another status than 2xx stands for.

    Args:
        reply: what came.
        url: where it came from, for messages.
        model: the model that was asked.
        key_variable: where the key was taken from, for fixes.
        sent: names of the parameters that were sent.
        answered: the status it came with, where the error stood in the body of a good one.
    """
    error = _error_of(reply.body)
    said = error.get("message") or error.get("detail") or reply.body[:500].decode(errors="replace").strip()
    body = redact(said if isinstance(said, str) else orjson.dumps(said).decode())[:500]
    status, at = reply.status, f"{url} answered {reply.status}: {body}"
    if answered is not None:
        at = (
            f"{url} answered {answered}, with an error"
            + (f" ({status})" if str(status) in str(error) else "")
            + f": {body}"
        )
    if status in {403, 404} and _about_the_prompt(error, body):
        return ModelError("refused" if status == 403 else "bad_request", at)
    if status in {401, 403}:
        fix = (
            f"check the key in {key_variable}"
            if key_variable
            else "this endpoint wants a key: name its variable in the profile (key:)"
        )
        # A 403 is sent for a key, a country and a single prompt: many in a row show which (see `caller.py`).
        return ModelError("auth", at, fatal=status == 401, fix=fix)
    if 300 <= status < 400:
        there = redact(reply.headers.get("location", "another address"))[:500]
        fix = f"it sends us on to {there}: give that as base_url"
        return ModelError("not_found", at, fatal=True, fix=fix)
    if status in {404, 405}:
        fix = f"check base_url and the model's name ({model})"
        return ModelError("not_found", at, fatal=_no_such_model(body), fix=fix)
    if status in {402, 429}:
        # A spent quota comes as 429 too, and waiting does not fix it.
        words = {str(error.get("code")), str(error.get("type"))}
        spent = status == 402 or bool({"insufficient_quota", "billing_hard_limit_reached"} & words)
        credit = "the account has no credit left: add some, or take another model"
        return ModelError(
            "rate_limit",
            at,
            retriable=not spent,
            fatal=spent,
            retry_after=_wait(reply.headers),
            fix=credit if spent else None,
        )
    if status in {408, 409, 425} or status >= 500:
        return ModelError("server", at, retriable=True, retry_after=_wait(reply.headers), unavailable=status == 503)
    if error.get("code") == "content_filter" or "content management policy" in body:
        return ModelError("refused", at)
    if _no_such_model(body):
        return ModelError("bad_request", at, fatal=True, fix=f"check the model's name ({model})")
    if _TOO_MANY_TOKENS.search(body):
        fix = "lower max_tokens of the step; for a model that thinks, reasoning: N in its profile (the tokens of its thought)"
        return ModelError("bad_request", at, fix=fix)
    if (parameter := _refused_parameter(error, body, sent)) is not None:
        return ModelError("bad_request", at, parameter=parameter, fix=_taken_away(parameter))
    if "stream" not in sent and _ONLY_STREAMS.search(body):
        fix = "if this endpoint only streams: stream: true in the profile of this model (models.yaml)"
        return ModelError("bad_request", at, parameter="stream", fix=fix)
    return ModelError("bad_request", at)


_ONLY_STREAMS = re.compile(
    r"non-?stream|\bstream(?:ing)?\b[^.]{0,40}\b(?:only|required|must|true|enabled)\b"
    r"|\b(?:only|requires?|must|needs?|set)\b[^.]{0,60}\bstream(?!_options)",
    re.IGNORECASE,
)
_TOO_MANY_TOKENS = re.compile(
    r"max(?:_completion|_output)?_tokens[^.]{0,80}(?:too large|too high|exceeds?|at most|less than|greater than)"
    r"|maximum context length|context window",
    re.IGNORECASE,
)
_UNSUPPORTED = (
    r"(?:unsupported|unrecogni[sz]ed|unknown|unexpected|not permitted|deprecated|does not support|invalid (?:parameter|argument)"
    r"|(?:is|are) not (?:supported|allowed|permitted|accepted))"
)
_OF_REASONING = frozenset(
    {"max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"}
)
"""What models that reason often do not take."""


def _refused_parameter(error: Mapping[str, Any], said: str, sent: Collection[str]) -> str | None:
    """The name of the parameter that an endpoint does not take, of those that were sent."""
    named = re.split(r"[.\[]", str(error.get("param") or ""))[0]
    if named and named not in sent:
        return None  # it is about something else, such as a message
    if str(error.get("code")) in {"unsupported_parameter", "unsupported_value", "unknown_parameter"} and named:
        return named
    for name in (named,) if named else sent:
        word = rf"(?<!\w){re.escape(name)}(?!\w)"
        if re.search(rf"{_UNSUPPORTED}[^.]{{0,60}}?{word}|{word}[^.]{{0,60}}?{_UNSUPPORTED}", said, re.IGNORECASE):
            return name
    return None


def _taken_away(parameter: str) -> str:
    """What to write in a profile so that a parameter is not sent."""
    fix = f"take it away in the profile of this model (models.yaml): parameters: {{{parameter}: null}}"
    if parameter in _OF_REASONING:
        own = "{max_tokens: null, temperature: null, max_completion_tokens: 16384}"
        fix += f"; models that reason often take {own}"
    return fix


def _no_such_model(said: str) -> bool:
    said = said.lower()
    return "model" in said and ("not found" in said or "does not exist" in said)


def _about_the_prompt(error: Mapping[str, Any], said: str) -> bool:
    """Whether a 403 or 404 is about what was asked, and not about who asks: moderation, or a kind of part that nobody
    there takes (OpenRouter).
    """
    more = error.get("metadata")
    flagged = isinstance(more, dict) and ("flagged_input" in more or "reasons" in more)
    said = said.lower()
    return flagged or any(words in said for words in ("moderation", "flagged", "no endpoints found that support"))


def _error_of(body: bytes) -> Mapping[str, Any]:
    """The error object of a reply, in the formats in use."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if maybe_deep(body) and too_deep(found):
        return {}
    if isinstance(found, list) and found:  # Gemini
        found = found[0]
    if not isinstance(found, dict):
        return {}
    error = found.get("error", found)
    return error if isinstance(error, dict) else {"message": str(error)}


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until a refused call is worth another try, if the server says."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (seconds := _span(headers.get(name, ""), headers, unit)) is not None:
            return seconds
    return pause_of(headers)


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Seconds until there is quota again, where the headers say that none remains."""
    waits = [
        _span(headers.get(f"x-ratelimit-reset-{kind}", ""), headers)
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}", "").strip() == "0"
    ]
    return max((w for w in waits if w is not None), default=None)


def _span(text: str, headers: Mapping[str, str], unit: float = 1.0) -> float | None:
    """Seconds from now to what is written as `6m0s`, `120ms`, `1.5`, seconds since the epoch, or a date; None for
    anything else.
    """
    if not text:
        return None
    try:
        value = float(text) * unit
        if value > _LONG_AGO:
            value = (value / 1000 if value > 1000 * _LONG_AGO else value) - _now(headers)
    except ValueError:
        if found := _SPAN.findall(text):
            value = sum(float(n) * _SECONDS[unit] for n, unit in found)
        elif (date := _date(text)) is not None:
            value = date - _now(headers)
        else:
            return None
    return max(0.0, value) if math.isfinite(value) else None


def _now(headers: Mapping[str, str]) -> float:
    """The server's clock, where it shows it: ours may go wrong."""
    shown = _date(headers.get("date", ""))
    return time.time() if shown is None else shown


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None

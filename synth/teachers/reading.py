"""What a server's reply means: a completion, or the reason why there is none.

Servers send what they like: whatever JSON comes gives a completion whose fields are what they are said to be, or a
`TeacherError`. A count that is none and a text that is none do not spoil a reply that was paid for.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from synth.errors import TeacherError
from synth.redact import redact
from synth.teachers.request import Completion
from synth.teachers.wire import WireReply

__all__ = ["read_reply", "refusal_of_server"]

_THINKING = re.compile(r"\A\s*(?:<think(?:ing)?>)?(.*?)</think(?:ing)?>\s*", re.DOTALL)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONG_AGO = 1e9
"""What is larger is a time since the epoch and no span: some servers say when, where others say in how long."""
MOST_TOKENS = 10**9
"""No model reads or writes as many in one call: a count beyond is a mistake, and would spoil every sum."""


def read_reply(
    reply: WireReply, url: str, *, model: str, key_variable: str | None = None, scored: str | None = None
) -> Completion:
    """The completion a server sent.

    Args:
        reply: what came.
        url: where it came from, for messages.
        model: the model that was asked.
        key_variable: where the key was taken from, for remedies.
        scored: the given text whose log-probabilities were asked for.

    Raises:
        TeacherError: the server refused, or its reply cannot be read; `cause` says which.
    """
    if not 200 <= reply.status < 300:
        raise refusal_of_server(reply, url, model=model, key_variable=key_variable)
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        body = _tolerantly(reply, str(error))
    if isinstance(body, dict) and body.get("error") and not body.get("choices"):  # some gateways: 200, and an error
        code = body["error"].get("code") if isinstance(body["error"], dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 502
        raise refusal_of_server(reply._replace(status=status), url, model=model, key_variable=key_variable)
    try:
        return _read(body, _pause(reply.headers)) if scored is None else _read_scores(body, scored)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise _malformed("it has no choices" if not _choices(body) else "it has no message", reply) from error


def _choices(body: Any) -> Any:
    return body.get("choices") if isinstance(body, dict) else None


def _tolerantly(reply: WireReply, why: str) -> Any:
    """JSON with what Python's own writer allows and the standard does not: a byte order mark, NaN, half a pair of
    surrogates.
    """
    try:
        text = reply.body.decode("utf-8-sig")
        return _whole(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it is not JSON ({why})", reply) from error


def _whole(value: Any) -> Any:
    """A JSON value whose texts can be written down."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(k): _whole(v) for k, v in value.items()}
    return [_whole(v) for v in value] if isinstance(value, list) else value


def _count(value: Any) -> int | None:
    """A count of tokens; None for what is none."""
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else None
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return _count(int(value)) if isinstance(value, float) and value.is_integer() else None


def _text(value: Any) -> str | None:
    """A text; what should be one and is not, as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if value else None


def _usage(body: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Tokens read and written."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None, None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _choice(body: Mapping[str, Any]) -> Any:
    """The first choice: not always the first one that is listed."""
    choices = body["choices"]
    if len(choices) > 1:
        return min(choices, key=lambda c: c.get("index") or 0)
    return choices[0]


def _read(body: Mapping[str, Any], pause: float | None) -> Completion:
    choice = _choice(body)
    message = choice.get("message")
    if message is None:  # a completion endpoint
        message = {"content": choice["text"]}
    content = message.get("content") or ""
    if not isinstance(content, str):  # parts, of which some servers send several
        content = "".join(part.get("text", "") for part in content if part.get("type", "text") == "text")
    thinking = _text(message.get("reasoning_content") or message.get("reasoning"))
    if thinking is None and "</think" in content and (found := _THINKING.match(content)):
        thinking, content = found[1].strip(), content[found.end() :]
    finish, refusal, logprobs = choice.get("finish_reason"), message.get("refusal"), choice.get("logprobs")
    if broken := choice.get("error"):  # some gateways: half a reply, and why it is no more
        finish, refusal = "error", redact(_text(broken) or "")
    read, written = _usage(body)
    return Completion(
        text=content,
        finish=_text(finish),
        thinking=thinking,
        prompt_tokens=read,
        completion_tokens=written,
        logprobs=None if logprobs is None else _logprobs(logprobs),
        served_model=_text(body.get("model")),
        refusal=_text(refusal),
        pause=pause,
    )


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Candidate(TypedDict, total=False):
    token: str
    logprob: _Finite | None
    bytes: list[int] | None


class _Token(TypedDict):
    token: str
    logprob: _Finite


class _TokenOfChat(_Token, total=False):
    bytes: list[int] | None
    top_logprobs: list[_Candidate] | None


class _OfChat(TypedDict):
    content: list[_TokenOfChat]


class _OfCompletions(TypedDict, total=False):
    tokens: list[str]
    token_logprobs: list[_Finite | None]
    top_logprobs: list[dict[str, _Finite] | None] | None
    text_offset: list[int] | None


@cache
def _shapes() -> TypeAdapter[Any]:
    return TypeAdapter(_OfChat | _OfCompletions)


def _logprobs(value: Any) -> Any:
    """Log-probabilities as one of the two interfaces gives them; None for what is neither."""
    try:
        found = _shapes().validate_python(value)
    except ValidationError:
        return None
    return found if len(found.get("tokens", ())) == len(found.get("token_logprobs", ())) else None


def _read_scores(body: Mapping[str, Any], scored: str) -> Completion:
    """The tokens of a given text with their log-probabilities: the last ones of the prompt that spell it."""
    choice, (read, written) = _choice(body), _usage(body)
    echoed = choice.get("logprobs")
    if echoed and echoed.get("text_offset"):  # a completion endpoint that echoes; the last token it wrote itself
        end = len(choice["text"]) if not written else echoed["text_offset"][-1]
        spans = zip(echoed["text_offset"], echoed["tokens"], echoed["token_logprobs"], strict=True)
        known = [(token, value) for offset, token, value in spans if offset < end]
    else:  # vLLM: for each token of the prompt a dictionary with the one entry
        listed = body.get("prompt_logprobs") or choice.get("prompt_logprobs") or []
        entries = [next(iter(e.values())) if e else None for e in listed]
        known = [(e["decoded_token"], e["logprob"]) if e else ("", None) for e in entries]
    tokens: list[str] = []
    values: list[float] = []
    for token, value in reversed(known):
        if len("".join(tokens)) >= len(scored):
            break
        if value is not None and math.isfinite(value):
            tokens.insert(0, token)
            values.insert(0, float(value))
    if not "".join(tokens).endswith(scored):
        raise TeacherError("malformed", "the endpoint gave no log-probabilities of the text that was to be scored")
    return Completion(
        text=scored,
        finish="scored",
        prompt_tokens=read,
        completion_tokens=written,
        logprobs={"tokens": tokens, "token_logprobs": values},
        served_model=_text(body.get("model")),
    )


def _malformed(why: str, reply: WireReply) -> TeacherError:
    raw = redact(reply.body[:2000].decode(errors="replace"))
    return TeacherError("malformed", f"the reply cannot be read: {why}", retriable=True, raw=raw)


def refusal_of_server(reply: WireReply, url: str, *, model: str, key_variable: str | None = None) -> TeacherError:
    """The error a reply of another status than 2xx stands for."""
    error = _error_of(reply.body)
    said = error.get("message") or error.get("detail") or reply.body[:500].decode(errors="replace").strip()
    body = redact(said if isinstance(said, str) else orjson.dumps(said).decode())[:500]
    status, at = reply.status, f"{url} answered {reply.status}: {body}"
    if status in {403, 404} and _about_the_prompt(error, body):
        return TeacherError("refused" if status == 403 else "bad_request", at)
    if status in {401, 403}:
        remedy = (
            f"check the key in {key_variable}"
            if key_variable
            else "this endpoint wants a key: name its variable in the profile (key:)"
        )
        # A 403 is sent for a key, a country and a single prompt: many in a row tell which (see `caller.py`).
        return TeacherError("auth", at, fatal=status == 401, remedy=remedy)
    if 300 <= status < 400:
        there = redact(reply.headers.get("location", "another address"))[:500]
        remedy = f"it sends us on to {there}: give that as base_url"
        return TeacherError("not_found", at, fatal=True, remedy=remedy)
    if status in {404, 405}:
        remedy = f"check base_url and the model's name ({model})"
        return TeacherError("not_found", at, fatal=_no_such_model(body), remedy=remedy)
    if status in {402, 429}:
        # A spent quota comes as 429 too, and waiting does not mend it.
        words = {str(error.get("code")), str(error.get("type"))}
        spent = status == 402 or bool({"insufficient_quota", "billing_hard_limit_reached"} & words)
        credit = "the account has no credit left: add some, or take another teacher"
        return TeacherError(
            "rate_limit",
            at,
            retriable=not spent,
            fatal=spent,
            retry_after=_wait(reply.headers),
            remedy=credit if spent else None,
        )
    if status in {408, 409, 425} or status >= 500:
        return TeacherError("server", at, retriable=True, retry_after=_wait(reply.headers))
    if error.get("code") == "content_filter" or "content management policy" in body:
        return TeacherError("refused", at)
    fatal = _no_such_model(body)
    name = f"check the model's name ({model})"
    return TeacherError("bad_request", at, fatal=fatal, remedy=name if fatal else None)


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
    """The error object of a reply, in the shapes that are about."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
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
    return _pause(headers)


def _pause(headers: Mapping[str, str]) -> float | None:
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

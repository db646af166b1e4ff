"""What a server's reply means: a completion, or the reason why there is none.

Servers send what they like: whatever JSON comes gives a completion whose fields are what they are said to be, or a
`ModelError`. A count that is none and a text that is none do not spoil a reply that was paid for.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from synth.errors import ModelError
from synth.models.request import Completion
from synth.models.stream import assembled, is_stream
from synth.models.thought import part
from synth.models.transport import HttpReply
from synth.nesting import TOO_DEEP, maybe_deep, too_deep
from synth.redact import redact, scrub
from synth.texts.thoughts import TABLE, Mark

__all__ = ["read_reply", "refusal_of_server"]

_SPAN = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONG_AGO = 1e9
"""What is larger is a time since the epoch and no span: some servers say when, where others say in how long."""
MOST_TOKENS = 10**9
"""No model reads or writes as many in one call: a count beyond is a mistake, and would spoil every sum."""


def read_reply(
    reply: HttpReply,
    url: str,
    *,
    model: str,
    key_variable: str | None = None,
    scored: str | None = None,
    marks: Sequence[Mark] = TABLE,
    summarised: bool = False,
    sent: Collection[str] = (),
) -> Completion:
    """The completion a server sent.

    Args:
        reply: what came.
        url: where it came from, for messages.
        model: the model that was asked.
        key_variable: where the key was taken from, for remedies.
        scored: the given text whose log-probabilities were asked for.
        marks: the tags by which a thought within the content is known.
        summarised: whether what the endpoint sends as reasoning is a summary of it.
        sent: names of the parameters that were sent.

    Raises:
        ModelError: the server refused, or its reply cannot be read; `cause` says which.
    """
    if not 200 <= reply.status < 300:
        raise refusal_of_server(reply, url, model=model, key_variable=key_variable, sent=sent)
    if is_stream(reply):
        try:  # scrubbed once more: a secret may have come in two pieces
            body = orjson.loads(scrub(json.dumps(_whole(assembled(reply.body)), ensure_ascii=False).encode()))
        except (ValueError, RecursionError):
            body = None
        if body is None:
            raise _malformed("it is a stream of events, none of which is JSON", reply)
    else:
        try:
            body = orjson.loads(reply.body)
        except orjson.JSONDecodeError as error:
            body = _tolerantly(reply, str(error))
        if maybe_deep(reply.body) and too_deep(body):
            raise _malformed(TOO_DEEP, reply)
    if (refused := _status_within(body)) is not None:
        inner = reply._replace(status=refused, body=orjson.dumps(body))
        raise refusal_of_server(inner, url, model=model, key_variable=key_variable, sent=sent, answered=reply.status)
    try:
        if scored is not None:
            return _read_scores(body, scored)
        return _read(body, _pause(reply.headers), marks, summarised=summarised)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise _malformed("it has no choices" if not _choices(body) else "it has no message", reply) from error


def _status_within(body: Any) -> int | None:
    """The status of an error that came with 200 and in place of a reply, as some servers and gateways send it.

    502 where the error says none: nothing is known but that it is the server's. None where the reply is no error.
    """
    if isinstance(body, list) and body:  # Gemini
        body = body[0]
    if not isinstance(body, dict) or body.get("choices"):
        return None
    error = body.get("error")
    if not error and (body.get("object") == "error" or "choices" not in body):
        error = body.get("detail") or (body["message"] if isinstance(body.get("message"), str) else None)
    if not error:
        return None
    for said in (error, body):
        for name in ("code", "status", "status_code") if isinstance(said, dict) else ():
            if (code := _count(said.get(name))) is not None and 400 <= code < 600:
                return code
    return 502


def _choices(body: Any) -> Any:
    return body.get("choices") if isinstance(body, dict) else None


def _tolerantly(reply: HttpReply, why: str) -> Any:
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


def _usage(body: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Tokens read, tokens written, and how many of these are reasoning.

    Most providers count reasoning within the tokens written. Where it stands beside them (xAI), which the total shows or
    the reasoning being more, it is added: it is paid for at the same price.
    """
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None, None, None
    read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    reasoning = _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    if reasoning is None:
        reasoning = _count(usage.get("reasoning_tokens"))
    if reasoning and written is not None:
        beside = _count(usage.get("total_tokens")) == (read or 0) + written + reasoning
        if reasoning > written or beside:
            written += reasoning
    return read, written, reasoning


def _choice(body: Mapping[str, Any]) -> Any:
    """The first choice: not always the first one that is listed."""
    choices = body["choices"]
    if len(choices) > 1:
        return min(choices, key=lambda c: c.get("index") or 0)
    return choices[0]


def _read(body: Mapping[str, Any], pause: float | None, marks: Sequence[Mark], *, summarised: bool) -> Completion:
    choice = _choice(body)
    message = choice.get("message")
    if message is None:
        message = choice.get("delta")  # one piece of a stream, which is the whole
    if message is None:  # a completion endpoint
        message = {"content": choice["text"]}
    read, written, reasoning = _usage(body)
    parted = part(message, marks, summarised=summarised, reasoned=bool(reasoning))
    finish, refusal, logprobs = choice.get("finish_reason"), message.get("refusal"), choice.get("logprobs")
    if broken := choice.get("error"):  # some gateways: half a reply, and why it is no more
        finish, refusal = "error", redact(_text(broken) or "")
    return Completion(
        text=parted.response,
        finish=_text(finish),
        thought=parted.thought,
        thought_kind=parted.kind,
        thought_from=parted.source,
        finished=parted.finished,
        notes=parted.notes,
        prompt_tokens=read,
        completion_tokens=written,
        reasoning_tokens=reasoning,
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
    choice, (read, written, _) = _choice(body), _usage(body)
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
    length = 0
    for token, value in reversed(known):
        if length >= len(scored):
            break
        if value is not None and math.isfinite(value):
            tokens.append(token)
            values.append(float(value))
            length += len(token)
    tokens.reverse()
    values.reverse()
    if not "".join(tokens).endswith(scored):
        raise ModelError("malformed", "the endpoint gave no log-probabilities of the text that was to be scored")
    return Completion(
        text=scored,
        finish="scored",
        prompt_tokens=read,
        completion_tokens=written,
        logprobs={"tokens": tokens, "token_logprobs": values},
        served_model=_text(body.get("model")),
    )


def _malformed(why: str, reply: HttpReply) -> ModelError:
    raw = redact(reply.body[:2000].decode(errors="replace"))
    return ModelError("malformed", f"the reply cannot be read: {why}", retriable=True, raw=raw)


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
        key_variable: where the key was taken from, for remedies.
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
        remedy = (
            f"check the key in {key_variable}"
            if key_variable
            else "this endpoint wants a key: name its variable in the profile (key:)"
        )
        # A 403 is sent for a key, a country and a single prompt: many in a row tell which (see `caller.py`).
        return ModelError("auth", at, fatal=status == 401, remedy=remedy)
    if 300 <= status < 400:
        there = redact(reply.headers.get("location", "another address"))[:500]
        remedy = f"it sends us on to {there}: give that as base_url"
        return ModelError("not_found", at, fatal=True, remedy=remedy)
    if status in {404, 405}:
        remedy = f"check base_url and the model's name ({model})"
        return ModelError("not_found", at, fatal=_no_such_model(body), remedy=remedy)
    if status in {402, 429}:
        # A spent quota comes as 429 too, and waiting does not mend it.
        words = {str(error.get("code")), str(error.get("type"))}
        spent = status == 402 or bool({"insufficient_quota", "billing_hard_limit_reached"} & words)
        credit = "the account has no credit left: add some, or take another model"
        return ModelError(
            "rate_limit",
            at,
            retriable=not spent,
            fatal=spent,
            retry_after=_wait(reply.headers),
            remedy=credit if spent else None,
        )
    if status in {408, 409, 425} or status >= 500:
        return ModelError("server", at, retriable=True, retry_after=_wait(reply.headers), unavailable=status == 503)
    if error.get("code") == "content_filter" or "content management policy" in body:
        return ModelError("refused", at)
    if _no_such_model(body):
        return ModelError("bad_request", at, fatal=True, remedy=f"check the model's name ({model})")
    if _TOO_MANY_TOKENS.search(body):
        remedy = "lower max_tokens of the step; for a model that thinks, reasoning: N in its profile (the tokens of its thought)"
        return ModelError("bad_request", at, remedy=remedy)
    if (parameter := _refused_parameter(error, body, sent)) is not None:
        return ModelError("bad_request", at, parameter=parameter, remedy=_taken_away(parameter))
    if "stream" not in sent and _ONLY_STREAMS.search(body):
        remedy = "if this endpoint only streams: stream: true in the profile of this model (models.yaml)"
        return ModelError("bad_request", at, parameter="stream", remedy=remedy)
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
    remedy = f"take it away in the profile of this model (models.yaml): parameters: {{{parameter}: null}}"
    if parameter in _OF_REASONING:
        own = "{max_tokens: null, temperature: null, max_completion_tokens: 16384}"
        remedy += f"; models that reason often take {own}"
    return remedy


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

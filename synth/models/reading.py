"""What a server's reply means: a completion, or the reason why there is none.

Servers send what they like: any JSON gives a completion whose fields are what they are said to be, or a
`ModelError`. A count that is none and a text that is none do not spoil a reply that was paid for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from synth.errors import ModelError
from synth.models.refusals import pause_of, refusal_of_server
from synth.models.request import Completion
from synth.models.stream import assembled, is_stream
from synth.models.thought import part
from synth.models.transport import HttpReply
from synth.nesting import TOO_DEEP, maybe_deep, too_deep
from synth.redact import redact, scrub
from synth.texts.marks import TABLE, Mark

__all__ = ["read_reply"]

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
        key_variable: where the key was taken from, for fixes.
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
        return _read(body, pause_of(reply.headers), marks, summarised=summarised)
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

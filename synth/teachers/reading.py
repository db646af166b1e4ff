"""What a server's reply means: a completion, or the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from synth.errors import TeacherError
from synth.redact import redact
from synth.teachers.request import Completion
from synth.teachers.wire import WireReply

__all__ = ["read_reply", "refusal_of_server"]

_THINKING = re.compile(r"\A\s*(?:<think(?:ing)?>)?(.*?)</think(?:ing)?>\s*", re.DOTALL)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


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
    if reply.status != 200:
        raise refusal_of_server(reply, url, model=model, key_variable=key_variable)
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise _malformed(f"it is not JSON ({error})", reply) from error
    if isinstance(body, dict) and body.get("error") and not body.get("choices"):  # some gateways: 200, and an error
        code = body["error"].get("code") if isinstance(body["error"], dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 502
        raise refusal_of_server(reply._replace(status=status), url, model=model, key_variable=key_variable)
    try:
        return _read(body, _pause(reply.headers)) if scored is None else _read_scores(body, scored)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise _malformed("it has no choices" if not _choices(body) else "it has no message", reply) from error


def _choices(body: Any) -> Any:
    return body.get("choices") if isinstance(body, dict) else None


def _read(body: Mapping[str, Any], pause: float | None) -> Completion:
    choice, usage = body["choices"][0], body.get("usage") or {}
    message = choice.get("message")
    if message is None:  # a completion endpoint
        message = {"content": choice["text"]}
    content = message.get("content") or ""
    if not isinstance(content, str):  # parts, of which some servers send several
        content = "".join(part.get("text", "") for part in content if part.get("type", "text") == "text")
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if thinking is None and "</think" in content and (found := _THINKING.match(content)):
        thinking, content = found[1].strip(), content[found.end() :]
    return Completion(
        text=content,
        finish=choice.get("finish_reason"),
        thinking=thinking,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        logprobs=choice.get("logprobs"),
        served_model=body.get("model"),
        refusal=message.get("refusal"),
        pause=pause,
    )


def _read_scores(body: Mapping[str, Any], scored: str) -> Completion:
    """The tokens of a given text with their log-probabilities: the last ones of the prompt that spell it."""
    choice, usage = body["choices"][0], body.get("usage") or {}
    echoed = choice.get("logprobs")
    if echoed and echoed.get("text_offset"):  # a completion endpoint that echoes; the last token it wrote itself
        end = len(choice["text"]) if not usage.get("completion_tokens") else echoed["text_offset"][-1]
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
        if value is not None:
            tokens.insert(0, token)
            values.insert(0, value)
    if not "".join(tokens).endswith(scored):
        raise TeacherError("malformed", "the endpoint gave no log-probabilities of the text that was to be scored")
    return Completion(
        text=scored,
        finish="scored",
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        logprobs={"tokens": tokens, "token_logprobs": values},
        served_model=body.get("model"),
    )


def _malformed(why: str, reply: WireReply) -> TeacherError:
    raw = redact(reply.body[:2000].decode(errors="replace"))
    return TeacherError("malformed", f"the reply cannot be read: {why}", retriable=True, raw=raw)


def refusal_of_server(reply: WireReply, url: str, *, model: str, key_variable: str | None = None) -> TeacherError:
    """The error a reply other than 200 stands for."""
    error = _error_of(reply.body)
    said = error.get("message") or error.get("detail") or reply.body[:500].decode(errors="replace").strip()
    body = redact(said if isinstance(said, str) else orjson.dumps(said).decode())[:500]
    status, at = reply.status, f"{url} answered {reply.status}: {body}"
    if status in {401, 403}:
        remedy = (
            f"check the key in {key_variable}"
            if key_variable
            else "this endpoint wants a key: name its variable in the profile (key:)"
        )
        return TeacherError("auth", at, fatal=True, remedy=remedy)
    if 300 <= status < 400:
        remedy = f"it sends us on to {reply.headers.get('location', 'another address')}: give that as base_url"
        return TeacherError("not_found", at, fatal=True, remedy=remedy)
    if status in {404, 405}:
        remedy = f"check base_url and the model's name ({model})"
        return TeacherError("not_found", at, fatal=True, remedy=remedy)
    if status in {402, 429}:
        # A spent quota comes as 429 too, and waiting does not mend it.
        spent = status == 402 or bool(
            {"insufficient_quota", "billing_hard_limit_reached"} & {error.get("code"), error.get("type")}
        )
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
    fatal = "model" in body.lower() and ("not found" in body.lower() or "does not exist" in body.lower())
    name = f"check the model's name ({model})"
    return TeacherError("bad_request", at, fatal=fatal, remedy=name if fatal else None)


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
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue  # absent, or the date form, which no model server is known to send
    return _pause(headers)


def _pause(headers: Mapping[str, str]) -> float | None:
    """Seconds until there is quota again, where the headers say that none remains."""
    waits = [
        _span(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}", "").strip() == "0"
    ]
    return max((w for w in waits if w is not None), default=None)


def _span(text: str) -> float | None:
    """Seconds in `6m0s`, `120ms` or `1.5`; None for anything else."""
    try:
        return float(text)
    except ValueError:
        found = _SPAN.findall(text)
        return sum(float(n) * _SECONDS[unit] for n, unit in found) if found else None

"""A reply that comes as a stream of server-sent events, put together to what it would have been as one.

A parser of our own, of a dozen lines: no dependency offers one (that of the official client is private to it), and a body
that has come whole needs no more than its lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from synth.models.transport import HttpReply
from synth.nesting import too_deep

__all__ = ["assembled", "is_stream"]

_BROKEN = {"message": "the stream broke off before its end"}
_TEXTS = ("content", "reasoning_content", "reasoning", "thinking", "refusal")
"""Fields of a message whose pieces are put one behind the other."""
_WORDS = ("text", "thinking", "reasoning", "summary", "content")
"""The same of the parts of a content."""
MOST_LINES = 2_000_000
"""Of a stream: more tokens than any model writes, and read in seconds."""


class _Pieces(list[str]):
    """A text in pieces: to put each behind those before it would take a time that grows with the square of their number."""


def is_stream(reply: HttpReply) -> bool:
    """Whether a reply is a stream, asked for or not."""
    begins = reply.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if begins.startswith((b"data:", b"event:", b"id:", b": ", b":\n", b":\r")):
        return True
    return reply.headers.get("content-type", "").startswith("text/event-stream") and not begins.startswith((b"{", b"["))


def assembled(body: bytes) -> dict[str, Any] | None:
    """The completion that the events of a stream make up, in the form of a reply that is no stream.

    A choice of which neither the end nor the end of the stream came has an `error`, as gateways give it to half a reply.

    Returns:
        None where there is no event that can be read, or no end of them.
    """
    if body.count(b"\n") + body.count(b"\r") > MOST_LINES:
        return None
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    done, error, torn, any_ = False, None, False, False
    for data in _events(body):
        if data.strip() == "[DONE]":
            done = any_ = True
            continue
        try:
            chunk = json.loads(
                data, parse_constant=lambda _: None
            )  # not orjson: of a sign in two pieces each may be half a pair of surrogates
        except (ValueError, RecursionError):
            torn = True
            continue
        if not isinstance(chunk, dict) or too_deep(chunk):
            continue
        any_ = True
        error = chunk.get("error") or (chunk if chunk.get("object") == "error" else None) or error
        whole |= {k: v for k, v in chunk.items() if k not in {"choices", "error"} and v is not None}
        given = chunk.get("choices")
        for piece in given if isinstance(given, list) else ():
            if isinstance(piece, dict):
                index = piece.get("index")
                _add(choices.setdefault(index if isinstance(index, int) else 0, {}), piece)
    if not any_:
        return None
    if error is not None and not choices:
        return {"error": error}
    for choice in choices.values():
        if error is not None or (not done and choice.get("finish_reason") is None) or (torn and not done):
            choice["error"] = error or _BROKEN
    if not choices and not done:
        return {"error": _BROKEN}
    return {**whole, "choices": [{**_joined(choice), "index": index} for index, choice in sorted(choices.items())]}


def _joined(value: Any) -> Any:
    """A value with its texts in one piece each."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(part) for name, part in value.items()}
    return [_joined(part) for part in value] if isinstance(value, list) else value


def _events(body: bytes) -> Iterator[str]:
    """The data of each event: its `data:` lines, joined by line ends."""
    text = body.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines: list[str] = []
    for line in text.split("\n"):  # never splitlines: JSON may hold other line ends as they are
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add a piece to a choice."""
    if piece.get("finish_reason") is not None:
        choice["finish_reason"] = piece["finish_reason"]
    if piece.get("error") is not None:
        choice["error"] = piece["error"]
    if isinstance(piece.get("text"), str):  # a completion endpoint
        choice.setdefault("text", _Pieces()).append(piece["text"])
    if isinstance(piece.get("logprobs"), dict):
        _extend(choice.setdefault("logprobs", {}), piece["logprobs"])
    delta = piece.get("delta") or piece.get("message")
    if not isinstance(delta, dict):
        return
    message = choice.setdefault("message", {"content": _Pieces()})
    for name, value in delta.items():
        if value is None or name == "role":
            continue
        if name == "reasoning_details" and isinstance(value, list):
            _extend_parts(message.setdefault(name, []), value)
        elif name == "content" and isinstance(value, list):
            if isinstance(message["content"], _Pieces):
                message["content"] = [{"type": "text", "text": message["content"]}] if any(message["content"]) else []
            _extend_parts(message["content"], value)
        elif name in _TEXTS and isinstance(value, str) and isinstance(message.setdefault(name, _Pieces()), _Pieces):
            message[name].append(value)
        elif name == "content" and isinstance(message["content"], list) and isinstance(value, str):
            _extend_parts(message["content"], [{"type": "text", "text": value}])
        else:
            message[name] = value


def _extend(lists: dict[str, Any], more: dict[str, Any]) -> None:
    """Log-probabilities, which come token by token."""
    for name, values in more.items():
        if isinstance(values, list) and isinstance(lists.get(name, []), list):
            lists.setdefault(name, []).extend(values)


def _extend_parts(parts: list[Any], more: list[Any]) -> None:
    """Parts of a content: one that continues the last is put behind it."""
    for part in more:
        last = parts[-1] if parts else None
        if not (isinstance(part, dict) and isinstance(last, dict)) or any(
            part.get(name) != last.get(name) for name in ("type", "index") if name in part or name in last
        ):
            parts.append(dict(part) if isinstance(part, dict) else part)
            continue
        for name, value in part.items():
            before = last.get(name)
            if name in _WORDS and isinstance(value, str) and isinstance(before, (str, _Pieces)):
                last[name] = _Pieces([before]) if isinstance(before, str) else before
                last[name].append(value)
            elif name in _WORDS and isinstance(value, list) and isinstance(before, list):
                _extend_parts(before, value)
            elif value is not None:
                last[name] = value

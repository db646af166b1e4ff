"""Conversations, as OpenAI messages (role, content) or as ShareGPT turns (from, value): what is asked, and what is replied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Turn", "context_of", "question_of", "reply_of", "thought_of", "turns_of"]

_ROLES = {
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "function_call": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought")


class Turn(NamedTuple):
    """What one side said."""

    role: str
    """`user`, `assistant`, `system`, `developer` or `tool`."""
    content: str
    thought: str | None = None
    """What the message holds of a thought in a field of its own."""


def turns_of(messages: Any) -> list[Turn]:
    """The turns of a conversation: a list of messages, one message, or a text, which a user said.

    Raises:
        TypeError, ValueError: a message is of no known kind, or holds what is not text.
    """
    if messages is None:
        return []
    if isinstance(messages, str):
        return [Turn("user", messages)] if messages.strip() else []
    if isinstance(messages, Mapping):
        return [_turn(messages)]
    if not isinstance(messages, Sequence):
        raise TypeError(f"a conversation is a {type(messages).__name__}, not a list of messages")
    return [_turn(message) for message in messages]


def _turn(message: Any) -> Turn:
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a {type(message).__name__}, not an object with role and content")
    said = message.get("role") or message.get("from")
    role = _ROLES.get(str(said).lower())
    if role is None:
        raise ValueError(f"a message has the role {said!r}, which is not one of {', '.join(sorted(_ROLES))}")
    content = message.get("content", message.get("value"))
    thoughts = [message[name] for name in _THOUGHTS if isinstance(message.get(name), str) and message[name].strip()]
    text, more = _content(content)
    calls = [_called(call) for call in message.get("tool_calls") or ()]
    return Turn(role, "\n".join(part for part in (text, *calls) if part), "\n\n".join([*thoughts, *more]) or None)


def _content(content: Any) -> tuple[str, list[str]]:
    """The text of a message, and thoughts that are parts of it."""
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, Sequence):
        raise TypeError(f"the content of a message is a {type(content).__name__}, not text")
    texts, thoughts = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, Mapping) else None
        if kind in {"text", "input_text", "output_text"} and isinstance(text, str):
            texts.append(text)
        elif kind in {"thinking", "reasoning"}:
            thoughts.append(str(part.get("thinking") or part.get("reasoning") or text or ""))
        else:
            raise ValueError(f"a message holds a part of the kind {kind!r}, which is not text")
    return "\n".join(texts), [t for t in thoughts if t.strip()]


def _called(call: Any) -> str:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return json.dumps(call, ensure_ascii=False)
    arguments = function.get("arguments")
    return f"{function.get('name')}({arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)})"


def _shown(turns: Sequence[Turn]) -> str:
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.content.strip()}" for turn in turns)


def _parted(messages: Any, before: Any, system: str | None) -> tuple[list[Turn], list[Turn]]:
    """What stands before the last message of a user, and what is asked: from that message on, up to the reply."""
    turns = turns_of(messages)
    if turns and turns[-1].role == "assistant":
        turns = turns[:-1]
    if not any(t.role == "user" for t in turns):
        earlier = turns_of(before)
        turns = [*earlier, *turns]
    if system and system.strip():
        turns = [Turn("system", system), *turns]
    asked = max((i for i, t in enumerate(turns) if t.role == "user"), default=None)
    if asked is None:
        raise ValueError("the conversation has no message of a user")
    return turns[:asked], turns[asked:]


def question_of(messages: Any, before: Any = None, system: str | None = None) -> str:
    """The question of a conversation: the last message of the user.

    Where the assistant has called tools since, their calls and results follow it, each after its role.

    Args:
        messages: the conversation; its last message by the assistant is the reply, and no part of the question.
        before: what was asked where `messages` holds the reply alone.
        system: the system prompt where it has a column of its own.
    """
    asked = _parted(messages, before, system)[1]
    return asked[0].content if len(asked) == 1 else _shown(asked)


def context_of(messages: Any, before: Any = None, system: str | None = None) -> str | None:
    """What was said before the question, each turn after its role: `System: …`, `User: …`, `Assistant: …`; null if nothing."""
    return _shown([t for t in _parted(messages, before, system)[0] if t.content.strip()]) or None


def reply_of(messages: Any) -> str:
    """The reply of a conversation: its last message, by the assistant; or a text that is the reply itself."""
    return messages if isinstance(messages, str) else _last(messages).content


def thought_of(messages: Any) -> str | None:
    """What the last message holds of a thought in a field of its own (`reasoning_content`, `thinking` …); else null."""
    return None if isinstance(messages, str) else _last(messages).thought


def _last(messages: Any) -> Turn:
    turns = turns_of(messages)
    if not turns:
        raise ValueError("the conversation is empty")
    if turns[-1].role != "assistant":
        raise ValueError(f"the last message is of the role {turns[-1].role}: the assistant did not reply")
    return turns[-1]

"""What templates and expressions can call, beside their own macros and the methods of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Function", "Role"]


class Role:
    """What a template calls to write a message: `{% call user() %}…{% endcall %}`.

    Args:
        name: `system`, `user` or `assistant`.
        messages: where the message goes.
    """

    __slots__ = ("messages", "name")

    def __init__(self, name: str, messages: list[dict[str, Any]]) -> None:
        self.name = name
        self.messages = messages

    def __call__(self, caller: Callable[[], str]) -> str:
        self.messages.append({"role": self.name, "content": caller().strip()})
        return ""


class Function:
    """A function that expressions can call; nothing else of it can be reached.

    Args:
        name: what it is called.
        call: takes and gives data, in a time that grows with them.
    """

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call

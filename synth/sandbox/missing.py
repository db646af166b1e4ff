"""Whether an error says that a program is wrong, or that Monty does not have what it uses.

Monty runs a part of Python. What it lacks shows as an ordinary error, so each error is compared with what CPython has: a module of the
standard library, a built-in name, an attribute of a built-in type. Only names are looked up here, nothing of the program runs.
"""

from __future__ import annotations

import builtins
import re

__all__ = ["is_missing"]

_ALWAYS = frozenset({"ModuleNotFoundError", "ImportError", "NotImplementedError", "SyntaxError", "PermissionError"})
"""Modules that Monty does not have, syntax that it does not read, files that it does not open: CPython may."""
_NAME = re.compile(r"\Aname '(\w{1,80})' is not defined")
_MODULE = re.compile(r"\Amodule '[\w.]{1,80}' has no attribute")
_ATTRIBUTE = re.compile(r"\A(?:type object )?'([\w.]{1,80})'(?: object)? has no attribute '(\w{1,80})'")
_NOT_SUPPORTED = re.compile(
    r"\bnot (?:yet )?(?:supported|implemented)\b|\bunexpected keyword argument\b|\btakes no keyword arguments\b"
)


def is_missing(kind: str, message: str) -> bool:
    """Whether an error in Monty may come of something that CPython has and Monty does not.

    Args:
        kind: the name of the exception.
        message: its text.
    """
    if kind in _ALWAYS:
        return True
    if (found := _NAME.match(message)) is not None:
        return hasattr(builtins, found[1]) or found[1].startswith("__")
    if _MODULE.match(message):
        return True
    if (found := _ATTRIBUTE.match(message)) is not None:
        owner = getattr(builtins, found[1], None)
        return "." in found[1] or found[2].startswith("__") or (isinstance(owner, type) and hasattr(owner, found[2]))
    return (
        kind in {"TypeError", "RuntimeError", "AttributeError", "ValueError"}
        and _NOT_SUPPORTED.search(message) is not None
    )

"""How deep a value of JSON may be.

Whatever walks a value, here or in a library, walks by recursion, and ends at a depth of its own: `json` and `repr` at 1,000,
`orjson` at 1,024 when it reads and 254 when it writes, Pydantic at 255. A value of others is looked at once, when it comes.
"""

from __future__ import annotations

from typing import Any

__all__ = ["MOST_DEPTH", "TOO_DEEP", "maybe_deep", "too_deep"]

MOST_DEPTH = 100
"""Lists and objects within each other: more than any data set has, and room for what records put around them."""
TOO_DEEP = f"it is nested more than {MOST_DEPTH} deep"


def too_deep(value: Any, most: int = MOST_DEPTH) -> bool:
    """Whether lists and dictionaries are nested deeper than that."""
    if isinstance(value, dict):
        inner: Any = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        return False
    return most == 0 or any(too_deep(part, most - 1) for part in inner if isinstance(part, (dict, list, tuple)))


def maybe_deep(text: bytes) -> bool:
    """Whether a text of JSON could hold a value that is too deep: a look that costs next to nothing."""
    return text.count(b"[") + text.count(b"{") > MOST_DEPTH

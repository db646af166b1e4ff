"""Identity: content hashes over canonical JSON, with an algorithm tag."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

__all__ = ["canonical_json", "content_id"]

_TAG = "b2:"
_BYTES = 16


def canonical_json(value: Any) -> bytes:
    """`value` as UTF-8 JSON with sorted keys and no spaces; equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_id(value: Any) -> str:
    """`b2:` and the 128-bit BLAKE2b of the canonical JSON of `value`, in hexadecimal."""
    return _TAG + blake2b(canonical_json(value), digest_size=_BYTES).hexdigest()

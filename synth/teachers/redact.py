"""Secrets never reach a store, a log, an error or a page: every text that may hold one passes here."""

from __future__ import annotations

import re

__all__ = ["keep_secret", "redact"]

_known: set[str] = set()
_LOOKS_SECRET = re.compile(
    r"""(?ix)
      (?<=//)[^/\s:@]+:[^/\s@]+(?=@)              # user:password in a URL
    | \b(?-i:(?:sk|pk|rk|hf|gsk|xai|nvapi)[-_]|AIza)[A-Za-z0-9_\-]{8,}  # the usual shapes of API keys
    | (?<=bearer\s)\S+
    """
)


def keep_secret(value: str) -> None:
    """Remember a secret, so that `redact` knows it by its value."""
    if len(value) >= 4:
        _known.add(value)


def redact(text: str) -> str:
    """`text` with every known secret, and what looks like one, replaced by `[secret]`."""
    for secret in _known:
        text = text.replace(secret, "[secret]")
    return _LOOKS_SECRET.sub("[secret]", text)

"""Whether a run folder was made by this user: what it remembers is signed with a secret of the user's settings.

The folder may be moved, and the signature stays good. A folder of somebody else, or one in which the words were changed,
has no signature that fits.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from synth.approvals import config_folder, held
from synth.errors import UserError
from synth.files import read_file, write_file

__all__ = ["is_signed", "sign"]

_FILE = "signing.key"
_SIZE = 32


def sign(words: Mapping[str, Any]) -> str | None:
    """The signature of what a run folder remembers; None where the user's settings can be neither read nor written."""
    try:
        secret = _secret() or _make_secret()
    except (OSError, UserError):
        return None
    return _signature(secret, words)


def is_signed(words: Mapping[str, Any], signature: object) -> bool:
    """Whether this user signed these words, on this machine or with the same settings."""
    try:
        secret = _secret()
    except (OSError, UserError):
        return False
    return secret is not None and isinstance(signature, str) and _same(_signature(secret, words), signature)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _signature(secret: bytes, words: Mapping[str, Any]) -> str:
    return hmac.new(
        secret, b"synth run folder\n" + orjson.dumps(words, option=orjson.OPT_SORT_KEYS), "sha256"
    ).hexdigest()


def _secret() -> bytes | None:
    path = config_folder() / _FILE
    if not path.exists():
        return None
    secret = read_file(path, 10 * _SIZE)
    return secret if len(secret) >= _SIZE else None


def _make_secret() -> bytes:
    with held():
        if (secret := _secret()) is None:  # else another process was quicker
            secret = secrets.token_hex(_SIZE).encode()
            write_file(config_folder() / _FILE, secret, private=True)
    return secret

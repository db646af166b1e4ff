"""Secrets never reach a store, a log, an error or a page: every text that may hold one passes here."""

from __future__ import annotations

import os
import re

from synth.errors import SetupError

__all__ = ["find_key", "keep_secret", "redact", "scrub"]

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


def scrub(body: bytes) -> bytes:
    """`body` with every known secret replaced: an endpoint, or a model, may say again what it was sent."""
    for secret in _known:
        if (written := secret.encode()) in body:
            body = body.replace(written, b"[secret]")
    return body


def find_key(name: str, whose: str, url: str) -> str:
    """The API key that a profile names: in an environment variable, or in the system's keyring.

    Args:
        name: the variable, or `keyring:SERVICE/USER`.
        whose: who wants it, for the message.
        url: what it is for.

    Raises:
        SetupError: it is not there.
    """
    if name.startswith("keyring:"):
        return _from_keyring(name.removeprefix("keyring:"), whose, url)
    key = os.environ.get(name)
    if not key:
        what = f"the environment variable {name} is not set"
        raise SetupError(what, where=whose, remedy=f"export {name}=… with the API key for {url}")
    return key


def _from_keyring(entry: str, whose: str, url: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        remedy = "pip install 'synth-rationales[keyring]', or name an environment variable"
        raise SetupError("the key is in a keyring, and keyring is not installed", where=whose, remedy=remedy) from error
    service, _, user = entry.partition("/")
    try:
        key = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        remedy = "unlock it, or name an environment variable"
        raise SetupError(f"the keyring cannot be read: {error}", where=whose, remedy=remedy) from error
    if not key:
        remedy = f"keyring set {service} {user}, with the API key for {url}"
        raise SetupError(f"the keyring has no entry {entry}", where=whose, remedy=remedy)
    return key

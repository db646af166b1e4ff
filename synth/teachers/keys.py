"""API keys: where a profile says they are."""

from __future__ import annotations

import os

from synth.errors import SetupError

__all__ = ["find_key"]


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

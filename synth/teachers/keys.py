"""API keys and headers: where a profile says they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from synth.errors import SetupError
from synth.redact import keep_secret

__all__ = ["fill_in", "find_key"]


def find_key(name: str, whose: str, url: str) -> str:
    """The API key that a profile names: in an environment variable, or in the system's keyring.

    Args:
        name: the variable, or `keyring:SERVICE/USER`.
        whose: who wants it, for the message.
        url: what it is for.

    Raises:
        SetupError: it is not there, or no header can carry it.
    """
    if name.startswith("keyring:"):
        return _fit(_from_keyring(name.removeprefix("keyring:"), whose, url), f"the entry {name}", whose)
    return _from_environment(name, whose, f"with the API key for {url}")


def fill_in(headers: Mapping[str, str], whose: str) -> dict[str, str]:
    """Headers with the values of the environment variables they name (`$NAME`); what came from there is a secret.

    Raises:
        SetupError: a variable is not set, or no header can carry its value.
    """

    def value(found: re.Match[str]) -> str:
        secret = _from_environment(found[1], whose, "for its headers:")
        keep_secret(secret)
        return secret

    return {name: _VARIABLE.sub(value, given) for name, given in headers.items()}


_VARIABLE = re.compile(r"\$(\w+)")


def _from_environment(name: str, whose: str, what_for: str) -> str:
    found = os.environ.get(name, "").strip()
    if not found:
        what = f"the environment variable {name} is not set"
        raise SetupError(what, where=whose, remedy=f"export {name}=… {what_for}")
    return _fit(found, f"the variable {name}", whose)


def _fit(key: str, where_from: str, whose: str) -> str:
    """A key without the white space around it, which files and clipboards bring along."""
    key = key.strip()
    if not re.fullmatch(r"[\x20-\x7e]+", key):
        what = f"what {where_from} holds is no key: it has characters that no header can carry"
        raise SetupError(what, where=whose, remedy="copy it anew: curly quotes, accents and line ends get in that way")
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

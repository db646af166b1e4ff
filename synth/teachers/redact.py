"""Secrets never reach a store, a log, an error or a page: every text that may hold one passes here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from synth.errors import SetupError

__all__ = ["fill_in", "find_key", "keep_secret", "redact", "scrub"]


class _Secret(NamedTuple):
    """How a secret that is known by its value is found: as it is, or as JSON may write it (also JSON within JSON)."""

    plain: bytes
    written: re.Pattern[str]
    written_bytes: re.Pattern[bytes]
    always_escaped: bool


_known: dict[str, _Secret] = {}
_ESCAPES = re.compile(rb"\\/|\\u00[2-7]")
"""Where these are not, visible ASCII characters stand as they are; but for `"` and `\\`."""
_LOOKS_SECRET = re.compile(
    r"""(?ix)
      (?<=//)[^/\s:@]+:[^/\s@]+(?=@)              # user:password in a URL
    | \b(?-i:(?:sk|pk|rk|hf|gsk|xai|nvapi)[-_]|AIza)[A-Za-z0-9_\-]{8,}  # the usual shapes of API keys
    | (?<=bearer\s)\S+
    """
)


def keep_secret(value: str) -> None:
    """Remember a secret, so that `redact` knows it by its value."""
    if len(value) >= 4 and value not in _known:
        written = "".join(map(_character, value))
        escaped = bool({'"', "\\"} & set(value))
        _known[value] = _Secret(value.encode(), re.compile(written), re.compile(written.encode()), escaped)


def _character(character: str) -> str:
    """A pattern for a character as it is, or as JSON may write it; of JSON within JSON within JSON at most."""
    as_it_is = rf"\\{{0,8}}{re.escape(character)}" if character in '/"\\' else re.escape(character)
    return rf"(?:{as_it_is}|\\{{1,8}}u(?i:{ord(character):04x}))"


def redact(text: str) -> str:
    """`text` with every known secret, and what looks like one, replaced by `[secret]`."""
    for secret in _known.values():
        text = secret.written.sub("[secret]", text)
    return _LOOKS_SECRET.sub("[secret]", text)


def scrub(body: bytes) -> bytes:
    """A body of JSON with every known secret replaced: an endpoint, or a model, may say again what it was sent.

    However it is escaped: whoever reads the body later finds it as it was.
    """
    if not _known:
        return body
    escapes = _ESCAPES.search(body) is not None
    for secret in _known.values():
        if escapes or secret.always_escaped:
            body = secret.written_bytes.sub(b"[secret]", body)
        elif secret.plain in body:
            body = body.replace(secret.plain, b"[secret]")
    return body


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

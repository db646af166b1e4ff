"""API keys, headers and client certificates: where a profile says they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from synth.errors import SetupError, UserError
from synth.files import read_file
from synth.redact import keep_secret

__all__ = ["ClientCertificate", "fill_in", "find_key", "variables_in"]

_MOST_PEM = 2**20
"""Bytes of a file of certificates, or of a key."""


class ClientCertificate(NamedTuple):
    """The certificate by which a client shows who it is, in PEM."""

    certificate: Path
    """The file of the certificate, and of those between it and its authority."""
    key: Path | None = None
    """The file of its key, which is not encrypted; None: the same file."""

    def pem(self) -> bytes:
        """Certificate and key.

        Raises:
            SetupError: a file cannot be read, or does not hold what it should.
        """
        read = [_read_pem(path) for path in dict.fromkeys((self.certificate, self.key or self.certificate))]
        for path, content, name in ((self.certificate, read[0], "CERTIFICATE"), (self.key, read[-1], "PRIVATE KEY")):
            if not _PEM[name].search(content):
                what = f"the file of the client certificate has no {name}"
                fix = "client_certificate and client_key name files in PEM; where one holds both, leave client_key out"
                raise SetupError(what, where=str(path or self.certificate), fix=fix)
        return b"\n".join(read)


_PEM = {
    "CERTIFICATE": re.compile(rb"-----BEGIN [A-Z ]{0,30}CERTIFICATE"),
    "PRIVATE KEY": re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY"),
}
"""How a part of a file in PEM begins."""


def _read_pem(path: Path) -> bytes:
    try:
        return read_file(path, _MOST_PEM)
    except UserError as error:
        raise SetupError(error.what, where=str(path), fix=error.fix) from error


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


def variables_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The environment variables that headers name, in order."""
    return tuple(dict.fromkeys(name for given in headers.values() for name in _VARIABLE.findall(given)))


_VARIABLE = re.compile(r"\$(\w+)")


def _from_environment(name: str, whose: str, what_for: str) -> str:
    found = os.environ.get(name, "").strip()
    if not found:
        what = f"the environment variable {name} is not set"
        raise SetupError(what, where=whose, fix=f"export {name}=… {what_for}")
    return _fit(found, f"the variable {name}", whose)


def _fit(key: str, where_from: str, whose: str) -> str:
    """A key without the white space around it, which files and clipboards bring along."""
    key = key.strip()
    if not re.fullmatch(r"[\x20-\x7e]+", key):
        what = f"what {where_from} holds is no key: it has characters that no header can carry"
        raise SetupError(what, where=whose, fix="copy it again: curly quotes, accents and line ends get in that way")
    return key


def _from_keyring(entry: str, whose: str, url: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        fix = "pip install 'synth-rationales[keyring]', or name an environment variable"
        raise SetupError("the key is in a keyring, and keyring is not installed", where=whose, fix=fix) from error
    service, _, user = entry.partition("/")
    try:
        key = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        fix = "unlock it, or name an environment variable"
        raise SetupError(f"the keyring cannot be read: {error}", where=whose, fix=fix) from error
    if not key:
        fix = f"keyring set {service} {user}, with the API key for {url}"
        raise SetupError(f"the keyring has no entry {entry}", where=whose, fix=fix)
    return key

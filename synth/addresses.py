"""Addresses of endpoints: which machine one leads to, and what may not stand in it."""

from __future__ import annotations

import ipaddress
import os
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

from synth.errors import SetupError
from synth.redact import KEY_SHAPES

__all__ = ["HOW_TO_LOG_IN", "fault_of_address", "hub_address", "in_clear", "is_loopback", "origin_of"]

HOW_TO_LOG_IN = "name an environment variable: key: NAME, or headers: {Authorization: 'Basic $NAME'}"

_BARE = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
"""Other signs are read in different ways by libraries (and letters of other scripts look like ours): what is approved must be
what is connected to."""
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


def fault_of_address(address: str) -> str | None:
    """Why an address cannot be used as a `base_url`; None where it can. The reason does not repeat the address.

    Addresses are written down (run folder, ledger, errors), so nothing in one may be secret.
    """
    if "@" in address.partition("://")[2].partition("/")[0]:
        return "base_url holds a user's name or a password, and addresses are written down"
    if "?" in address or "#" in address:
        return "base_url has a query or a fragment (? or #): keys stand there in clear, and addresses are written down"
    if _key_shape().search(unquote(address)):
        return "base_url holds what looks like a key, and addresses are written down"
    if not _BARE.fullmatch(address):
        return "base_url has white space, a backslash or letters outside ASCII (write a host as xn--…)"
    return None


def origin_of(address: str) -> str:
    """Where an address leads: scheme, host and port as browsers compare them, such as `https://api.openai.com`.

    Raises:
        SetupError: it is not an address, or holds what no address may hold; the message does not repeat it.
    """
    from yarl import URL

    if (why := fault_of_address(address)) is not None:
        raise SetupError(why, fix=HOW_TO_LOG_IN)
    try:
        url = URL(address)
        scheme, host, port = url.scheme, url.raw_host or "", url.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in _PORTS or not port or not _HOST.fullmatch(host):
        raise SetupError("this is not an address", fix="base_url begins with http:// or https://, and a host")
    host = f"[{host.lower()}]" if ":" in host else host.lower()
    return f"{scheme}://{host}" if port == _PORTS[scheme] else f"{scheme}://{host}:{port}"


def is_loopback(origin: str) -> bool:
    """Whether an address leads to this machine, as far as its text says: `localhost`, 127.0.0.0/8, `::1`, and 0.0.0.0."""
    host = origin.partition("://")[2].partition("/")[0]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def in_clear(origin: str) -> bool:
    """Whether what is sent there crosses a network unencrypted."""
    return origin.startswith("http://") and not is_loopback(origin)


def hub_address() -> str:
    """The address of the Hugging Face Hub, or of the one that `HF_ENDPOINT` names.

    Raises:
        SetupError: it holds a password or a query.
    """
    address = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    if (why := fault_of_address(address)) is not None:
        raise SetupError(why.replace("base_url", "HF_ENDPOINT"), fix="the token is that of HF_TOKEN or `hf auth login`")
    return address


@cache
def _key_shape() -> Any:
    import re2

    return re2.compile("|".join(KEY_SHAPES.values()))

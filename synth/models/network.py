"""What the environment says of connections: the proxy, and the authorities that are trusted."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from synth.addresses import is_loopback
from synth.redact import keep_secret

__all__ = ["own_authorities", "proxy_of"]

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def proxy_of(base_url: str) -> str | None:
    """The proxy of the environment for this URL; asked once, because asking is slow. This machine is spoken to directly."""
    parts = urlsplit(base_url)
    if parts.hostname is None or is_loopback(base_url) or urllib.request.proxy_bypass(parts.hostname):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if (password := urlsplit(proxy).password) is not None:
        keep_secret(unquote(password))
    return proxy


def own_authorities() -> list[bytes]:
    """The certificates in the file that `SSL_CERT_FILE` names, which macOS and Windows would not look at."""
    own = os.environ.get("SSL_CERT_FILE")
    try:
        parts = Path(own).read_bytes().split(_BEGIN)[1:] if own else []
    except OSError:
        return []  # where the system reads it too, it says so
    return [_BEGIN + part[: part.index(_END)] + _END for part in parts if _END in part]

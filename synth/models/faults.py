"""Why no reply came: connections, certificates, bodies that break off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synth.errors import ModelError, SetupError
from synth.models.unpacking import TooLargeError
from synth.redact import redact

if TYPE_CHECKING:
    from pyreqwest.exceptions import PyreqwestError

__all__ = ["PROXY_FIX", "broken_off", "causes_of", "cut", "fault_of", "no_tls", "of_body", "timed_out", "unreachable", "untrusted",
           "unusable_certificate"]  # fmt: skip

_IS_IT_THERE = "is the server running, and is base_url right?"
_CLOSED = re.compile(r"connection closed before|reset by peer|broken pipe|close_notify", re.IGNORECASE)
"""What the library says where a server closed a connection without a reply."""
PROXY_FIX = "check the proxy that HTTPS_PROXY or HTTP_PROXY names"
_LEAF = (
    "sign a certificate of its own for it with that authority, or make it again with openssl req -x509 …"
    " -addext basicConstraints=critical,CA:FALSE"
)
_IDENTITY = "give the certificate and key that it takes: client_certificate and client_key in the profile"
_AUTHORITY = "fix the server's certificate, or name the authority that signed it: export SSL_CERT_FILE=…"


def fault_of(error: PyreqwestError, base_url: str, *, seconds: float, proxy: str | None, stale: bool) -> ModelError:
    """Why no whole reply came; the classes of the library are coarse, and its chain of causes says more.

    Args:
        error: of the library.
        base_url: which endpoint was asked.
        seconds: how long the request might take.
        proxy: the proxy it went through, if any.
        stale: whether a connection that was used before may have been closed by the server just then.
    """
    from pyreqwest.exceptions import DecodeError

    causes = causes_of(error)
    said = causes[-1]
    if "client error (Connect)" in causes:
        return _unconnected(error, causes, base_url, proxy)
    if isinstance(error, TimeoutError):
        return timed_out(seconds)
    if "request or response body error" in causes:
        return broken_off(base_url)
    if "head is too large" in said:
        return ModelError("malformed", f"{base_url}: the headers of its reply do not end")
    if isinstance(error, DecodeError):
        return cut(base_url, f"it does not speak HTTP ({said})")
    if "fatal alert" in said:  # TLS 1.3 finds out so late that a client certificate is missing
        return _unconnected(error, causes, base_url, proxy)
    if _CLOSED.search(said):
        return cut(base_url, "it was closed without a reply", stale=stale)
    return cut(base_url, said)


def _unconnected(error: PyreqwestError, causes: list[str], url: str, proxy: str | None) -> ModelError:
    """Why no connection came about."""
    said, all_said = causes[-1], " ".join(causes)
    if isinstance(error, TimeoutError):
        return unreachable(url, "no connection was made in time", _IS_IT_THERE)
    if "dns error" in causes:
        if proxy is not None:
            return unreachable(url, f"there is no host {urlsplit(proxy).hostname} (the proxy)", PROXY_FIX)
        fix = "check the host's name in base_url, and this machine's network"
        return unreachable(url, f"there is no host {urlsplit(url).hostname}", fix)
    if "CaUsedAsEndEntity" in said:
        return untrusted(url, "its certificate is that of an authority, which may not be a server's too", _LEAF)
    if "invalid peer certificate" in said:
        return untrusted(url, said)
    if "fatal alert" in said and "ertificate" in said:
        return untrusted(url, f"it wants a client certificate ({said})", _IDENTITY)
    if "InvalidContentType" in said:
        return no_tls(url)
    if "tunnel error" in all_said or (proxy is not None and "tcp connect error" in causes):
        return unreachable(url, f"by its proxy: {said}", PROXY_FIX)
    if "tcp connect error" in causes:
        return unreachable(url, said, _IS_IT_THERE)
    return cut(url, said)  # accepted, and then dropped


def causes_of(error: PyreqwestError) -> list[str]:
    """What an error of the library says, from the outermost cause to the innermost."""
    details = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()] or [str(error.message)]


def of_body(url: str, error: ConnectionError) -> ModelError:
    """What is wrong with a body that came."""
    if isinstance(error, TooLargeError):
        return ModelError("malformed", f"{url}: {error}")
    return cut(url, str(error))


def timed_out(seconds: float) -> ModelError:
    """No reply within the time an attempt may take."""
    return ModelError("timeout", f"no reply within {seconds:g} s", retriable=True)


def broken_off(url: str) -> ModelError:
    """Half a reply."""
    return ModelError("connection", f"{url} broke off in the middle of its reply", retriable=True)


def cut(url: str, said: str, *, stale: bool = False) -> ModelError:
    """A connection that was made, and brought no reply."""
    return ModelError("connection", f"{url} cut the connection: {redact(said)}", retriable=True, stale=stale)


def unreachable(url: str, said: str, fix: str = _IS_IT_THERE) -> ModelError:
    """No connection."""
    return ModelError("connection", f"cannot reach {url}: {redact(said)}", retriable=True, fatal=True, fix=fix)


def untrusted(url: str, said: str, fix: str = _AUTHORITY) -> ModelError:
    """A certificate that one of the two sides does not take."""
    return ModelError("connection", f"cannot trust {url}: {redact(said)}", fatal=True, fix=fix)


def no_tls(url: str) -> ModelError:
    """The other side speaks, but no TLS."""
    fix = f"base_url: http://{url.removeprefix('https://')}"
    return ModelError("connection", f"cannot reach {url}: the server speaks no TLS", fatal=True, fix=fix)


def unusable_certificate(said: str) -> SetupError:
    """A client certificate that no connection can be made with."""
    fix = (
        "client_certificate names a file in PEM; client_key the one with its key (not encrypted), where that is another"
    )
    return SetupError(f"the client certificate cannot be used: {said}", fix=fix)

"""How requests travel: lean HTTP over aiohttp, or through the official client where its particulars matter.

A wire posts a JSON object and gives whatever the server said, of whatever status; that nothing came back is a
`TeacherError`. What replies mean is read in one place, `endpoint.py`, whichever wire brought them.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import orjson

from synth.errors import TeacherError
from synth.redact import redact

__all__ = ["LeanWire", "OfficialWire", "Wire", "WireReply"]

T = TypeVar("T")

_IS_IT_THERE = "is the server running, and is base_url right?"


class WireReply(NamedTuple):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Their names are looked up without regard to case."""
    body: bytes


class Wire(ABC):
    """A connection to one endpoint; many requests may be under way at once."""

    @abstractmethod
    async def post(self, path: str, body: Mapping[str, Any]) -> WireReply:
        """Post a JSON object to `base_url` + `path`.

        Raises:
            TeacherError: nothing came back: `timeout` or `connection`.
        """

    @abstractmethod
    async def get(self, path: str) -> WireReply:
        """Get `base_url` + `path`; errors as for `post`."""

    @abstractmethod
    async def close(self) -> None:
        """Let the connections go."""


class LeanWire(Wire):
    """Plain HTTP over aiohttp: a fifth of the official client's CPU a call, at any number of open connections.

    Obeys the proxy variables of the environment, and `SSL_CERT_FILE`.

    Args:
        base_url: up to and including the version.
        key: the API key; None where none is needed.
        timeout: seconds one request may take, from sending to the end of the reply.
    """

    def __init__(self, base_url: str, key: str | None, *, timeout: float) -> None:
        import aiohttp
        from yarl import URL

        self._base_url = base_url
        self._timeout = timeout
        self._url = cache(lambda path: URL(base_url + path))
        self._session = aiohttp.ClientSession(
            # How many go out at once is our layer of limits' to say.
            connector=aiohttp.TCPConnector(limit=0, ssl=_certificates() if base_url.startswith("https") else True),
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 30.0)),
            headers={
                "Content-Type": "application/json",
                "User-Agent": "synth",
                **({"Authorization": f"Bearer {key}"} if key else {}),
            },
            proxy=_proxy(base_url),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> WireReply:
        return await self._send("POST", path, orjson.dumps(body))

    async def get(self, path: str) -> WireReply:
        return await self._send("GET", path, None)

    async def _send(self, method: str, path: str, data: bytes | None) -> WireReply:
        import aiohttp

        try:
            # A redirect would turn a POST into a GET: it is told instead.
            async with self._session.request(method, self._base_url + path, data=data, allow_redirects=False) as reply:
                return WireReply(reply.status, reply.headers, await reply.read())
        except aiohttp.ConnectionTimeoutError as error:
            raise _unreachable(self._base_url, "no connection was made in time", _IS_IT_THERE) from error
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise timed_out(self._timeout) from error
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise _untrusted(self._base_url, str(error)) from error
        except aiohttp.ClientConnectorDNSError as error:
            remedy = "check the host's name in base_url, and this machine's network"
            raise _unreachable(self._base_url, f"there is no host {error.host}", remedy) from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ClientHttpProxyError) as error:
            raise _unreachable(self._base_url, str(error), _IS_IT_THERE) from error
        except aiohttp.ClientPayloadError as error:
            raise broken_off(self._base_url) from error
        except (aiohttp.ClientError, OSError) as error:  # closed or reset by the server
            raise _cut(self._base_url, str(error)) from error

    async def close(self) -> None:
        await self._session.close()


class OfficialWire(Wire):
    """The official client (over aiohttp), for hosted providers whose particulars it knows; arguments as `LeanWire`."""

    def __init__(self, base_url: str, key: str | None, *, timeout: float) -> None:
        import openai

        self._base_url = base_url
        self._timeout = timeout
        self.client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            max_retries=0,  # retries are a layer of ours, seen in the ledger
            timeout=timeout,
            # Plain httpx gets slower with every open connection; aiohttp does not.
            http_client=openai.DefaultAioHttpClient(),
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> WireReply:
        return await self._send("post", path, body=dict(body))

    async def get(self, path: str) -> WireReply:
        return await self._send("get", path)

    async def _send(self, method: str, path: str, **given: Any) -> WireReply:
        import openai

        try:
            got = await self._connected(
                getattr(self.client, method)(path, cast_to=openai.HttpxBinaryResponseContent, **given)
            )
            return WireReply(got.response.status_code, got.response.headers, got.content)
        except openai.APIStatusError as error:
            return WireReply(error.status_code, error.response.headers, error.response.content)

    async def guarded(self, asked: Awaitable[T]) -> T:
        """What a method of the client gives, with its errors as ours.

        Raises:
            TeacherError: the server refused, or nothing came back.
        """
        import openai

        from synth.teachers.reading import refusal_of_server

        try:
            return await self._connected(asked)
        except openai.APIStatusError as error:
            reply = WireReply(error.status_code, error.response.headers, error.response.content)
            raise refusal_of_server(reply, self._base_url, model="?") from error

    async def _connected(self, asked: Awaitable[T]) -> T:
        import openai

        try:
            return await asked
        except openai.APIConnectionError as error:
            cause = error.__cause__
            # The aiohttp transport calls every connection that cannot be made a ConnectTimeout, a refused one too.
            if isinstance(error, openai.APITimeoutError) and type(cause).__name__ != "ConnectTimeout":
                raise timed_out(self._timeout) from error
            said = str(cause or error)
            if "certificate" in said.lower():
                raise _untrusted(self._base_url, said) from error
            if "payload" in said.lower():
                raise broken_off(self._base_url) from error
            if type(cause).__name__ in {"ConnectError", "ConnectTimeout"} and "reset" not in said:
                raise _unreachable(self._base_url, said, _IS_IT_THERE) from error
            raise _cut(self._base_url, said) from error

    async def close(self) -> None:
        await self.client.close()


def timed_out(seconds: float) -> TeacherError:
    """No reply within the time an attempt may take."""
    return TeacherError("timeout", f"no reply within {seconds:g} s", retriable=True)


def broken_off(url: str) -> TeacherError:
    """Half a reply."""
    return TeacherError("connection", f"{url} broke off in the middle of its reply", retriable=True)


def _cut(url: str, said: str) -> TeacherError:
    return TeacherError("connection", f"{url} cut the connection: {redact(said)}", retriable=True)


def _unreachable(url: str, said: str, remedy: str) -> TeacherError:
    return TeacherError("connection", f"cannot reach {url}: {redact(said)}", retriable=True, fatal=True, remedy=remedy)


def _untrusted(url: str, said: str) -> TeacherError:
    remedy = "mend the server's certificate, or name the authority that signed it: export SSL_CERT_FILE=…"
    return TeacherError("connection", f"cannot trust {url}: {redact(said)}", fatal=True, remedy=remedy)


def _proxy(base_url: str) -> str | None:
    """The proxy of the environment for this URL; asked once, because asking is slow."""
    parts = urlsplit(base_url)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _certificates() -> ssl.SSLContext:
    """The authorities this machine trusts."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if (own := os.environ.get("SSL_CERT_FILE")) is not None:  # which macOS and Windows would not look at
        context.load_verify_locations(own)
    return context

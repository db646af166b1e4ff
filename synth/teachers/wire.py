"""How requests travel: lean HTTP of our own, over aiohttp where a proxy stands between, or through the official client
where its particulars matter.

A wire posts a JSON object and gives whatever the server said, of whatever status; that nothing came back is a
`TeacherError`. What replies mean is read in one place, `endpoint.py`, whichever wire brought them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson

from synth.errors import TeacherError
from synth.redact import redact, scrub
from synth.teachers.connection import Connection, HalfReplyError, TooLargeError, WireReply

__all__ = ["LeanWire", "OfficialWire", "ProxiedWire", "Wire", "WireReply", "lean_wire"]

T = TypeVar("T")

_IS_IT_THERE = "is the server running, and is base_url right?"


CONNECT_SECONDS = 10.0
"""To make a connection in, at most."""
LOOKUP_SECONDS = 10.0
"""For which the addresses of a host are good; many connections are made at once, and each would look them up."""
IDLE_SECONDS = 4.0
"""After which a connection is not used again, at first: many servers close theirs after 5, and a request that meets the
closing half-way is lost (uvicorn's default, which vLLM and SGLang keep). Less where a server is seen to wait less."""

BUFFER_BYTES = 2**16
"""Read from a connection at once, at most."""
AT_ONCE_SECONDS = 1.0
"""Within which a request meets the closing of its connection, if it does."""
RESTED_SECONDS = 0.01
"""A connection that is lost after less rest says nothing of how long its server lets it rest."""

_NONE: Mapping[str, str] = {}


def _headers(key: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """What every request says of itself; of two headers of one name the user's."""
    ours = {"User-Agent": "synth", "Content-Type": "application/json"}
    if key is not None:
        ours["Authorization"] = f"Bearer {key}"
    given = {name.lower() for name in more}
    return {**{name: value for name, value in ours.items() if name.lower() not in given}, **more}


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
    """HTTP/1.1 straight to the endpoint, over connections of our own.

    Args:
        base_url: up to and including the version.
        key: the API key; None where none is needed.
        timeout: seconds one request may take, from sending to the end of the reply.
        headers: more headers for every request; they go over ours.
    """

    def __init__(self, base_url: str, key: str | None, *, timeout: float, headers: Mapping[str, str] = _NONE) -> None:
        from yarl import URL

        self._base_url = base_url
        self._timeout = timeout
        try:
            self._at = URL(base_url)
            fits = self._at.scheme in {"http", "https"} and self._at.raw_host and self._at.port
        except ValueError:
            fits = None
        if not fits:
            raise _unreachable(base_url, "this is no address", "base_url begins with http:// or https://, and a host")
        self._tls = _certificates() if self._at.scheme == "https" else None
        self._idle: list[Connection] = []
        self._idle_seconds = IDLE_SECONDS
        self._open: set[Connection] = set()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._lookup: asyncio.Task[list[Any]] | None = None
        self._lookup_at = 0.0
        every = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", **_headers(key, headers)}
        self._head = cache(lambda method, path: self._head_of(method, URL(base_url + path), every))

    def _head_of(self, method: str, url: Any, every: Mapping[str, str]) -> bytes:
        """A request up to the length of its body."""
        named = {"Host": url.host_port_subcomponent, **every}
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return "\r\n".join([*lines, "Content-Length: "]).encode("ascii")

    async def post(self, path: str, body: Mapping[str, Any]) -> WireReply:
        return await self._send("POST", path, orjson.dumps(body))

    async def get(self, path: str) -> WireReply:
        return await self._send("GET", path, b"")

    async def _send(self, method: str, path: str, body: bytes) -> WireReply:
        connection = self._waiting() or await self._connect()
        rested = connection.idle_seconds if connection.used else None
        sent = asyncio.get_running_loop().time()
        try:
            reply = await connection.ask(b"%b%d\r\n\r\n%b" % (self._head(method, path), len(body), body), self._timeout)
        except TimeoutError as error:
            raise timed_out(self._timeout) from error
        except HalfReplyError as error:
            raise broken_off(self._base_url) from error
        except TooLargeError as error:
            raise TeacherError("malformed", f"{self._base_url}: {error}") from error
        except ConnectionResetError as error:
            at_once = asyncio.get_running_loop().time() < sent + AT_ONCE_SECONDS  # else it may have worked on it
            stale = at_once and rested is not None and rested > RESTED_SECONDS
            if stale:  # it met the closing: this server waits less
                self._idle_seconds = min(self._idle_seconds, (rested or 0.0) / 2)
            raise _cut(self._base_url, str(error), stale=stale) from error
        except OSError as error:
            raise _cut(self._base_url, str(error)) from error
        except asyncio.CancelledError:  # its reply would be taken for that of the next request
            connection.abort()
            raise
        finally:
            if connection.usable:
                self._idle.append(connection)
            else:
                self._open.discard(connection)
        return reply

    def _waiting(self) -> Connection | None:
        """A connection that is open and has nothing to do; the one used last, so that what is too many grows old."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_seconds < self._idle_seconds:
                return connection
            connection.abort()
            self._open.discard(connection)
        return None

    async def _addresses(self) -> list[Any]:
        """Where the host is, as `getaddrinfo` says it."""
        loop = asyncio.get_running_loop()
        old = self._lookup is not None and loop.time() > self._lookup_at + LOOKUP_SECONDS
        if self._lookup is None or (self._lookup.done() and (old or self._lookup.exception() is not None)):
            found = loop.getaddrinfo(self._at.raw_host, self._at.port, type=socket.SOCK_STREAM)
            self._lookup, self._lookup_at = loop.create_task(found), loop.time()
        return await asyncio.shield(self._lookup)  # others wait for it too

    async def _connect(self) -> Connection:
        from aiohappyeyeballs import start_connection

        loop, host = asyncio.get_running_loop(), self._at.raw_host
        try:
            async with asyncio.timeout(min(self._timeout, CONNECT_SECONDS)):
                # Whichever of its addresses answers first: many a machine has an IPv6 that leads nowhere.
                line = await start_connection(await self._addresses(), happy_eyeballs_delay=0.25)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                name = host if self._tls is not None else None
                _, connection = await loop.create_connection(
                    lambda: Connection(self._buffer), sock=line, ssl=self._tls, server_hostname=name
                )
        except TimeoutError as error:
            raise _unreachable(self._base_url, "no connection was made in time", _IS_IT_THERE) from error
        except ssl.SSLError as error:
            raise _no_handshake(self._base_url, error) from error
        except (socket.gaierror, UnicodeError) as error:
            remedy = "check the host's name in base_url, and this machine's network"
            raise _unreachable(self._base_url, f"there is no host {host}", remedy) from error
        except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError) as error:  # accepted, and then dropped
            raise _cut(self._base_url, str(error)) from error
        except OSError as error:
            raise _unreachable(self._base_url, str(error), _IS_IT_THERE) from error
        self._open.add(connection)
        return connection

    async def close(self) -> None:
        for connection in self._open:
            connection.abort()
        self._open.clear()
        self._idle.clear()
        await asyncio.sleep(0)  # let the transports take note


class ProxiedWire(Wire):
    """HTTP over aiohttp, through a proxy; arguments as `LeanWire`.

    Args:
        proxy: its URL.
    """

    def __init__(
        self, base_url: str, key: str | None, *, timeout: float, proxy: str, headers: Mapping[str, str] = _NONE
    ) -> None:
        import aiohttp

        self._base_url = base_url
        self._timeout = timeout
        self._session = aiohttp.ClientSession(
            # How many go out at once is our layer of limits' to say.
            connector=aiohttp.TCPConnector(limit=0, ssl=_certificates() if base_url.startswith("https") else True),
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT_SECONDS)),
            headers=_headers(key, headers),
            proxy=proxy,
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
        except aiohttp.ClientConnectorCertificateError as error:
            raise _untrusted(self._base_url, str(error)) from error
        except aiohttp.ClientConnectorSSLError as error:
            raise _no_handshake(self._base_url, error) from error
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


def lean_wire(base_url: str, key: str | None, *, timeout: float, headers: Mapping[str, str] = _NONE) -> Wire:
    """Lean HTTP to an endpoint, through the proxy that the environment names for it; arguments as `LeanWire`."""
    proxy = _proxy(base_url)
    if proxy is None:
        return LeanWire(base_url, key, timeout=timeout, headers=headers)
    return ProxiedWire(base_url, key, timeout=timeout, headers=headers, proxy=proxy)


class OfficialWire(Wire):
    """The official client (over aiohttp), for hosted providers whose particulars it knows; arguments as `LeanWire`."""

    def __init__(self, base_url: str, key: str | None, *, timeout: float, headers: Mapping[str, str] = _NONE) -> None:
        import openai

        self._base_url = base_url
        self._timeout = timeout
        self.client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            max_retries=0,  # retries are a layer of ours, seen in the ledger
            timeout=timeout,
            default_headers=headers,
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

    async def guarded(self, asked: Awaitable[T], *, model: str, key_variable: str | None = None) -> T:
        """What a method of the client gives, with its errors as ours.

        Args:
            asked: the call, under way.
            model: and
            key_variable: what refusals are explained with.

        Raises:
            TeacherError: the server refused, nothing came back, or what cannot be read.
        """
        import openai

        from synth.teachers.reading import refusal_of_server

        try:
            return await self._connected(asked)
        except openai.APIStatusError as error:
            reply = WireReply(error.status_code, error.response.headers, scrub(error.response.content))
            raise refusal_of_server(reply, self._base_url, model=model, key_variable=key_variable) from error
        except (openai.OpenAIError, ValueError) as error:
            what = f"the reply of {self._base_url} cannot be read: {redact(str(error))[:500]}"
            raise TeacherError("malformed", what, retriable=True) from error

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
            if any(mark in said.upper() for mark in _PLAIN):
                raise _no_tls(self._base_url) from error
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


def _cut(url: str, said: str, *, stale: bool = False) -> TeacherError:
    return TeacherError("connection", f"{url} cut the connection: {redact(said)}", retriable=True, stale=stale)


def _unreachable(url: str, said: str, remedy: str) -> TeacherError:
    return TeacherError("connection", f"cannot reach {url}: {redact(said)}", retriable=True, fatal=True, remedy=remedy)


def _untrusted(url: str, said: str) -> TeacherError:
    remedy = "mend the server's certificate, or name the authority that signed it: export SSL_CERT_FILE=…"
    return TeacherError("connection", f"cannot trust {url}: {redact(said)}", fatal=True, remedy=remedy)


_PLAIN = ("WRONG_VERSION_NUMBER", "WRONG VERSION NUMBER", "RECORD LAYER FAILURE", "HTTP_REQUEST", "HTTP REQUEST")
"""What OpenSSL says when the other side speaks, but no TLS."""


def _no_tls(url: str) -> TeacherError:
    remedy = f"base_url: http://{url.removeprefix('https://')}"
    return TeacherError("connection", f"cannot reach {url}: the server speaks no TLS", fatal=True, remedy=remedy)


def _no_handshake(url: str, error: OSError) -> TeacherError:
    """Why TLS did not come about: what is no certificate's fault may be better next time."""
    said = str(error)
    if any(mark in said.upper() for mark in _PLAIN):
        return _no_tls(url)
    if isinstance(error, ssl.SSLCertVerificationError) or "certificate" in said.lower():
        return _untrusted(url, said)
    return _cut(url, said)


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
    if own := os.environ.get("SSL_CERT_FILE"):  # which macOS and Windows would not look at
        context.load_verify_locations(own)
    return context

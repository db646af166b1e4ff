"""How requests travel: HTTP by pyreqwest, straight to the endpoint or through the proxy that the environment names.

A transport posts a JSON object and returns the server's reply, of any status; that no reply came is a `ModelError`. What replies
mean is read in one place, `reading.py`, whichever transport brought them.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synth.addresses import origin_of
from synth.errors import SetupError
from synth.models.faults import (
    PROXY_FIX,
    causes_of,
    cut,
    fault_of,
    of_body,
    unreachable,
    untrusted,
    unusable_certificate,
)
from synth.models.keys import ClientCertificate
from synth.models.network import own_authorities, proxy_of
from synth.models.unpacking import PACKINGS, Unpacker, unpacked

if TYPE_CHECKING:
    from pyreqwest.client import Client, ClientBuilder
    from pyreqwest.multipart import FormBuilder
    from pyreqwest.response import Response

__all__ = ["HttpReply", "HttpTransport", "Transport"]

CONNECT_SECONDS = 10.0
"""To make a connection in, at most; or half of the seconds a request may take."""
IDLE_SECONDS = 4.0
"""After which a connection is not used again, at first: many servers close theirs after 5, and a request that meets the
closing half-way is lost (uvicorn's default, which vLLM and SGLang keep). Less where a server is seen to wait less."""
AT_ONCE_SECONDS = 1.0
"""Within which a request meets the closing of its connection, if it does."""
RESTED_SECONDS = 0.01
"""A connection that is lost after less rest says nothing of how long its server lets it rest."""
STREAMS = 100
"""Requests in flight on one client of the library over TLS. Over HTTP/2 it keeps one connection to a host, servers take some 100
requests on one (RFC 9113 recommends no fewer), and what is beyond waits unseen while its time runs."""

_NONE: Mapping[str, str] = {}


class HttpReply(NamedTuple):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


class Transport(ABC):
    """The way to one endpoint; many requests may be in flight at once."""

    @abstractmethod
    async def post(self, path: str, body: Mapping[str, Any]) -> HttpReply:
        """Post a JSON object to `base_url` + `path`.

        Raises:
            ModelError: no reply came (`timeout` or `connection`), or none that can be read within bounds (`malformed`).
        """

    @abstractmethod
    async def get(self, path: str) -> HttpReply:
        """Get `base_url` + `path`; errors as for `post`."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""


class _Lane:
    """A client of the library, with what is known of its connections.

    Attributes:
        client: the library's.
        in_flight: requests without their whole reply.
        resting: when each connection that waits for a request got its last reply, the oldest first. The
            library takes the newest, too, but does not say which connection a request went out on.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.in_flight = 0
        self.resting: list[float] = []

    def take(self, idle_seconds: float) -> float | None:
        """How many seconds the connection of the next request has rested; None for a new connection."""
        now = time.monotonic()
        if self.resting and now - self.resting[-1] < idle_seconds:
            return now - self.resting.pop()
        self.resting.clear()
        return None


class HttpTransport(Transport):
    """HTTP/1.1, or HTTP/2 where a server offers it over TLS.

    Args:
        base_url: up to and including the version.
        key: the API key; None where none is needed.
        timeout: seconds one request may take, from sending to the end of the reply.
        headers: more headers for every request; they replace ours.
        certificate: the client certificate.

    A request whose task is cancelled is given up: its reply is given to nobody. The library does not abort it, so the server may
    work on it until its reply, its time-out, or the end of this process.

    Raises:
        ModelError: `base_url`, or the proxy of the environment, is not an address.
        SetupError: the client certificate cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        headers: Mapping[str, str] = _NONE,
        certificate: ClientCertificate | None = None,
    ) -> None:
        from pyreqwest.http import Url

        self._base_url = base_url
        try:
            fits = Url(base_url).origin_ascii == origin_of(base_url)  # what is connected to is what was approved
        except (ValueError, SetupError):
            fits = False
        if not fits:
            fix = "base_url begins with http:// or https://, and a host; one of numbers as 127.0.0.1 or [::1]"
            raise unreachable(base_url, "this is no address", fix)
        self._timeout = timeout
        every = {"Accept": "application/json", "Accept-Encoding": PACKINGS, **standard_headers(key, headers)}
        self._headers = {name: value for name, value in every.items() if name.lower() != "content-type"}
        self._json = next(value for name, value in every.items() if name.lower() == "content-type")
        self._identity = certificate.pem() if certificate is not None else None
        self._proxy = proxy_of(base_url)
        self._tls = base_url.startswith("https") or (self._proxy or "").startswith("https")
        self._address = lru_cache(16)(lambda path: Url(base_url + path))
        self._idle_seconds = IDLE_SECONDS
        self._lanes = [_Lane(self._client())]

    def _client(self) -> Client:
        from pyreqwest.client import ClientBuilder
        from pyreqwest.exceptions import BuilderError
        from pyreqwest.proxy import ProxyBuilder

        builder = (
            ClientBuilder()
            .default_headers(self._headers)
            .user_agent("synth")  # a proxy is sent it when it is asked for a tunnel, and no other header
            .follow_redirects(False)  # where one leads is not what the user approved; and a POST would become a GET
            .referer(False)
            .gzip(False).deflate(False).brotli(False).zstd(False)  # a small reply can be made to swell to any size
            .http2(True)
            .runtime_multithreaded(True)  # one thread would wait, with all replies, while Python is busy
            .timeout(timedelta(seconds=self._timeout))
            .connect_timeout(timedelta(seconds=min(self._timeout / 2, CONNECT_SECONDS)))
            .pool_idle_timeout(timedelta(seconds=self._idle_seconds))
        )  # fmt: skip
        if self._proxy is None:
            builder = builder.no_proxy()
        else:
            try:
                builder = builder.proxy(ProxyBuilder.all(self._proxy))
            except ValueError as error:
                raise unreachable(self._base_url, f"the proxy is no address ({error})", PROXY_FIX) from error
        try:
            return self._trusting(builder).build()
        except BuilderError as error:
            said = causes_of(error)[-1]
            if "CA certificates" in said:
                fix = "install the package ca-certificates, or export SSL_CERT_FILE=/path/to/authorities.pem"
                raise untrusted(self._base_url, "this machine has no list of authorities", fix) from error
            raise unusable_certificate(said) from error

    def _trusting(self, builder: ClientBuilder) -> ClientBuilder:
        """With the authorities that this machine trusts, and our own certificate."""
        if not self._tls:
            # No TLS is spoken at all; and without this no client is made where a machine has no list of authorities.
            return builder.danger_accept_invalid_certs(True)
        for authority in own_authorities():
            builder = builder.add_root_certificate_pem(authority)
        if self._identity is not None:
            try:
                builder = builder.identity_pem(self._identity)
            except ValueError as error:
                raise unusable_certificate("no certificate and key in PEM") from error
        return builder

    async def post(self, path: str, body: Mapping[str, Any]) -> HttpReply:
        return await self._send("POST", path, orjson.dumps(body))

    async def get(self, path: str) -> HttpReply:
        return await self._send("GET", path)

    async def upload(self, path: str, fields: Mapping[str, str], name: str, content: bytes) -> HttpReply:
        """Post a form with a file called `name`; errors as for `post`."""
        from pyreqwest.multipart import FormBuilder, PartBuilder

        form = FormBuilder()
        for field, value in fields.items():
            form = form.text(field, value)
        form = form.part("file", PartBuilder.from_bytes(content).file_name(name).mime("application/octet-stream"))
        return await self._send("POST", path, form)

    async def download(self, path: str, take: Callable[[bytes], None]) -> HttpReply:
        """Get what is at `path`, the one reply that may have more than `MOST_BYTES`; errors as for `post`.

        Args:
            path: as in `get`.
            take: is given the body of a reply of status 2xx, unpacked, piece by piece. An error of its own ends the download.

        Returns:
            The reply, without its body where `take` was given it.
        """

        async def read(response: Response) -> HttpReply:
            if not 200 <= response.status < 300:
                return await self._whole(response)
            headers = _headers_of(response)
            unpacker = Unpacker(headers.get("content-encoding"))
            while (chunk := await response.body_reader.read_chunk()) is not None:
                for piece in unpacker.feed(bytes(chunk)):
                    take(piece)
            unpacker.finish()
            return HttpReply(response.status, headers, b"")

        return await self._send("GET", path, read=read)

    async def _whole(self, response: Response) -> HttpReply:
        if response.status == 101:
            raise cut(self._base_url, "it wants to speak another protocol")
        headers = _headers_of(response)
        body = await unpacked(response.body_reader.read_chunk, headers.get("content-encoding"))
        return HttpReply(response.status, headers, body)

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | FormBuilder | None = None,
        read: Callable[[Response], Awaitable[HttpReply]] | None = None,
    ) -> HttpReply:
        """Send a request and `read` its reply: whole, unless that says otherwise. Errors of the library as ours."""
        from pyreqwest.exceptions import PyreqwestError

        lane = self._free_lane()
        request = lane.client.request(method, self._address(path))
        if isinstance(body, bytes):
            request = request.header("Content-Type", self._json).body_bytes(body)
        elif body is not None:
            request = request.multipart(body)
        rested, sent = lane.take(self._idle_seconds), time.monotonic()
        lane.in_flight += 1
        try:
            async with request.build_streamed() as response:
                reply = await (read or self._whole)(response)
            lane.resting.append(time.monotonic())
        except PyreqwestError as error:
            # Later it may have worked on it.
            stale = time.monotonic() < sent + AT_ONCE_SECONDS and rested is not None and rested > RESTED_SECONDS
            fault = fault_of(error, self._base_url, seconds=self._timeout, proxy=self._proxy, stale=stale)
            if fault.stale:  # it met the closing: this server waits less
                self._idle_seconds = min(self._idle_seconds, (rested or 0.0) / 2)
                self._lanes = []
            raise fault from error
        except ConnectionError as error:
            raise of_body(self._base_url, error) from error
        finally:
            lane.in_flight -= 1
        return reply

    def _free_lane(self) -> _Lane:
        lane = next((lane for lane in self._lanes if not self._tls or lane.in_flight < STREAMS), None)
        if lane is None:
            lane = _Lane(self._client())
            self._lanes.append(lane)
        return lane

    async def close(self) -> None:
        for lane in self._lanes:
            await lane.client.close()
        self._lanes = []


def standard_headers(key: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """What every request says of itself; of two headers of one name the user's."""
    ours = {"User-Agent": "synth", "Content-Type": "application/json"}
    if key is not None:
        ours["Authorization"] = f"Bearer {key}"
    given = {name.lower() for name in more}
    return {**{name: value for name, value in ours.items() if name.lower() not in given}, **more}


def _headers_of(response: Response) -> dict[str, str]:
    """The headers of a response whose values are ASCII: the library gives no others."""
    try:
        return dict(response.headers)
    except ValueError:
        readable = {}
        for name in response.headers:
            with suppress(ValueError):
                readable[name] = response.headers[name]
        return readable

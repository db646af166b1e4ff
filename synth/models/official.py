"""The official client of OpenAI as a transport: for hosted providers whose particulars it knows, bound to a model by its profile."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

from synth.models import unpacking
from synth.models.faults import (
    broken_off,
    cut,
    no_tls,
    of_body,
    timed_out,
    unreachable,
    untrusted,
    unusable_certificate,
)
from synth.models.keys import ClientCertificate
from synth.models.network import proxy_of
from synth.models.transport import CONNECT_SECONDS, HttpReply, Transport
from synth.models.unpacking import PACKINGS, TooLargeError, Unpacker

__all__ = ["OfficialTransport"]

_NONE: Mapping[str, str] = {}


class OfficialTransport(Transport):
    """The official client, over the HTTP library of its own; arguments as `HttpTransport`."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        headers: Mapping[str, str] = _NONE,
        certificate: ClientCertificate | None = None,
    ) -> None:
        import openai

        self._base_url = base_url
        self._timeout = timeout
        self.client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            max_retries=0,  # retries are a layer of ours, seen in the ledger
            timeout=openai.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            default_headers={"Accept-Encoding": PACKINGS, **headers},
            # Where a redirect leads is not what the user approved, and it would be sent our headers and the prompts.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=False,
                proxy=proxy_of(base_url),
                verify=_trusting(certificate),
                event_hooks={"response": [_bound]},
            ),
        )
        # Of the environment it takes what is meant for OpenAI's own host, and sends it to any.
        self.client.organization = self.client.project = None
        self.client._custom_headers = dict(headers)  # noqa: SLF001  # OPENAI_CUSTOM_HEADERS

    async def post(self, path: str, body: Mapping[str, Any]) -> HttpReply:
        return await self._send("post", path, body=dict(body))

    async def get(self, path: str) -> HttpReply:
        return await self._send("get", path)

    async def _send(self, method: str, path: str, **given: Any) -> HttpReply:
        import openai

        try:
            # Its own limit of time is one between two pieces of a reply.
            async with asyncio.timeout(self._timeout):
                got = await getattr(self.client, method)(path, cast_to=openai.HttpxBinaryResponseContent, **given)
            return HttpReply(got.response.status_code, got.response.headers, got.content)
        except openai.APIStatusError as error:
            return HttpReply(error.status_code, error.response.headers, error.response.content)
        except TimeoutError as error:
            raise timed_out(self._timeout) from error
        except ConnectionError as error:
            raise of_body(self._base_url, error) from error
        except openai.APIConnectionError as error:
            raise self._fault(error) from error

    def _fault(self, error: Any) -> Exception:
        """Why no reply came, by what the library below it says."""
        cause = error.__cause__ or error
        kind, said = type(cause).__name__, str(cause)
        if isinstance(cause, ConnectionError):  # of `_bound`; whether the client wraps it depends on its version
            return of_body(self._base_url, cause)
        if kind == "ConnectTimeout":
            return unreachable(self._base_url, "no connection was made in time")
        if kind.endswith("Timeout"):
            return timed_out(self._timeout)
        if "certificate" in said.lower():
            return untrusted(self._base_url, said)
        if any(mark in said.upper() for mark in _PLAIN):
            return no_tls(self._base_url)
        if "incomplete" in said or "expected" in said:
            return broken_off(self._base_url)
        if kind in {"ConnectError", "ProxyError"} and "reset" not in said:
            return unreachable(self._base_url, said)
        return cut(self._base_url, said)

    async def close(self) -> None:
        await self.client.close()


_PLAIN = ("WRONG_VERSION_NUMBER", "WRONG VERSION NUMBER", "RECORD LAYER FAILURE", "HTTP_REQUEST", "HTTP REQUEST")
"""What OpenSSL says when the other side speaks, but no TLS."""


async def _bound(response: Any) -> None:
    """Have a response read within bounds, and unpacked by us, whose unpacking has bounds."""
    encoding = response.headers.pop("content-encoding", None)
    response.stream = _bounded_stream(_base_of(response.stream))(response.stream, encoding)


def _base_of(stream: Any) -> type:
    """The class that the client's library wants a body to be of; which library that is depends on the client's version."""
    return next(kind for kind in type(stream).__mro__ if kind.__name__ == "AsyncByteStream")


@cache
def _bounded_stream(base: type) -> Any:
    class BoundedStream(base):  # type: ignore[misc]  # not known before the client is there
        """A body, unpacked, that ends in a `TooLargeError` where it has more than `MOST_BYTES`."""

        def __init__(self, stream: Any, encoding: str | None) -> None:
            self._stream = stream
            self._encoding = encoding

        async def __aiter__(self) -> AsyncIterator[bytes]:
            unpacker, size = Unpacker(self._encoding), 0
            async for chunk in self._stream:
                for piece in unpacker.feed(chunk):
                    size += len(piece)
                    if size > unpacking.MOST_BYTES:
                        raise TooLargeError
                    yield piece
            unpacker.finish()

        async def aclose(self) -> None:
            await self._stream.aclose()

    return BoundedStream


def _trusting(certificate: ClientCertificate | None) -> ssl.SSLContext:
    """The authorities this machine trusts, and our own certificate."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if own := os.environ.get("SSL_CERT_FILE"):  # which macOS and Windows would not look at
        context.load_verify_locations(own)
    if certificate is not None:
        certificate.pem()  # what is wrong with the files
        try:
            context.load_cert_chain(certificate.certificate, certificate.key, password=_no_password)
        except ssl.SSLError as error:
            raise unusable_certificate(str(error)) from error
    return context


def _no_password() -> str:
    """In place of OpenSSL's question at the terminal."""
    raise unusable_certificate("its key is encrypted")

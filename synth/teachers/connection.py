"""One HTTP/1.1 connection: a request goes out whole, and its reply comes back whole.

Parsing is httptools' (llhttp, the parser of Node.js). A quarter of the CPU of a general client, because it does no more
than a model's endpoint asks for: no redirects, no cookies, no streaming.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["MOST_BYTES", "Connection", "HalfReplyError", "TooLargeError", "WireReply"]

MOST_BYTES = 2**26
"""Of a reply, as it comes and once it is unpacked: more than any model writes, and little enough to be unpacked without
holding up all other calls. A small reply can be made to swell to any size."""


class WireReply(NamedTuple):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


class HalfReplyError(ConnectionError):
    """The connection ended in the middle of a reply."""


class TooLargeError(ConnectionError):
    """A reply of more than `MOST_BYTES`."""

    def __init__(self) -> None:
        super().__init__(f"its reply has more than {MOST_BYTES // 2**20} MiB")


class Connection(asyncio.BufferedProtocol):
    """A connection to a server; for one request at a time.

    Args:
        buffer: where what comes is put for as long as it takes to read it; one for all connections of a loop. With one
            of its own for each read, most of the time would go into getting memory.

    Attributes:
        usable: whether it may be given a further request.
        used: whether a reply has come over it.
        idle_since: when its last reply was complete, by the clock of the loop.
    """

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self.usable = True
        self.used = False
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[WireReply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._begun = False

    @property
    def idle_seconds(self) -> float:
        """How long it has had nothing to do."""
        return self._loop.time() - self.idle_since

    def ask(self, request: bytes, seconds: float) -> asyncio.Future[WireReply]:
        """Send a request, head and body; the reply comes as the result.

        Its exception is `TimeoutError` where no whole reply came within so many seconds, `HalfReplyError` where the
        server broke off in the middle, `TooLargeError`, and `ConnectionError` where it closed the connection or speaks
        no HTTP.
        """
        assert self._transport is not None
        self._begin()
        self._size = 0
        self._waiter = self._loop.create_future()
        self._deadline = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)
        self._transport.write(request)
        return self._waiter

    def abort(self) -> None:
        """Drop the connection, with whatever is under way on it."""
        self.usable = False
        self._stop_the_clock()
        if self._transport is not None:
            self._transport.abort()

    def _look_at_the_clock(self) -> None:
        """One timer for many requests: what it waited for may have come long ago, and something else be waited for."""
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)
        else:
            self._fail(TimeoutError())

    def _stop_the_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: Exception) -> None:
        self.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._waiter = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._waiter is None:  # nobody asked
            self.abort()
            return
        self._begun = True
        self._size += nbytes
        if self._size > MOST_BYTES:
            self._fail(TooLargeError())
            return
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except HttpParserUpgrade:
            self._fail(ConnectionError("it wants to speak another protocol"))
        except HttpParserError as error:
            self._fail(ConnectionError(f"it does not speak HTTP ({error})"))

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        self._stop_the_clock()
        if self._waiter is None:
            return
        # A reply without a length ends with the connection.
        if self._status >= 200 and error is None and not {"content-length", "transfer-encoding"} & self._headers.keys():
            self.on_message_complete()
        elif self._begun:
            self._fail(HalfReplyError())
        else:
            self._fail(ConnectionResetError(str(error or "it was closed without a reply")))

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._waiter is None:  # more than was asked for: it would be taken for the beginning of the next reply
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status >= 200 and not self._parser.should_keep_alive():
            self.usable = False

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._status < 200:  # "go on", "early hints": the reply is still to come
            self._begin()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        self.used = True
        self.idle_since = self._loop.time()
        body = b"".join(self._body)
        if (packed := self._headers.get("content-encoding")) is not None:
            try:
                body = _unpacked(body, packed.strip().lower())
            except TooLargeError as error:
                self.abort()
                waiter.set_exception(error)
                return
            except (zlib.error, ValueError) as error:
                self.abort()
                waiter.set_exception(ConnectionError(f"its reply cannot be unpacked ({error})"))
                return
        waiter.set_result(WireReply(self._status, self._headers, body))
        if not self.usable and self._transport is not None:
            self._transport.close()


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError(f"packed as {encoding}")
    # Either header; and some servers send what they call deflate without one.
    bare = encoding == "deflate" and (len(body) < 2 or body[0] & 15 != 8 or int.from_bytes(body[:2]) % 31)
    reader = zlib.decompressobj(wbits=-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
    plain = reader.decompress(body, MOST_BYTES)
    if not reader.eof:
        raise TooLargeError if len(plain) >= MOST_BYTES else ValueError("incomplete")
    return plain

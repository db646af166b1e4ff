"""Bodies of replies: unpacked while they come, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

__all__ = ["MOST_BYTES", "PACKINGS", "TooLargeError", "Unpacker", "unpacked"]

MOST_BYTES = 2**26
"""Of a reply, as it comes and once it is unpacked: more than any model writes, and few enough to be unpacked without delaying all
other calls. A small reply can be made to swell to any size."""

PACKINGS = "gzip, deflate"
"""The packings that an `Unpacker` reads, as the header `Accept-Encoding` names them."""

_PIECE = 2**20


class TooLargeError(ConnectionError):
    """A reply of more than `MOST_BYTES`."""

    def __init__(self) -> None:
        super().__init__(f"its reply has more than {MOST_BYTES // 2**20} MiB")


class Unpacker:
    """Unpacks a body while it comes.

    Args:
        encoding: as the header `Content-Encoding` says it; None where there is none.

    Raises:
        ConnectionError: it cannot be unpacked.
    """

    def __init__(self, encoding: str | None) -> None:
        encoding = (encoding or "identity").strip().lower() or "identity"
        if encoding not in {"identity", "gzip", "x-gzip", "deflate"}:
            raise ConnectionError(f"its reply cannot be unpacked (packed as {encoding[:40]})")
        self._encoding = encoding
        self._head = b""
        self._reader: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What more there is when this has come, in pieces of at most a mebibyte: a kilobyte may hold one."""
        if self._encoding == "identity":
            yield data
            return
        if self._reader is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._head = self._head, b""
            # Either header; and some servers send what they call deflate without one.
            bare = self._encoding == "deflate" and (data[0] & 15 != 8 or int.from_bytes(data[:2]) % 31)
            self._reader = zlib.decompressobj(wbits=-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        try:
            while piece := self._reader.decompress(data, _PIECE):
                yield piece
                data = self._reader.unconsumed_tail
        except zlib.error as error:
            raise ConnectionError(f"its reply cannot be unpacked ({error})") from error

    def finish(self) -> None:
        """Note that no more comes."""
        if self._encoding != "identity" and (self._reader is None or not self._reader.eof):
            raise ConnectionError("its reply cannot be unpacked (incomplete)")


async def unpacked(read: Callable[[], Awaitable[Any]], encoding: str | None) -> bytes:
    """A body, unpacked.

    Args:
        read: gives the next piece of it, and None at its end.
        encoding: as in `Unpacker`.

    Raises:
        TooLargeError: it has more than `MOST_BYTES`, as it comes or unpacked; no more of it was read.
        ConnectionError: it cannot be unpacked.
    """
    unpacker, plain, came = Unpacker(encoding), bytearray(), 0
    while (chunk := await read()) is not None:
        came += len(data := bytes(chunk))
        for piece in unpacker.feed(data):
            plain += piece
            if max(came, len(plain)) > MOST_BYTES:
                raise TooLargeError
    unpacker.finish()
    return bytes(plain)

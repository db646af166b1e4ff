"""The batch interface of an OpenAI-compatible endpoint: files, batches, and what the endpoint says of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from synth.errors import ModelError
from synth.models.transport import HttpReply, HttpTransport
from synth.models.unpacking import MOST_BYTES as MOST_BYTES_OF_REPLY

__all__ = ["Batch", "BatchInterface"]

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_NO_ROOM = "token_limit_exceeded"
"""The code of a batch that was refused because too much is queued: nothing of it was asked."""


class _File(BaseModel):
    """A file, as far as we look."""

    id: str


class _Refusal(BaseModel):
    code: str | None = None
    message: str | None = None


class _Refusals(BaseModel):
    data: list[_Refusal] | None = None


class _Counts(BaseModel):
    completed: int = 0


class Batch(BaseModel):
    """A batch, as far as we look."""

    id: str
    status: str
    created_at: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Refusals | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no more of its requests will be answered."""
        return self.status in _ENDED

    @property
    def done(self) -> int:
        """How many of its requests are answered."""
        return self.request_counts.completed if self.request_counts else 0

    @property
    def found_no_room(self) -> bool:
        """Whether it was refused because too much is queued: nothing of it was asked."""
        return any(r.code == _NO_ROOM for r in self._refusals)

    @property
    def said(self) -> str:
        """Why it was refused, in the endpoint's words."""
        return "; ".join(r.message or r.code or "" for r in self._refusals)

    @property
    def _refusals(self) -> list[_Refusal]:
        return (self.errors.data if self.errors else None) or []


class _Batches(BaseModel):
    """A page of a list of batches, the newest first."""

    data: list[Batch]
    has_more: bool | None = False


M = TypeVar("M", _File, Batch, _Batches)


class BatchInterface:
    """What an endpoint is asked about batches, one question at a time.

    Args:
        http: the transport to it.
        base_url: its address, for errors.
        refusal: the error for a reply that is a refusal.
    """

    def __init__(self, http: HttpTransport, base_url: str, refusal: Callable[[HttpReply], ModelError]) -> None:
        self._http = http
        self._base_url = base_url
        self._refusal = refusal

    async def upload(self, content: bytes) -> str:
        """Send a file of requests, a line each; returns its name.

        Raises:
            ModelError: the endpoint refused, no reply came, or something else than the interface has.
        """
        sent = self._http.upload("/files", {"purpose": "batch"}, "requests.jsonl", content)
        return (await self._read(sent, _File)).id

    async def make(self, path: str, file: str, token: str) -> str:
        """Make a batch of a file; returns its name. Errors as for `upload`.

        Args:
            path: where its requests go.
            file: the name of the file.
            token: by which it is found again.
        """
        asked = {
            "input_file_id": file,
            "endpoint": path,
            "completion_window": "24h",
            "metadata": {"synth": token},
        }
        return (await self._read(self._http.post("/batches", asked), Batch)).id

    async def look_at(self, batch: str) -> Batch:
        """How far a batch is; errors as for `upload`."""
        return await self._read(self._http.get(f"/batches/{quote(batch, safe='')}"), Batch)

    async def look_for(self, lost: Mapping[str, int]) -> dict[str, str]:
        """Batches by their tokens, of those that are there; `lost` says when each was sent, in seconds since 1970. Errors as for `upload`."""
        found: dict[str, str] = {}
        last = ""
        a_day_before = min(lost.values()) - 86_400  # clocks differ
        while True:
            after = {"after": last} if last else {}
            page = await self._read(self._http.get(f"/batches?{urlencode({'limit': 100, **after})}"), _Batches)
            for batch in page.data:
                token = str((batch.metadata or {}).get("synth"))
                if token in lost:
                    found[token] = batch.id
            done = len(found) == len(lost) or not page.has_more or not page.data
            if done or page.data[-1].created_at < a_day_before or last == page.data[-1].id:
                return found
            last = page.data[-1].id

    async def read_lines(self, file: str, most: int, take: Callable[[bytes], None]) -> None:
        """Give `take` the lines of a file of the endpoint, which has at most `most` bytes.

        Raises:
            ModelError: it is not to be had, or has no end.
        """
        size, rest = 0, bytearray()

        def split(piece: bytes) -> None:
            nonlocal size, rest
            size += len(piece)
            rest += piece
            if size > most:
                raise ModelError("malformed", f"{self._base_url}: the file {file} has more than {most // 2**20:,} MiB")
            if len(rest) > MOST_BYTES_OF_REPLY:
                longest = MOST_BYTES_OF_REPLY // 2**20
                what = f"{self._base_url}: a line of the file {file} has more than {longest} MiB"
                raise ModelError("malformed", what)
            if b"\n" in piece:
                *lines, last = bytes(rest).split(b"\n")
                rest = bytearray(last)
                for line in lines:
                    take(line)

        reply = await self._http.download(f"/files/{quote(file, safe='')}/content", split)
        if not 200 <= reply.status < 300:
            raise self._refusal(reply)
        take(bytes(rest))

    async def _read(self, asked: Awaitable[HttpReply], kind: type[M]) -> M:
        """What the endpoint says to a question of the batch interface.

        Raises:
            ModelError: it refused, no reply came, or something else than the interface has.
        """
        reply = await asked
        if not 200 <= reply.status < 300:
            raise self._refusal(reply)
        try:
            return kind.model_validate_json(reply.body)
        except ValidationError as error:
            what = (
                f"{self._base_url} did not answer as the batch interface of OpenAI does ({error.error_count()} fields)"
            )
            fix = "does this endpoint have batches? without batch: calls are made one by one"
            raise ModelError("malformed", what, retriable=True, fix=fix) from error

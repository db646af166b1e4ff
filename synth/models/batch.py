"""A model behind the batch interface of an OpenAI-compatible endpoint: hours instead of seconds, at half the price.

Requests wait until nobody adds another; then they go up as one file, and the batch is asked after until it has ended.
Which batch holds which request is written down before it leaves: a client that died, or was stopped, finds its batches
again, and what they answer is paid once. How far a batch got decides request by request: a line that failed is retried
like any other call, in a later batch; a reply nobody has asked for yet is kept until somebody does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Annotated, Any, NamedTuple, TypeVar
from uuid import uuid4

import orjson
from pydantic import BaseModel, ConfigDict, Field

from synth.errors import ModelError, Stopped
from synth.models.base import StateStore
from synth.models.batch_interface import Batch, BatchInterface
from synth.models.batch_notes import BatchNotes
from synth.models.endpoint import EndpointModel
from synth.models.refusals import refusal_of_server
from synth.models.request import Completion, Request
from synth.models.transport import HttpReply, HttpTransport
from synth.models.unpacking import MOST_BYTES as MOST_BYTES_OF_REPLY
from synth.redact import redact, scrub

__all__ = ["BatchModel", "BatchSettings"]

T = TypeVar("T")

MOST_BYTES = 100_000_000
"""Of one file of requests: half of what OpenAI and Azure take."""
_BYTES_A_REPLY = 2**20
"""Of the replies in a file of results, on average: thirty times what a model writes that thinks long."""
MOST_UNREADABLE = 5
"""Answers about a batch that can be read by nobody, one after the other, until the run stops."""


class BatchSettings(BaseModel):
    """How batches are made; the defaults are our choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_requests: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    """Requests in one batch, at most; so many are under way at once."""
    idle_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Seconds without a further request after which a batch leaves."""
    poll_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Seconds between two looks at a batch."""
    price_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """What a call in a batch costs, of the price stated."""
    forget: tuple[str, ...] = ()
    """Batches, by the names the endpoint gave them, whose replies can no longer be had: what they were asked is asked
    again."""


class _Waiting(NamedTuple):
    request: Request
    future: asyncio.Future[HttpReply]


class BatchModel(EndpointModel):
    """Answers through batches; see the module. Arguments as in `EndpointModel`, and `batch`."""

    def __init__(self, name: str, *, batch: BatchSettings, **given: Any) -> None:
        super().__init__(name, **{**given, "concurrency": batch.max_requests})
        if self.price is not None:
            factor = batch.price_factor
            self.price = self.price.model_copy(
                update={"input": self.price.input * factor, "output": self.price.output * factor}
            )
        self._batch = batch
        self._most = batch.max_requests
        self._state: StateStore | None = None
        self._new: dict[str, Request] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._unclaimed: dict[str, HttpReply | ModelError] = {}
        """What batches of earlier sessions gave to requests that nobody has made yet in this one."""
        self._batch_of: dict[str, str] = {}
        """The batch that is to answer a request, by replay key, of this session or an earlier one."""
        self._token_of: dict[str, str] = {}
        self._notes: BatchNotes  # from when it is started
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: set[str] = set()
        self._under_way: set[str] = set()
        self._stopped: dict[str, Stopped] = {}
        """Batches whose replies cannot be had at the moment, and why."""

    def attach_state(self, state: StateStore) -> None:
        self._state = state

    @property
    def _kept(self) -> StateStore:
        if self._state is None:
            raise RuntimeError(
                f"model {self.name} was started before attach_state: calls in a batch must outlive this process"
            )
        return self._state

    async def start(self) -> None:
        await super().start()
        await self._find_again()
        self._begin(self._collect())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().stop()

    def release(self) -> None:
        under_way = sum(key in self._batch_of for key in self._waiting)
        if under_way:
            self._kept.report(f"{under_way:,} calls are under way in batches; the same command takes up their replies")
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(Stopped("its reply is still to come"))

    async def complete(self, request: Request) -> Completion:
        key = self.key(request)
        end = self._unclaimed.pop(key, None)
        if isinstance(end, ModelError):
            raise end
        return self.read(end if end is not None else await self._reply(key, request), request)

    async def _reply(self, key: str, request: Request) -> HttpReply:
        batch = self._batch_of.get(key)
        if batch in self._stopped:
            raise self._stopped[batch]
        future: asyncio.Future[HttpReply] = asyncio.get_running_loop().create_future()
        self._waiting[key] = _Waiting(request, future)
        if batch is not None:
            self._follow(batch)
        else:
            self._new[key] = request
            self._arrived.set()
        try:
            return await future
        finally:
            del self._waiting[key]
            self._new.pop(key, None)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def _endpoint(self) -> BatchInterface:
        assert isinstance(self._transport, HttpTransport)
        return BatchInterface(self._transport, self.base_url, self._refusal)

    def _refusal(self, reply: HttpReply) -> ModelError:
        reply = reply._replace(body=scrub(reply.body))
        return refusal_of_server(reply, self.base_url, model=self.model_id, key_variable=self._key_variable)

    async def _patiently(self, batch: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer about something that is paid for: asked again as long as it may still come.

        Raises:
            ModelError: it will not.
        """
        unreadable, reported = 0, ""
        while True:
            try:
                return await ask()
            except ModelError as error:
                unreadable = unreadable + 1 if error.cause == "malformed" else 0
                if not error.retriable or unreadable >= MOST_UNREADABLE:
                    raise
                if error.what != reported:
                    reported = error.what
                    self._kept.report(f"model {self.name}: batch {batch}: {reported} (asked again)")
            await asyncio.sleep(self._batch.poll_seconds)

    # Sending.

    async def _collect(self) -> None:
        """Send a batch whenever requests wait and no more come, or there are enough."""
        while True:
            await self._arrived.wait()
            while len(self._new) < self._most:
                self._arrived.clear()
                try:
                    await asyncio.wait_for(self._arrived.wait(), self._batch.idle_seconds)
                except TimeoutError:
                    break
            await self._room.wait()
            self._arrived.clear()
            path, lines = self._take()
            if self._new:
                self._arrived.set()
            if not lines:
                continue
            try:
                await self._submit(path, lines)
            except ModelError as error:
                self._settle(lines, error)
            except Exception as error:  # noqa: BLE001  # any error must reach the waiting calls
                self._settle(lines, ModelError("malformed", redact(f"the batch could not be sent: {error!r}")))

    def _take(self) -> tuple[str, dict[str, bytes]]:
        """Requests for one batch, which go to one path, as lines of its file by their keys."""
        path, size, lines = "", 0, dict[str, bytes]()
        for key, request in list(self._new.items()):
            at = "/v1" + self.path(request)
            if lines and at != path:
                continue
            try:
                body = self.body(request)
            except ModelError as error:  # an image that is gone, or has changed
                del self._new[key]
                self._settle([key], error)
                continue
            line = orjson.dumps({"custom_id": key, "method": "POST", "url": at, "body": body})
            if lines and (len(lines) >= self._most or size + len(line) > MOST_BYTES):
                break
            path, size, lines[key] = at, size + len(line) + 1, line
        for key in lines:
            del self._new[key]
        return path, lines

    async def _submit(self, path: str, lines: Mapping[str, bytes]) -> None:
        token = uuid4().hex
        self._notes.write_leaving(token, lines)
        try:
            content = b"\n".join(lines.values()) + b"\n"
            file = await self._endpoint.upload(content)
            batch = await self._create(path, file, token)
        except ModelError:
            self._notes.write_void(token)
            raise
        self._notes.write_name(token, batch)
        self._kept.report(f"model {self.name}: batch {batch} with {len(lines):,} calls is under way")
        self._token_of[batch] = token
        self._batch_of |= dict.fromkeys(lines, batch)
        self._follow(batch)

    async def _create(self, path: str, file: str, token: str) -> str:
        """Make a batch of a file; its name."""
        try:
            return await self._endpoint.make(path, file, token)
        except ModelError as error:
            if error.fatal or error.cause not in {"timeout", "connection", "server", "malformed"}:
                raise
            # It may be there all the same, and a second one would be paid too.
            await asyncio.sleep(min(self._batch.poll_seconds, 5.0))
            found = await self._patiently("(being made)", lambda: self._endpoint.look_for({token: int(time.time())}))
            if token not in found:
                raise
            return found[token]

    # Taking up what earlier sessions sent.

    async def _find_again(self) -> None:
        """Take up the batches of earlier sessions that hold requests whose reply is not on record."""
        self._notes = BatchNotes(self._kept)
        if lost := self._notes.unnamed():
            try:
                found = await self._endpoint.look_for(lost)
            except ModelError as error:
                what = f"whether batches of an earlier session are there cannot be seen: {error.what}"
                fix = error.fix or "give the same command again later"
                raise Stopped(what, where=f"model {self.name}", fix=fix) from error
            for token, name in found.items():
                self._notes.write_name(token, name)
        self._token_of, self._batch_of = self._notes.open(self._batch.forget)

    # Following.

    def _follow(self, batch: str) -> None:
        if batch not in self._followed:
            self._followed.add(batch)
            self._under_way.add(batch)
            self._begin(self._follow_to_the_end(batch))

    async def _follow_to_the_end(self, batch: str) -> None:
        refused = False
        try:
            seen = await self._end_of(batch)
            mine = {key for key, b in self._batch_of.items() if b == batch}
            for file in (seen.output_file_id, seen.error_file_id):
                if file is not None:
                    mine -= await self._deliver(batch, file, mine)
            said = redact(seen.said)
            if seen.status == "failed" and seen.found_no_room:
                refused = True
                self._put_back(batch, mine, said)
            elif seen.status == "failed":
                what = f"the endpoint refused batch {batch}: {said}"
                self._settle(mine, ModelError("bad_request", what, fatal=True))
            else:
                what = f"batch {batch} is {seen.status}, and did not answer this call"
                self._settle(mine, ModelError("server", what, retriable=True))
        except ModelError as error:
            self._stop(batch, error.what, error.fix)
        except Exception as error:  # noqa: BLE001  # any error must reach the waiting calls
            self._stop(batch, redact(repr(error)), None)
        finally:
            self._under_way.discard(batch)
            if refused and self._under_way:
                self._room.clear()
            else:
                self._room.set()

    async def _end_of(self, batch: str) -> Batch:
        """The batch when it has ended; errors as for `_patiently`."""
        reported = -1
        while True:
            seen = await self._patiently(batch, lambda: self._endpoint.look_at(batch))
            if seen.has_ended:
                return seen
            if seen.done != reported:
                reported = seen.done
                self._kept.report(f"model {self.name}: batch {batch} is {seen.status}, {reported:,} calls done")
            await asyncio.sleep(self._batch.poll_seconds)

    async def _deliver(self, batch: str, file: str, wanted: AbstractSet[str]) -> set[str]:
        """Hand out the lines of a result file; gives the keys of those that were wanted and there."""
        delivered: set[str] = set()

        def deliver(line: bytes) -> None:
            # A line that is torn counts as none.
            with suppress(orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
                found = orjson.loads(line)
                key, response = found["custom_id"], found.get("response")
                if response is None:
                    response = {"status_code": 500, "body": {"error": found.get("error") or {}}}
                reply = HttpReply(int(response["status_code"]), {}, orjson.dumps(response["body"]))
                if key in wanted and key not in delivered:
                    delivered.add(key)
                    self._settle([key], reply)

        most = MOST_BYTES_OF_REPLY + len(wanted) * _BYTES_A_REPLY
        await self._patiently(batch, lambda: self._endpoint.read_lines(file, most, deliver))
        return delivered

    def _put_back(self, batch: str, keys: Iterable[str], said: str) -> None:
        """A batch was refused because too much is queued: what it was to ask goes out later, or in smaller batches."""
        keys = list(keys)
        for other in set(self._batch_of.values()) - {batch}:
            self._follow(other)  # of an earlier session: it takes up room too
        others = self._under_way - {batch}
        if not others and len(keys) <= 1:
            self._stop(batch, said, "give the same command again later, when the endpoint has room")
        self._notes.write_void(self._token_of[batch])
        if others:
            later = "it goes out again when another has ended"
        else:
            self._most = max(1, len(keys) // 2)
            later = f"batches of at most {self._most:,} calls are tried"
        self._kept.report(f"model {self.name}: the endpoint has no room for batch {batch} ({said}): {later}")
        for key in keys:
            del self._batch_of[key]
            waiting = self._waiting.get(key)
            if waiting is not None and not waiting.future.done():
                self._new[key] = waiting.request
        self._arrived.set()

    def _stop(self, batch: str, what: str, fix: str | None) -> None:
        """Stop the run over a batch whose replies cannot be had; it stays on record."""
        stopped = Stopped(
            f"batch {batch}: {what}",
            where=f"model {self.name}",
            fix=(f"{fix}; " if fix else "")
            + "the same command takes the batch up again. Should its replies be lost for good, batch: {forget: ["
            + f"{batch}]}} in the profile asks again",
        )
        self._stopped[batch] = stopped
        for key, waiting in self._waiting.items():
            if self._batch_of.get(key) == batch and not waiting.future.done():
                waiting.future.set_exception(Stopped(stopped.what, where=stopped.where, fix=stopped.fix))

    def _settle(self, keys: Iterable[str], end: HttpReply | ModelError) -> None:
        """The end of a request: given to the call that waits for it, or kept for the one that will."""
        for key in list(keys):
            self._batch_of.pop(key, None)
            one = _copy(end) if isinstance(end, ModelError) else end
            waiting = self._waiting.get(key)
            if waiting is None or waiting.future.done():
                self._unclaimed[key] = one
            elif isinstance(one, ModelError):
                waiting.future.set_exception(one)
            else:
                waiting.future.set_result(one)


def _copy(error: ModelError) -> ModelError:
    """An error of its own for each call."""
    return ModelError(error.cause, error.what, retriable=error.retriable, fatal=error.fatal, fix=error.fix)

"""A model behind the batch interface of an OpenAI-compatible endpoint: hours instead of seconds, at half the price.

Requests wait until nobody adds another; then they go up as one file, and the batch is asked after until it has ended.
Which batch holds which request is written down before it leaves: a client that died, or was stopped, finds its batches
again, and what they answer is paid once. How far a batch got decides request by request: a line that failed is retried
like any other call, in a later batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any
from uuid import uuid4

import orjson
from pydantic import BaseModel, ConfigDict, Field

from synth.errors import Stopped, TeacherError
from synth.teachers.endpoint import EndpointTeacher
from synth.teachers.ledger import Notebook
from synth.teachers.request import Completion, Request
from synth.teachers.wire import OfficialWire, WireReply

__all__ = ["BatchSettings", "BatchTeacher"]

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class BatchSettings(BaseModel):
    """How batches are made; the defaults are our choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    """Requests in one batch, at most; so many are under way at once."""
    quiet: Annotated[float, Field(gt=0)] = 5.0
    """Seconds without a further request after which a batch leaves."""
    poll: Annotated[float, Field(gt=0)] = 30.0
    """Seconds between two looks at a batch."""
    price_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """What a call in a batch costs, of the price stated."""


class BatchTeacher(EndpointTeacher):
    """Answers through batches; see the module. Arguments as in `EndpointTeacher`, and `batch`."""

    def __init__(self, name: str, *, batch: BatchSettings, **given: Any) -> None:
        super().__init__(name, **{**given, "concurrency": batch.most, "client": "openai"})
        if self.price is not None:
            factor = batch.price_factor
            self.price = self.price.model_copy(
                update={"input": self.price.input * factor, "output": self.price.output * factor}
            )
        self._batch = batch
        self._notebook: Notebook | None = None
        self._new: dict[str, Request] = {}
        self._waiting: dict[str, asyncio.Future[WireReply]] = {}
        self._batch_of: dict[str, str] = {}
        """The batch that is to answer a request, by replay key, of this session or an earlier one."""
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: set[str] = set()

    def keep(self, notebook: Notebook) -> None:
        self._notebook = notebook

    @property
    def _notes(self) -> Notebook:
        if self._notebook is None:
            raise RuntimeError(f"teacher {self.name} needs a notebook: what is under way must outlive this process")
        return self._notebook

    async def start(self) -> None:
        await super().start()
        await self._find_again()
        self._begin(self._collect())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().stop()

    def let_go(self) -> None:
        under_way = sum(key in self._batch_of for key in self._waiting)
        if under_way:
            self._notes.tell(f"{under_way:,} calls are under way in batches; the same command takes up their replies")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Stopped("its reply is still to come"))

    async def complete(self, request: Request) -> Completion:
        key = self.key(request)
        future: asyncio.Future[WireReply] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        batch = self._batch_of.get(key)
        if batch is not None:
            self._follow(batch)
        else:
            self._new[key] = request
            self._arrived.set()
        try:
            return self.read(await future, request)
        finally:
            del self._waiting[key]

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def _official(self) -> OfficialWire:
        assert isinstance(self._wire, OfficialWire)
        return self._wire

    async def _collect(self) -> None:
        """Send a batch whenever requests wait and no more come, or there are enough."""
        while True:
            await self._arrived.wait()
            while len(self._new) < self._batch.most:
                self._arrived.clear()
                try:
                    await asyncio.wait_for(self._arrived.wait(), self._batch.quiet)
                except TimeoutError:
                    break
            self._arrived.clear()
            some = dict(list(self._new.items())[: self._batch.most])
            for key in some:
                del self._new[key]
            if self._new:
                self._arrived.set()
            try:
                await self._submit(some)
            except TeacherError as error:
                self._fail(some, error)

    async def _submit(self, requests: Mapping[str, Request]) -> None:
        token = uuid4().hex
        self._notes.write({"token": token, "keys": list(requests)})
        lines = [
            orjson.dumps(
                {"custom_id": key, "method": "POST", "url": "/v1" + self.path(request), "body": self.body(request)}
            )
            for key, request in requests.items()
        ]
        wire = self._official
        file = await wire.guarded(
            wire.client.files.create(file=("requests.jsonl", b"\n".join(lines) + b"\n"), purpose="batch")
        )
        batch = await wire.guarded(
            wire.client.batches.create(
                input_file_id=file.id,
                endpoint="/v1" + self.path(next(iter(requests.values()))),  # type: ignore[arg-type]
                completion_window="24h",
                metadata={"synth": token},
            )
        )
        self._notes.write({"token": token, "batch": batch.id})
        self._notes.tell(f"teacher {self.name}: batch {batch.id} with {len(requests):,} calls is under way")
        self._batch_of |= dict.fromkeys(requests, batch.id)
        self._follow(batch.id)

    async def _find_again(self) -> None:
        """Take up the batches of earlier sessions that hold requests whose reply is not on record."""
        batches: dict[str, str | None] = {}
        keys: dict[str, list[str]] = {}
        for entry in self._notes.entries():
            batches.setdefault(entry["token"], entry.get("batch"))
            batches[entry["token"]] = entry.get("batch") or batches[entry["token"]]
            keys.setdefault(entry["token"], entry.get("keys", []))
        lost = {token for token, batch in batches.items() if batch is None}
        if lost:  # the client died between sending a batch and learning its name
            wire = self._official
            listed = await wire.guarded(wire.client.batches.list(limit=100))
            for batch in listed.data:
                token = (batch.metadata or {}).get("synth", "")
                if token in lost:
                    batches[token] = batch.id
                    self._notes.write({"token": token, "batch": batch.id})
        times: dict[str, int] = {}
        for token, found in batches.items():
            for key in keys[token] if found is not None else ():
                times[key] = times.get(key, 0) + 1
                # A request that is on record as often as it was in batches has had its last answer.
                if times[key] > self._notes.attempts(key):
                    assert found is not None
                    self._batch_of[key] = found
                else:
                    self._batch_of.pop(key, None)

    def _follow(self, batch: str) -> None:
        if batch not in self._followed:
            self._followed.add(batch)
            self._begin(self._follow_to_the_end(batch))

    async def _follow_to_the_end(self, batch: str) -> None:
        wire = self._official
        told = -1
        while True:
            try:
                seen = await wire.guarded(wire.client.batches.retrieve(batch))
                if seen.status in _ENDED:
                    break
                done = seen.request_counts.completed if seen.request_counts else 0
                if done != told:
                    told = done
                    self._notes.tell(f"teacher {self.name}: batch {batch} is {seen.status}, {done:,} calls done")
            except TeacherError as error:
                if not error.retriable:
                    self._fail({k for k, b in self._batch_of.items() if b == batch}, error)
                    return
            await asyncio.sleep(self._batch.poll)
        mine = {key for key, b in self._batch_of.items() if b == batch}
        for file in (seen.output_file_id, seen.error_file_id):
            if file is not None:
                await self._deliver(file, mine)
        if seen.status == "failed":
            said = "; ".join(e.message or "" for e in (seen.errors.data if seen.errors else None) or [])
            what = f"the endpoint refused batch {batch}: {said}"
            self._fail(mine, TeacherError("bad_request", what, fatal=True))
        else:
            what = f"batch {batch} is {seen.status}, and did not answer this call"
            self._fail(mine, TeacherError("server", what, retriable=True))

    async def _deliver(self, file: str, mine: set[str]) -> None:
        """Hand out the lines of a result file; `mine` keeps those that had none."""
        wire = self._official
        while True:
            try:
                content = (await wire.guarded(wire.client.files.content(file))).content
                break
            except TeacherError as error:
                if not error.retriable:
                    return
                await asyncio.sleep(self._batch.poll)
        for line in content.splitlines():
            with suppress(orjson.JSONDecodeError, KeyError, TypeError):  # a line that is torn counts as none
                got = orjson.loads(line)
                key, response = got["custom_id"], got.get("response")
                if response is None:
                    response = {"status_code": 500, "body": {"error": got.get("error") or {}}}
                reply = WireReply(int(response["status_code"]), {}, orjson.dumps(response["body"]))
                if key in mine:
                    mine.discard(key)
                    del self._batch_of[key]
                    self._settle(key, reply)

    def _fail(self, keys: Any, error: TeacherError) -> None:
        for key in list(keys):
            self._batch_of.pop(key, None)
            self._settle(key, error)

    def _settle(self, key: str, end: WireReply | TeacherError) -> None:
        future = self._waiting.get(key)
        if future is None or future.done():
            return  # nobody asks for it in this session
        if isinstance(end, TeacherError):
            future.set_exception(
                TeacherError(end.cause, end.what, retriable=end.retriable, fatal=end.fatal, remedy=end.remedy)
            )
        else:
            future.set_result(end)

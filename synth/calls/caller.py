"""Asking, in layers: replay → retry → limits → budget → transport.

Each layer stands in a module of its own (`ledger`, `retry`, `limits`, `budget`, and the model); this one is the order
they are called in. Each attempt waits for its turn and for room in the budget, and is a row of the ledger (`row`).
Whether a model is given up is decided in `health`; what users see of all this, in `reports`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tenacity import AsyncRetrying, retry_if_exception

from synth.calls.budget import Budget, expected
from synth.calls.executions import Executions
from synth.calls.gathering import GATHER_FROM, Gathering
from synth.calls.health import Health
from synth.calls.kept import as_kept, tokens_of
from synth.calls.ledger import Ledger
from synth.calls.limits import Limit, Turn, Waiting
from synth.calls.reports import LONG_PAUSE, Reports
from synth.calls.retry import MOST_SECONDS, RetryPolicy
from synth.calls.row import row_of, status_of
from synth.calls.stages import next_stage
from synth.calls.unusable import unusable
from synth.errors import ModelError, Stopped
from synth.models.base import Model
from synth.models.request import Completion, Request
from synth.records import CallStatus

__all__ = ["CallCounts", "Caller"]


class CallCounts:
    """What a run has asked so far, for the progress panel."""

    def __init__(self) -> None:
        self.sent = 0
        self.replayed = 0
        self.ok = 0
        """Calls of this session that gave a usable reply."""
        self.failed = 0
        self.last_error: ModelError | None = None
        """How the last call ended that gave none."""
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.retrying = 0
        """Calls that failed and wait for another attempt."""


class _UnderWay(NamedTuple):
    """A question that has been asked and not been answered."""

    task: asyncio.Task[None]
    waiters: list[asyncio.Future[Completion]]


class Caller:
    """Asks models on behalf of steps; one for each run.

    Args:
        ledger: where attempts are written and replies found again.
        budget: what may be spent.
        no_retry_failed: whether what was answered, and the answer was of no use, is not asked again.
        on_note: called with a line to show: an attempt failed and another will be made, another model answers.
        on_retry: called when a call begins to wait for another attempt.
    """

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget | None = None,
        *,
        no_retry_failed: bool = False,
        on_note: Callable[[str], None] | None = None,
        on_retry: Callable[[], None] | None = None,
    ) -> None:
        self.ledger = ledger
        self.executions: Executions | None = None
        """Runs programs; None where none is run, as in a plan."""
        self.budget = budget or Budget()
        self.counts = CallCounts()
        self.closing: Stopped | None = None
        """Why no more is asked; None while the run goes on."""
        self._closed = asyncio.Event()
        self._keep_failures = no_retry_failed
        self._on_retry = on_retry
        self._limits: dict[tuple[str, str], Limit] = {}
        self._asked: dict[str, Model] = {}
        self._asking: dict[str, _UnderWay] = {}
        self._gathering = Gathering()
        self._health = Health(lambda model: (model.endpoint, model.model_id) in ledger.answered)
        self._reports = Reports(on_note)

    def close(self, why: Stopped) -> None:
        """Refuse new calls from now on; those in flight return and are written down."""
        if self.closing is None:
            self.closing = why
            self._closed.set()
            for limit in self._limits.values():
                limit.release()
            for model in self._asked.values():
                model.release()

    def waiting(self) -> dict[str, Waiting]:
        """Why no call leaves for a model, by its name; only those for which none does. May be read from any thread."""
        found = ((t.name, self._limits.get((t.endpoint, t.model_id))) for t in list(self._asked.values()))
        return {name: why for name, limit in found if limit is not None and (why := limit.waiting) is not None}

    async def drain(self, seconds: float | None = None) -> None:
        """Return when every call in flight has returned; after so many seconds those still out are given up."""
        if self._asking:
            _, late = await asyncio.wait([u.task for u in self._asking.values()], timeout=seconds)
            for task in late:
                task.cancel()

    async def ask(self, model: Model, request: Request, *, unit: str) -> Completion:
        """One usable reply, from the ledger or from the model.

        Raises:
            ModelError: no usable reply; `cause` says why.
            SetupError: no call to this model can ever succeed (wrong key, wrong URL, no such model).
            Stopped: the budget is spent, or the run is being stopped.
        """
        self._asked.setdefault(model.name, model)
        await next_stage()
        key = model.key(request)
        if (replayed := self.ledger.replay(key)) is not None:
            self.counts.replayed += 1
            return replayed
        if self._keep_failures and (failed := self.ledger.failed_reply(key)) is not None:
            self.counts.replayed += 1
            completion, status = failed
            error = unusable(status, completion, model, request)
            if completion.finish is None and completion.refusal:  # it came as an error
                error = ModelError(status, completion.refusal, raw=completion.text or None)
            raise error
        loop = asyncio.get_running_loop()
        under_way = self._asking.get(key)
        if under_way is not None:  # the same question is on its way: one call serves both
            self.counts.replayed += 1
        else:
            task = loop.create_task(self._bring(model, request, key, unit))
            under_way = self._asking[key] = _UnderWay(task, [])
        # The task that asked may be cancelled, because a sibling failed; what was paid for is written down all the same.
        waiter: asyncio.Future[Completion] = loop.create_future()
        under_way.waiters.append(waiter)
        return await waiter

    async def _bring(self, model: Model, request: Request, key: str, unit: str) -> None:
        """Ask, and give the result to all that wait for the same."""
        try:
            completion = await self._ask_with_retries(model, request, key, unit)
        except BaseException as error:
            for waiter in self._asking.pop(key).waiters:
                if not waiter.done():
                    waiter.set_exception(error)
            if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
                raise
        else:
            for waiter in self._asking.pop(key).waiters:
                if not waiter.done():
                    waiter.set_result(completion)

    async def _ask_with_retries(self, model: Model, request: Request, key: str, unit: str) -> Completion:
        turn = Turn()
        asked = asyncio.get_running_loop().time()
        try:
            return await self._attempt(model, request, key, unit, turn)
        except ModelError as error:
            return await self._retry(model, request, key, unit, turn, error, asked)

    async def _retry(
        self, model: Model, request: Request, key: str, unit: str, turn: Turn, first: ModelError, asked: float
    ) -> Completion:
        """Go on after a first attempt that failed."""
        loop, given = asyncio.get_running_loop(), model.wire_parameters(request)
        policy = RetryPolicy(
            turn,
            alive=lambda: self._health.is_alive(model),
            fixed=given.get("temperature") == 0 or given.get("seed") is not None,
            waited=lambda: loop.time() - asked,
        )
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, ModelError) and e.retriable),
            stop=lambda state: self.closing is not None or policy.stop(state),
            wait=policy.wait,
            sleep=self._pause,
            before_sleep=self._reports.retry,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise first
                    return await self._attempt(model, request, key, unit, turn)
        except ModelError as error:
            if error.retriable and self.closing is not None:  # it was not given all its attempts
                raise self.closing from error
            if policy.over:
                raise self._wait_too_long(model, error.what, error.retry_after) from error
            if self._health.is_alive(model):
                self._health.give_up_midway(model, error)
            else:
                self._health.give_up(model, error, self._limit(model).out, counts=unit != "probe")
            raise
        raise AssertionError("unreachable")

    def _wait_too_long(self, model: Model, what: str, seconds: float | None) -> Stopped:
        asks = f"; it asks us to wait {seconds:,.0f} s" if seconds else ""
        where = f"model {model.name}"
        return Stopped(what + asks, where=where, fix="give the same command again then: nothing paid is paid twice")

    async def _pause(self, seconds: float) -> None:
        self.counts.retrying += 1
        if self._on_retry is not None:
            self._on_retry()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), seconds)
        finally:
            self.counts.retrying -= 1

    async def _attempt(self, model: Model, request: Request, key: str, unit: str, turn: Turn) -> Completion:
        limit, loop = self._limit(model), asyncio.get_running_loop()
        turn.tokens = sum(expected(self.ledger, model, request)) if limit.counts_tokens else 0.0
        await limit.enter(turn)
        end: CallStatus | None = None
        completion: Completion | None = None
        error: ModelError | None = None
        cancelled: asyncio.CancelledError | None = None
        pause: float | None = None
        retry_after: float | None = None
        has_turn = True
        try:
            self._go_on(model)
            reserve = await self.budget.reserve(self.ledger, model, request)
            try:
                self._go_on(model)  # it may have waited
                limit.out += 1
                left, started, clock = loop.time(), time.time(), time.perf_counter()
                try:
                    completion = as_kept(await model.complete(request), model, request)
                    end, pause = completion.status, completion.pause
                    self._health.answers(model)
                except ModelError as caught:
                    error, end, retry_after = caught, status_of(caught), caught.retry_after
                except asyncio.CancelledError as caught:  # it has left, and may be paid for
                    cancelled, end = caught, "cancelled"
                finally:
                    limit.out -= 1
                latency = time.perf_counter() - clock
                if completion is not None and limit.out >= GATHER_FROM and not self.budget.limited:
                    has_turn = False
                    limit.leave(turn, end, pause=pause, tokens=tokens_of(completion))
                    try:
                        await self._gathering.wait()
                    except asyncio.CancelledError as caught:  # it has returned, and is written down all the same
                        cancelled = caught
                attempt = self.ledger.next_attempt(key)
                call = row_of(model, request, key, attempt, unit, completion, end, error, started, latency)
                if cancelled is not None:
                    with suppress(Stopped, ValueError):  # the journal may be closed
                        self.ledger.record(call)
                    raise cancelled
                self.ledger.record(call)
            finally:
                self.budget.release(reserve)
        finally:
            if has_turn:
                says_nothing = cancelled is not None or (error is not None and error.stale)
                limit.leave(
                    turn,
                    None if says_nothing else end,
                    retry_after=retry_after,
                    pause=pause,
                    tokens=tokens_of(completion),
                )
        self._reports.outage(model, error, in_outage=turn.in_outage)
        self.counts.sent += 1
        if completion is None:
            assert error is not None
            self.counts.failed += 1
            self.counts.last_error = error
            self._health.fails(model, left)
            raise error
        if pause is not None and pause >= LONG_PAUSE:
            self._report_pause(model, pause)
        self._reports.served_by(model, completion)
        for note in completion.notes:
            self._reports.once(model, note)
        self.counts.prompt_tokens += completion.prompt_tokens or 0
        self.counts.completion_tokens += completion.completion_tokens or 0
        if end != "ok":
            self.counts.failed += 1
            self.counts.last_error = unusable(end, completion, model, request)
            raise self.counts.last_error
        self.counts.ok += 1
        return completion._replace(key=key, call=call.id)

    def _go_on(self, model: Model) -> None:
        """Raise what has been found out while a call waited for its turn."""
        self._health.check(model)
        if self.closing is not None:
            raise self.closing

    def _report_pause(self, model: Model, seconds: float) -> None:
        """Report a pause of all calls, once; or stop, if it is longer than the longest wait."""
        if seconds > MOST_SECONDS:
            self.close(self._wait_too_long(model, "no quota is left", seconds))
        else:
            self._reports.pause(model, asyncio.get_running_loop().time(), seconds)

    def report_once(self, model: Model, what: str) -> None:
        """Report something about a model, the first time it is found."""
        self._reports.once(model, what)

    def _limit(self, model: Model) -> Limit:
        where = (model.endpoint, model.model_id)
        if where not in self._limits:
            self._limits[where] = Limit(
                model.concurrency,
                requests_per_minute=model.requests_per_minute,
                tokens_per_minute=model.tokens_per_minute,
            )
        return self._limits[where]

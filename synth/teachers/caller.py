"""Asking, in layers: replay → budget → limits → retry → transport.

Each layer stands in its own module but this one, which is the order they are called in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from synth.errors import SetupError, Stopped, TeacherError
from synth.records import Call, CallStatus
from synth.teachers.base import Teacher
from synth.teachers.budget import Budget
from synth.teachers.ledger import Ledger, call_id
from synth.teachers.limits import Limit
from synth.teachers.redact import redact
from synth.teachers.request import Completion, Request

__all__ = ["CallCounts", "Caller"]

MAX_ATTEMPTS = 6
"""Attempts at one call before it counts as failed: our choice; with the waits below some 60 s in all."""
MOST_SECONDS = 1800.0
"""Seconds after which no further attempt at a call is begun, waits for the endpoint included: our choice."""
FIRST_ATTEMPTS = 2
"""Attempts while nothing has succeeded yet at an endpoint that cannot be reached, or does not speak our language: a
wrong URL is told within seconds."""
FIRST_REFUSALS = 5
"""Calls that an endpoint must have refused as wrong, and none accepted, for all to count as wrong."""
_backoff = wait_random_exponential(multiplier=0.5, max=30)


class CallCounts:
    """What a run has asked so far, for the progress panel."""

    def __init__(self) -> None:
        self.sent = 0
        self.replayed = 0
        self.failed = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0


class _UnderWay(NamedTuple):
    """A question that has been asked and not been answered."""

    task: asyncio.Task[None]
    waiters: list[asyncio.Future[Completion]]


class Caller:
    """Asks teachers on behalf of steps; one for each run.

    Args:
        ledger: where attempts are written and replies found again.
        budget: what may be spent.
        on_note: called with a line worth telling: an attempt failed and another will be made, another model answers.
    """

    def __init__(
        self, ledger: Ledger, budget: Budget | None = None, *, on_note: Callable[[str], None] | None = None
    ) -> None:
        self.ledger = ledger
        self.budget = budget or Budget()
        self.counts = CallCounts()
        self.closing: Stopped | None = None
        """Why no more is asked; None while the run goes on."""
        self._closed = asyncio.Event()
        self._on_note = on_note
        self._limits: dict[tuple[str, str], Limit] = {}
        self._asked: dict[str, Teacher] = {}
        self._asking: dict[str, _UnderWay] = {}
        self._alive: set[str] = set()
        self._refusals: dict[str, int] = {}
        self._other_models: set[tuple[str, str]] = set()
        self._useless: dict[str, SetupError] = {}

    def close(self, why: Stopped) -> None:
        """Refuse new calls from now on; those in flight come home and are written down."""
        if self.closing is None:
            self.closing = why
            self._closed.set()
            for limit in self._limits.values():
                limit.let_go()
            for teacher in self._asked.values():
                teacher.let_go()

    async def drain(self, seconds: float | None = None) -> None:
        """Return when every call in flight has come home; after so many seconds those still out are given up."""
        if self._asking:
            _, late = await asyncio.wait([u.task for u in self._asking.values()], timeout=seconds)
            for task in late:
                task.cancel()

    async def ask(self, teacher: Teacher, request: Request, *, unit: str) -> Completion:
        """One usable reply, from the ledger or from the teacher.

        Raises:
            TeacherError: no usable reply; `cause` says why.
            SetupError: no call to this teacher can ever succeed (wrong key, wrong URL, no such model).
            Stopped: the budget is spent, or the run is being stopped.
        """
        self._asked.setdefault(teacher.name, teacher)
        key = teacher.key(request)
        if (replayed := self.ledger.replay(key)) is not None:
            self.counts.replayed += 1
            return replayed
        loop = asyncio.get_running_loop()
        under_way = self._asking.get(key)
        if under_way is not None:  # the same question is on its way: one call serves both
            self.counts.replayed += 1
        else:
            task = loop.create_task(self._bring(teacher, request, key, unit))
            under_way = self._asking[key] = _UnderWay(task, [])
        # Whoever asked may be cancelled, because a sibling failed; what was paid for is written down all the same.
        waiter: asyncio.Future[Completion] = loop.create_future()
        under_way.waiters.append(waiter)
        return await waiter

    async def _bring(self, teacher: Teacher, request: Request, key: str, unit: str) -> None:
        """Ask, and tell all who wait for the same."""
        try:
            completion = await self._ask_with_retries(teacher, request, key, unit)
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

    async def _ask_with_retries(self, teacher: Teacher, request: Request, key: str, unit: str) -> Completion:
        try:
            return await self._attempt(teacher, request, key, unit, again=False)
        except TeacherError as error:
            return await self._retry(teacher, request, key, unit, error)

    async def _retry(self, teacher: Teacher, request: Request, key: str, unit: str, first: TeacherError) -> Completion:
        """Go on after a first attempt that failed."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, TeacherError) and e.retriable),
            stop=lambda state: self._enough(teacher, state),
            wait=_wait,
            sleep=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise first
                    return await self._attempt(teacher, request, key, unit, again=True)
        except TeacherError as error:
            if error.retriable and self.closing is not None:  # it was not given all its attempts
                raise self.closing from error
            if teacher.name not in self._alive:
                self._give_up(teacher, error)
            raise
        raise AssertionError("unreachable")

    def _give_up(self, teacher: Teacher, error: TeacherError) -> None:
        """Stop the run where a teacher that has never answered is not going to.

        Raises:
            SetupError: every call to it must fail.
            Stopped: it lets nothing through at the moment.
        """
        where = f"teacher {teacher.name}"
        if error.cause == "rate_limit" and not error.fatal:
            raise Stopped(error.what, where=where, remedy="give the same command again later")
        if error.cause == "bad_request":
            self._refusals[teacher.name] = self._refusals.get(teacher.name, 0) + 1
        if error.fatal or error.retriable or self._refusals.get(teacher.name, 0) >= FIRST_REFUSALS:
            useless = SetupError(error.what, where=where, remedy=error.remedy or "no call to it has succeeded")
            raise self._useless.setdefault(teacher.name, useless) from error

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    def _enough(self, teacher: Teacher, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        speechless = isinstance(error, TeacherError) and (error.fatal or error.cause == "malformed")
        most = FIRST_ATTEMPTS if speechless and teacher.name not in self._alive else MAX_ATTEMPTS
        return self.closing is not None or (stop_after_attempt(most) | stop_after_delay(MOST_SECONDS))(state)

    def _tell(self, state: RetryCallState) -> None:
        if self._on_note is not None and state.outcome is not None and state.next_action is not None:
            self._on_note(f"{state.outcome.exception()} (again in {state.next_action.sleep:.1f} s)")

    async def _attempt(self, teacher: Teacher, request: Request, key: str, unit: str, *, again: bool) -> Completion:
        limit = self._limit(teacher)
        entered = await limit.enter(again=again)
        end: CallStatus | None = None
        completion: Completion | None = None
        error: TeacherError | None = None
        try:
            if (useless := self._useless.get(teacher.name)) is not None:
                raise useless
            if self.closing is not None:
                raise self.closing
            self.budget.reserve(self.ledger)
            try:
                started, clock = time.time(), time.perf_counter()
                try:
                    completion = await teacher.complete(request)
                except TeacherError as caught:
                    error = caught
                latency = time.perf_counter() - clock
                end = completion.status if completion is not None else _status(error)
                call = self._row(teacher, request, key, unit, completion, end, error, started, latency)
                self.ledger.record(call)
            finally:
                self.budget.release()
        finally:
            pause = error.retry_after if error else completion.pause if completion else None
            limit.leave(entered, end, pause=pause, tokens=_tokens(completion))
        self.counts.sent += 1
        if completion is None:
            assert error is not None
            self.counts.failed += 1
            raise error
        self._alive.add(teacher.name)
        self._compare_models(teacher, completion)
        self.counts.prompt_tokens += completion.prompt_tokens or 0
        self.counts.completion_tokens += completion.completion_tokens or 0
        if end != "ok":
            self.counts.failed += 1
            raise _unusable(end, completion)
        return completion._replace(key=key, call=call.id)

    def _compare_models(self, teacher: Teacher, completion: Completion) -> None:
        """Tell once where another model answers than the one asked for; a dated or prefixed name is the same."""
        served = completion.served_model
        if not served or self._on_note is None or (teacher.name, served) in self._other_models:
            return
        self._other_models.add((teacher.name, served))
        ours, theirs = teacher.model.lower().rsplit("/", 1)[-1], served.lower().rsplit("/", 1)[-1]
        if ours not in theirs and theirs not in ours:
            self._on_note(f"teacher {teacher.name}: {teacher.model} was asked, and {served} says it answered")

    def _limit(self, teacher: Teacher) -> Limit:
        where = (teacher.endpoint, teacher.model)
        if where not in self._limits:
            self._limits[where] = Limit(
                teacher.concurrency,
                requests_per_minute=teacher.requests_per_minute,
                tokens_per_minute=teacher.tokens_per_minute,
            )
        return self._limits[where]

    def _row(
        self,
        teacher: Teacher,
        request: Request,
        key: str,
        unit: str,
        completion: Completion | None,
        status: CallStatus,
        error: TeacherError | None,
        started: float,
        latency: float,
    ) -> Call:
        attempt = self.ledger.next_attempt(key)
        price = None
        if completion is not None and teacher.price is not None:
            price = teacher.price.of(completion.prompt_tokens, completion.completion_tokens)
        reply: dict[str, Any] = {}
        if completion is not None:
            reply = {
                "reply": completion.text,
                "thinking": completion.thinking,
                "finish": completion.finish,
                "logprobs": completion.logprobs,
                "served_model": completion.served_model,
                "prompt_tokens": completion.prompt_tokens,
                "completion_tokens": completion.completion_tokens,
                "error": completion.refusal,
            }
        elif error is not None:
            reply = {"reply": error.raw, "error": redact(error.what)}
        return Call(
            id=call_id(key, attempt),
            key=key,
            attempt=attempt,
            teacher=teacher.name,
            endpoint=teacher.endpoint,
            model=teacher.model,
            unit=unit,
            step=request.step,
            prompt=request.prompt,
            shape=request.shape.__name__.lstrip("_") if request.shape is not None else None,
            repairs=request.repairs,
            messages=list(teacher.wire_messages(request)),
            parameters=teacher.wire_parameters(request),
            sample=request.sample,
            status=status,
            price=price,
            started=started,
            latency=latency,
            **reply,
        )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TeacherError) else None
    return float(asked) if asked is not None else _backoff(state)


def _status(error: TeacherError | None) -> CallStatus:
    assert error is not None
    return error.cause  # type: ignore[return-value]  # the causes of a TeacherError are statuses, a test holds it


def _unusable(status: CallStatus, completion: Completion) -> TeacherError:
    what = {
        "truncated": "the reply was cut off at the token limit",
        "empty": "the reply was empty",
        "refused": "the teacher refused",
        "server": f"the reply broke off (finish_reason {completion.finish})",
        "malformed": f"the reply is no text, but the call of a tool (finish_reason {completion.finish})",
    }[status]
    remedy = "raise max_tokens of the step" if status == "truncated" else None
    if status == "truncated" and completion.finish == "stop":
        what = "the reply broke off while the model was still thinking"
    return TeacherError(
        status,
        what,
        # A hiccup of a server as often as a habit of a model: worth another attempt.
        retriable=status in {"empty", "server", "malformed"},
        raw=completion.text or completion.refusal,
        remedy=remedy,
    )


def _tokens(completion: Completion | None) -> int:
    return (completion.prompt_tokens or 0) + (completion.completion_tokens or 0) if completion is not None else 0

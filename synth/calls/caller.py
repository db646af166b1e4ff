"""Asking, in layers: replay → retry → limits → budget → transport.

Each layer stands in a module of its own (`ledger`, `retry`, `limits`, `budget`, and the model); this one is the order
they are called in. Each attempt waits for its turn and for room in the budget, and is a row of the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from synth.calls.budget import Budget, expected
from synth.calls.executions import Executions
from synth.calls.ledger import MOST_LETTERS, Ledger, call_id, letters_of
from synth.calls.limits import Limit, Turn, Waiting
from synth.calls.retry import MOST_SECONDS, RetryPolicy
from synth.calls.stages import next_stage
from synth.errors import ModelError, SetupError, Stopped
from synth.models.base import Model
from synth.models.request import Completion, Request
from synth.models.thought import FIELDS
from synth.models.tokens import chosen_alone
from synth.records import Call, CallStatus
from synth.redact import redact

__all__ = ["CallCounts", "Caller"]

FIRST_REFUSALS = 5
"""Calls that an endpoint must have refused, and none answered between them, for all to count as wrong."""
GATHER_SECONDS, GATHER_FROM, GATHER_MOST = 0.025, 32, 64
"""Where so many calls are in flight, replies are written down and handed out in groups, so that what is done with them is
done stage by stage (see `stages.py`): those that come within so many seconds, and so many at most. Not where there is a
budget: what comes next is to know what they took."""
LONG_PAUSE = 10.0
"""A pause of at least this many seconds is reported."""


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


class _Refusals:
    """Calls of one model that were refused one after the other, and what was in flight when they got many."""

    def __init__(self) -> None:
        self.n = 0
        self.judged_at: float | None = None
        self.in_flight = 0

    def add(self, in_flight: int) -> None:
        self.n += 1
        if self.n == FIRST_REFUSALS:
            self.judged_at, self.in_flight = asyncio.get_running_loop().time(), in_flight

    def came_home(self, left: float) -> None:
        """A call that left at that time has failed."""
        if self.judged_at is not None and left < self.judged_at:
            self.in_flight -= 1

    @property
    def all(self) -> bool:
        """Whether all replies since were refusals, and no earlier call is still in flight."""
        return self.judged_at is not None and self.in_flight <= 0


class Caller:
    """Asks models on behalf of steps; one for each run.

    Args:
        ledger: where attempts are written and replies found again.
        budget: what may be spent.
        no_retry_failed: whether what was answered, and the answer was of no use, is not asked again.
        on_note: called with a line to show: an attempt failed and another will be made, another model answers.
        on_retry: called when a call begins to wait for another attempt.
        executions: runs programs; None where none is run, as in a plan.
    """

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget | None = None,
        *,
        no_retry_failed: bool = False,
        on_note: Callable[[str], None] | None = None,
        on_retry: Callable[[], None] | None = None,
        executions: Executions | None = None,
    ) -> None:
        self.ledger = ledger
        self.executions = executions
        self.budget = budget or Budget()
        self.counts = CallCounts()
        self.closing: Stopped | None = None
        """Why no more is asked; None while the run goes on."""
        self._closed = asyncio.Event()
        self._keep_failures = no_retry_failed
        self._on_note = on_note
        self._on_retry = on_retry
        self._limits: dict[tuple[str, str], Limit] = {}
        self._asked: dict[str, Model] = {}
        self._asking: dict[str, _UnderWay] = {}
        self._gathered: list[asyncio.Future[None]] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._alive: set[str] = set()
        self._refusals: dict[str, _Refusals] = {}
        self._reported: set[tuple[str, str]] = set()
        self._useless: dict[str, SetupError] = {}
        self._paused: dict[str, float] = {}
        self._down: set[str] = set()

    def close(self, why: Stopped) -> None:
        """Refuse new calls from now on; those in flight come home and are written down."""
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
        """Return when every call in flight has come home; after so many seconds those still out are given up."""
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
            error = _unusable(status, completion, model, request)
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
            alive=lambda: model.name in self._alive,
            fixed=given.get("temperature") == 0 or given.get("seed") is not None,
            waited=lambda: loop.time() - asked,
        )
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, ModelError) and e.retriable),
            stop=lambda state: self.closing is not None or policy.stop(state),
            wait=policy.wait,
            sleep=self._pause,
            before_sleep=self._note_retry,
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
            if model.name in self._alive:
                self._give_up_midway(model, error)
            else:
                self._give_up(model, error, counts=unit != "probe")
            raise
        raise AssertionError("unreachable")

    def _note_retry(self, state: RetryCallState) -> None:
        if self._on_note is not None and state.outcome is not None and state.next_action and state.next_action.sleep:
            self._on_note(f"{state.outcome.exception()} (again in {state.next_action.sleep:.1f} s)")

    def _give_up(self, model: Model, error: ModelError, *, counts: bool) -> None:
        """Stop the run where a model that has not answered in this session is not going to.

        Raises:
            SetupError: every call to it must fail.
            Stopped: it lets nothing through at the moment.
        """
        where = f"model {model.name}"
        if error.cause == "rate_limit" and not error.fatal:
            raise Stopped(error.what, where=where, fix="give the same command again later")
        wrong = error.fatal or error.retriable or error.cause in {"auth", "not_found"}
        wrong = wrong or (error.parameter is not None and counts)  # of a probe, it is the answer
        if not wrong and error.cause == "bad_request" and counts:
            # One prompt that is too long says nothing of the others, which may be slower to come home.
            refusals = self._refusals.setdefault(model.name, _Refusals())
            refusals.add(self._limit(model).out)
            wrong = refusals.all and (model.endpoint, model.model_id) not in self.ledger.answered
        if wrong:
            useless = SetupError(error.what, where=where, fix=error.fix or "no call to it has succeeded")
            raise self._useless.setdefault(model.name, useless) from error

    def _give_up_midway(self, model: Model, error: ModelError) -> None:
        """Stop the run where a model that has answered does so no more: its units are not done, and not failed.

        Raises:
            Stopped: a key was revoked, credit is gone, a model was taken down.
        """
        lost = error.fatal and not error.retriable
        if not lost and error.cause in {"auth", "not_found"}:
            refusals = self._refusals.setdefault(model.name, _Refusals())
            refusals.add(0)
            lost = refusals.all
        if lost:
            fix = f"{error.fix or 'fix that'}; then the same command resumes: nothing paid is paid twice"
            raise Stopped(error.what, where=f"model {model.name}", fix=fix) from error

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
                    completion = _as_kept(_with_likely_counts(await model.complete(request), request), model, request)
                    end, pause = completion.status, completion.pause
                    self._alive.add(model.name)
                    self._refusals.pop(model.name, None)
                except ModelError as caught:
                    error, end, retry_after = caught, _status(caught), caught.retry_after
                except asyncio.CancelledError as caught:  # it has left, and may be paid for
                    cancelled, end = caught, "cancelled"
                finally:
                    limit.out -= 1
                latency = time.perf_counter() - clock
                if completion is not None and limit.out >= GATHER_FROM and not self.budget.limited:
                    has_turn = False
                    limit.leave(turn, end, pause=pause, tokens=_tokens(completion))
                    try:
                        await self._gather()
                    except asyncio.CancelledError as caught:  # it has come home, and is written down all the same
                        cancelled = caught
                call = self._row(model, request, key, unit, completion, end, error, started, latency)
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
                    tokens=_tokens(completion),
                )
        self._report_outage(model, turn, error)
        self.counts.sent += 1
        if completion is None:
            assert error is not None
            self.counts.failed += 1
            self.counts.last_error = error
            if self._refusals and (refusals := self._refusals.get(model.name)) is not None:
                refusals.came_home(left)
            raise error
        if pause is not None and pause >= LONG_PAUSE:
            self._report_pause(model, pause)
        self._compare_models(model, completion)
        for note in completion.notes:
            self.report_once(model, note)
        self.counts.prompt_tokens += completion.prompt_tokens or 0
        self.counts.completion_tokens += completion.completion_tokens or 0
        if end != "ok":
            self.counts.failed += 1
            self.counts.last_error = _unusable(end, completion, model, request)
            raise self.counts.last_error
        self.counts.ok += 1
        return completion._replace(key=key, call=call.id)

    async def _gather(self) -> None:
        """Wait for other replies that come about now; the next call is on its way already."""
        loop = asyncio.get_running_loop()
        if not self._gathered:
            self._gathering = loop.call_later(GATHER_SECONDS, self._let_on)
        turn: asyncio.Future[None] = loop.create_future()
        self._gathered.append(turn)
        if len(self._gathered) >= GATHER_MOST:
            self._let_on()
        await turn

    def _let_on(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
        gathered, self._gathered = self._gathered, []
        for turn in gathered:
            if not turn.done():
                turn.set_result(None)

    def _go_on(self, model: Model) -> None:
        """Raise what has been found out while a call waited for its turn."""
        if self._useless and (useless := self._useless.get(model.name)) is not None:
            raise useless
        if self.closing is not None:
            raise self.closing

    def _report_pause(self, model: Model, seconds: float) -> None:
        """Report a pause of all calls, once; or stop, if it is longer than the longest wait."""
        until = asyncio.get_running_loop().time() + seconds
        if seconds > MOST_SECONDS:
            self.close(self._wait_too_long(model, "no quota is left", seconds))
        elif until > self._paused.get(model.name, 0.0) + LONG_PAUSE:
            self._paused[model.name] = until
            if self._on_note is not None:
                self._on_note(f"model {model.name}: no quota is left, resuming in {seconds:,.0f} s")

    def _report_outage(self, model: Model, turn: Turn, error: ModelError | None) -> None:
        """Report once that an endpoint fails all calls, and once that it answers again."""
        down = model.name in self._down
        if error is None and down:
            self._down.discard(model.name)
            self._note(f"model {model.name}: it answers again")
        elif error is not None and not down and turn.in_outage:
            self._down.add(model.name)
            self._note(
                f"model {model.name}: {error.what}; all calls fail, and one at a time tries it until one is answered"
            )

    def _note(self, text: str) -> None:
        if self._on_note is not None:
            self._on_note(text)

    def _compare_models(self, model: Model, completion: Completion) -> None:
        """Report once if another model answers than the one asked for; a dated or prefixed name is the same."""
        served = completion.served_model
        if not served or self._on_note is None or (model.name, served) in self._reported:
            return
        ours, theirs = model.model_id.lower().rsplit("/", 1)[-1], served.lower().rsplit("/", 1)[-1]
        if ours not in theirs and theirs not in ours:
            self._on_note(f"model {model.name}: {model.model_id} was asked, and {served} says it answered")
        self._reported.add((model.name, served))

    def report_once(self, model: Model, what: str) -> None:
        """Report something about a model, the first time it is found."""
        if self._on_note is not None and (model.name, what) not in self._reported:
            self._reported.add((model.name, what))
            self._on_note(f"model {model.name}: {what}")

    def _limit(self, model: Model) -> Limit:
        where = (model.endpoint, model.model_id)
        if where not in self._limits:
            self._limits[where] = Limit(
                model.concurrency,
                requests_per_minute=model.requests_per_minute,
                tokens_per_minute=model.tokens_per_minute,
            )
        return self._limits[where]

    def _row(
        self,
        model: Model,
        request: Request,
        key: str,
        unit: str,
        completion: Completion | None,
        status: CallStatus,
        error: ModelError | None,
        started: float,
        latency: float,
    ) -> Call:
        attempt = self.ledger.next_attempt(key)
        price = None
        if completion is not None and model.price is not None:
            price = model.price.of(completion.prompt_tokens, completion.completion_tokens)
        reply: dict[str, Any] = {}
        if completion is not None:
            reply = {
                "reply": completion.text,
                "thought": completion.thought,
                "thought_kind": completion.thought_kind,
                "thought_from": completion.thought_from,
                "finish": completion.finish,
                "logprobs": completion.logprobs,
                "served_model": completion.served_model,
                "prompt_tokens": completion.prompt_tokens,
                "completion_tokens": completion.completion_tokens,
                "reasoning_tokens": completion.reasoning_tokens,
                "error": completion.refusal,
            }
        elif error is not None:
            reply = {"reply": error.raw, "error": redact(error.what)}
        return Call(
            id=call_id(key, attempt),
            key=key,
            attempt=attempt,
            model=model.name,
            endpoint=model.endpoint,
            model_id=model.model_id,
            unit=unit,
            step=request.step,
            prompt=request.prompt,
            shape=request.shape.__name__.lstrip("_") if request.shape is not None else None,
            repairs=request.repairs,
            messages=list(model.wire_messages(request)),
            parameters=model.wire_parameters(request),
            sample=request.sample,
            status=status,
            price=price,
            started=started,
            latency=latency,
            **reply,
        )


def _status(error: ModelError) -> CallStatus:
    return error.cause  # type: ignore[return-value]  # the causes of a ModelError are statuses, a test holds it


def _unusable(status: CallStatus, completion: Completion, model: Model, request: Request) -> ModelError:
    """Why a reply is of no use, and what to do about it."""
    what, fix = {
        "truncated": (
            f"the reply was cut off at the token limit{_limit_of(model, request)}",
            "raise max_tokens of the step",
        ),
        "thought_cut": _thought_cut(completion, model, request),
        "only_thought": _only_thought(completion),
        "empty": ("the reply was empty", None),
        "refused": ("the model refused", None),
        "server": (f"the reply broke off (finish_reason {completion.finish})", None),
        "malformed": (f"the reply is no text, but the call of a tool (finish_reason {completion.finish})", None),
    }[status]
    return ModelError(
        status,
        what,
        # A hiccup of a server as often as a habit of a model: worth another attempt.
        retriable=status in {"empty", "server", "malformed"},
        raw=completion.text
        or completion.refusal
        or (completion.thought if status in {"thought_cut", "only_thought"} else None),
        fix=fix,
    )


def _limit_of(model: Model, request: Request) -> str:
    """The limit that was sent, in words."""
    sent = model.wire_parameters(request)
    found = next(((n, sent[n]) for n in ("max_tokens", "max_completion_tokens") if isinstance(sent.get(n), int)), None)
    return f" ({found[0]}: {found[1]:,})" if found is not None else ""


def _thought_cut(completion: Completion, model: Model, request: Request) -> tuple[str, str]:
    fix = (
        "reasoning: N in the profile of this model (models.yaml) allows N tokens for its thought beside max_tokens of the "
        "step; or raise max_tokens, or set max_tokens_on_truncation, with which it is asked once more"
    )
    if "max_completion_tokens" in model.parameters:
        fix = "raise max_completion_tokens in the profile of this model (models.yaml)"
    if not completion.cut_off:
        return "the thought does not end: the reply broke off while the model was still thinking", fix
    return f"the thought was cut off at the token limit{_limit_of(model, request)}: there is no response", fix


def _only_thought(completion: Completion) -> tuple[str, str]:
    if completion.thought_from in {*FIELDS, "reasoning_details", "parts"}:
        what = f"the text came as reasoning ({completion.thought_from}), and the content is empty"
        fix = (
            "a server's reasoning parser does that where the model does not think, or never ends its thought: start the "
            "server without it (vLLM, SGLang: --reasoning-parser; llama.cpp: --reasoning-format none), or switch thinking off "
            "in the profile of this model (such as parameters: {chat_template_kwargs: {enable_thinking: false}})"
        )
        return what, fix
    what = f"the reply is a thought ({completion.thought_from}) and no response"
    return what, "ask for a response in the prompt; synth calls RUN CALL shows what the model wrote"


_UNLIKELY = (
    "it counts so few tokens for a text that the count cannot be true; there tokens are guessed from the letters, and the "
    "price is not known"
)


def _with_likely_counts(completion: Completion, request: Request) -> Completion:
    """A reply without the counts of tokens that cannot be true, such as none for a page of text.

    Where an endpoint says nothing, the budget guesses from the letters and the price is not known; believing it instead
    would be a budget that never ends.
    """
    written = completion.completion_tokens
    letters = len(completion.text) + len(completion.thought or "") if request.score is None else 0
    if written is not None and letters > written * MOST_LETTERS:
        completion = completion._replace(completion_tokens=None, notes=(*completion.notes, _UNLIKELY))
    read = completion.prompt_tokens
    if read is not None and letters_of(request.messages) > read * MOST_LETTERS:
        completion = completion._replace(prompt_tokens=None, notes=(*completion.notes, _UNLIKELY))
    return completion


def _as_kept(completion: Completion, model: Model, request: Request) -> Completion:
    """A reply as the ledger keeps it: without alternatives to its tokens that nobody asked for."""
    if completion.logprobs is None:
        return completion
    return completion._replace(logprobs=chosen_alone(completion.logprobs, model.wire_parameters(request)))


def _tokens(completion: Completion | None) -> int:
    return (completion.prompt_tokens or 0) + (completion.completion_tokens or 0) if completion is not None else 0

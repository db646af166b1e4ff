"""The limiter in virtual time: scenarios with the time the best possible client would need, and properties."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from fake_endpoints import Fake, Outcome, ask_all, broken, refusal, request
from hypothesis import given, settings
from hypothesis import strategies as st
from support import endpoint, reply
from virtual_clock import run_virtually

from synth.calls import Caller, Ledger
from synth.calls.limits import BREAK_AFTER, Limit, Turn
from synth.errors import ModelError, SetupError, Stopped
from synth.models.endpoint import EndpointModel
from synth.store.journal import Journal

Fails = Callable[[int, Fake], ModelError | None]
SCHEDULE = 31.0
"""Seconds that a call waits between its six attempts, at most."""
FREE = 800 * 0.5 / 32
"""Seconds that 800 calls of half a second take without failures, 32 at a time."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Waits are drawn; with the clock they are all that differs from run to run."""
    random.seed(7)


def sporadic(share: float, retry_after: float | None = None) -> Fails:
    return lambda _, fake: refusal(retry_after) if fake.chance.random() < share else None


def poisoned(every: int, cause: str = "server") -> Fails:
    return lambda prompt, _: broken(cause) if prompt % every == every - 1 else None


def capacity(most: int, error: Callable[[], ModelError] = refusal) -> Fails:
    return lambda _, fake: error() if fake.in_flight > most else None


def quota(n: int, *, says_when: bool) -> Fails:
    """`n` calls in each minute of the clock."""
    served: dict[float, int] = {}

    def fails(_: int, fake: Fake) -> ModelError | None:
        minute = fake.now // 60
        if served.get(minute, 0) >= n:
            return refusal((minute + 1) * 60 - fake.now if says_when else None)
        served[minute] = served.get(minute, 0) + 1
        return None

    return fails


def bucket(a_second: float, most: float) -> Fails:
    """A token bucket: so many calls a second, and so many at once after a rest."""
    tokens, then = most, 0.0

    def fails(_: int, fake: Fake) -> ModelError | None:
        nonlocal tokens, then
        tokens, then = min(most, tokens + (fake.now - then) * a_second), fake.now
        if tokens < 1:
            return refusal()
        tokens -= 1
        return None

    return fails


def outage(start: float, end: float, cause: str = "server", **more: Any) -> Fails:
    return lambda _, fake: broken(cause, **more) if start <= fake.now < end else None


def mixture(share: float) -> Fails:
    def fails(_: int, fake: Fake) -> ModelError | None:
        if fake.chance.random() >= share:
            return None
        kind = fake.chance.choice(["429", "server", "timeout", "connection"])
        return refusal(1.0) if kind == "429" else broken(kind)

    return fails


class Scenario(NamedTuple):
    fails: Fails
    optimum: float
    """Seconds that no client can do without; where calls fail for ever, with the schedule of one call."""
    bound: float
    """How many times as many we may take."""
    n: int = 800
    lost: int = 0
    """Calls that must fail."""
    options: Mapping[str, Any] = MappingProxyType({})


SCENARIOS = {
    "no failures": Scenario(lambda *_: None, FREE, 1.001),
    "2 % refused, Retry-After 1": Scenario(sporadic(0.02, 1.0), FREE, 1.15),
    "6 % refused, Retry-After 1": Scenario(sporadic(0.06, 1.0), FREE, 1.4),
    "20 % refused, Retry-After 1": Scenario(sporadic(0.2, 1.0), FREE, 2.5),
    "2 % refused": Scenario(sporadic(0.02), FREE, 1.15),
    "20 % refused, a long run": Scenario(sporadic(0.2, 1.0), 10 * FREE, 1.6, 8000),
    "10 % of prompts fail": Scenario(poisoned(10), 1.3 * FREE + SCHEDULE, 1.0, 800, 80),
    "half of the prompts fail": Scenario(poisoned(2), FREE + SCHEDULE, 3.5, 800, 400),
    # Six times five seconds of each poisoned prompt take places that others could have.
    "10 % of prompts hang": Scenario(poisoned(10, "timeout"), (720 * 0.5 + 80 * 30) / 32 + SCHEDULE, 1.2, 800, 80),
    "the last prompt fails": Scenario(lambda i, _: broken() if i == 799 else None, FREE + SCHEDULE, 1.0, 800, 1),
    "4 at a time": Scenario(capacity(4), 50, 1.25, 400, options={"concurrency": 64}),
    "16 at a time": Scenario(capacity(16), 50, 1.25, 1600, options={"concurrency": 64}),
    "100 at a time": Scenario(capacity(100), 32, 1.25, 6400, options={"concurrency": 256}),
    "600 a minute, says when": Scenario(quota(600, says_when=True), 240 + 9.5, 1 / 0.95, 3000),
    "600 a minute": Scenario(quota(600, says_when=False), 240 + 9.5, 1 / 0.95, 3000),
    "60 a minute": Scenario(quota(60, says_when=False), 240 + 1, 1 / 0.95, 300),
    "bucket, 10 a second": Scenario(bucket(10, 10), 99, 1 / 0.95, 1000),
    "bucket, 10 a second, quick": Scenario(bucket(10, 10), 99, 1 / 0.95, 1000, options={"latency": 0.05}),
    "bucket, 1 a second": Scenario(bucket(1, 10), 190, 1 / 0.95, 200, options={"latency": 0.05}),
    "bucket, 1 a second, none at once": Scenario(bucket(1, 1), 100, 1.35, 100, options={"latency": 0.05}),
    "down for a minute": Scenario(outage(30, 90), 120, 1.15, 3840),
    "hangs for a minute": Scenario(outage(30, 90, "timeout"), 120, 1.2, 3840),
    "unreachable for a minute": Scenario(outage(30, 90, "connection", fatal=True), 120, 1.15, 3840),
    "down for a minute, one at a time": Scenario(outage(30, 90), 120, 1.15, 120, options={"concurrency": 1}),
    "loads a model for 40 s": Scenario(outage(0, 40, unavailable=True), 40 + FREE, 1.25),
    "30 % of a mixture": Scenario(mixture(0.3), FREE / 0.7 + SCHEDULE, 1.0),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_how_close_to_the_optimum(name: str, tmp_path: Path):
    """Each scenario is done within a factor of the time that the best possible client would need, and loses no other call."""
    scenario = SCENARIOS[name]
    fake = Fake(scenario.fails, **scenario.options)
    outcome = run_virtually(ask_all(fake, scenario.n, tmp_path))
    assert len(outcome.errors) == scenario.lost
    assert outcome.seconds <= scenario.bound * scenario.optimum
    assert fake.most <= fake.concurrency


@pytest.mark.parametrize("more", [{}, {"cause": "connection", "fatal": True}, {"cause": "timeout"}])
def test_an_endpoint_that_is_dead_from_the_start_ends_the_run(tmp_path: Path, more: dict[str, Any]):
    """It is asked a few times only, and reported within half a minute."""
    fake = Fake(lambda *_: broken(**more))
    outcome = run_virtually(ask_all(fake, 800, tmp_path))
    assert {type(e) for e in outcome.errors} == {SetupError, Stopped} or {type(e) for e in outcome.errors} == {
        SetupError
    }
    assert outcome.seconds < 30
    assert outcome.attempts < 2 * fake.concurrency


def test_what_is_waited_for_is_shown(tmp_path: Path):
    """While an endpoint is down, the caller says since when, and when it is tried next; afterwards nothing."""
    fake, seen = Fake(outage(5, 65)), []
    notes: list[str] = []

    async def watch() -> Outcome:
        caller = Caller(Ledger(Journal(tmp_path / "journal")), on_note=notes.append)
        asked = asyncio.create_task(ask_all(fake, 800, tmp_path, caller=caller))
        while not asked.done():
            await asyncio.sleep(1)
            seen.append((fake.now, caller.waiting().get("t"), caller.counts.retrying))
        return asked.result()

    assert run_virtually(watch()).ok == 800
    assert all(waiting is None for now, waiting, _ in seen if now <= 5 or now > 71)
    during = [(now, waiting, retrying) for now, waiting, retrying in seen if 8 < now < 65]
    assert all(waiting.state == "circuit open" and waiting.cause == "server" for _, waiting, _ in during)
    assert all(now - 9 < waiting.seconds < now - 4 and 0 <= waiting.next_try <= 5 for now, waiting, _ in during)
    assert any(retrying for _, _, retrying in during)
    assert len([n for n in notes if "all calls fail" in n]) == len([n for n in notes if "answers again" in n]) == 1


def test_dense_refusals_are_shown_as_backing_off(tmp_path: Path):
    fake, states = Fake(quota(100, says_when=True)), set()

    async def watch() -> None:
        caller = Caller(Ledger(Journal(tmp_path / "journal")))
        asked = asyncio.create_task(ask_all(fake, 250, tmp_path, caller=caller))
        while not asked.done():
            await asyncio.sleep(1)
            waiting = caller.waiting().get("t")
            states.add(waiting.state if waiting else None)

    run_virtually(watch())
    assert states <= {None, "backing off", "circuit open"}
    assert len(states) > 1


KINDS = st.sampled_from(["ok", "ok", "ok", "ok", "rate_limit", "server", "timeout", "connection"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(KINDS, st.sampled_from([0.0, 0.01, 0.3, 2.0]), st.none() | st.just(1.0)), min_size=1, max_size=60
    ),
    st.integers(1, 40),
    st.integers(1, 300),
)
def test_every_call_ends_and_no_more_than_the_ceiling_leave(
    ends: list[tuple[str, float, float | None]], ceiling: int, n: int
):
    """Whatever comes back, in whatever order: nobody waits for ever, and what is counted in flight goes back to nothing."""

    async def go() -> None:
        limit, out, entered = Limit(ceiling), 0, 0

        async def call(i: int) -> None:
            nonlocal out, entered
            turn = Turn()
            for attempt in range(4):
                await limit.enter(turn)
                out, entered = out + 1, entered + 1
                assert out <= ceiling
                end, seconds, retry_after = ends[(7 * i + attempt) % len(ends)]
                await asyncio.sleep(seconds)
                out -= 1
                limit.leave(turn, end, retry_after=retry_after)
                if end == "ok":
                    break
                await asyncio.sleep(retry_after or 0.5)

        async with asyncio.timeout(4 * n * 15):
            await asyncio.gather(*(call(i) for i in range(n)))
        assert entered >= n
        await asyncio.sleep(10)
        assert (limit.in_flight, out) == (0, 0)

    run_virtually(go())


@settings(max_examples=40, deadline=None)
@given(st.integers(60, 6000), st.integers(1, 40), st.floats(0, 0.5), st.integers(2, 200))
def test_requests_a_minute_are_kept(a_minute: int, ceiling: int, failing: float, n: int):
    """However many calls fail: two departures are never closer than the limit allows."""

    async def go() -> list[float]:
        fake = Fake(sporadic(failing, 1.0), concurrency=ceiling)
        limit, departures = Limit(ceiling, requests_per_minute=a_minute), []

        async def call(i: int) -> None:
            turn, error = Turn(), True
            while error:
                await limit.enter(turn)
                departures.append(fake.now)
                error = fake.fails(i, fake)
                await asyncio.sleep(0.02)
                limit.leave(turn, error.cause if error else "ok", retry_after=error.retry_after if error else None)
                await asyncio.sleep(1 if error else 0)

        await asyncio.gather(*(call(i) for i in range(n)))
        return departures

    departures = run_virtually(go())
    assert min(b - a for a, b in pairwise(departures)) >= 60 / a_minute - 1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(1000, 100_000), st.lists(st.integers(1, 2000), min_size=2, max_size=60), st.booleans())
def test_tokens_a_minute_are_kept(a_minute: int, sizes: list[int], known: bool):
    """All but the calls that left before the first was counted take no more tokens than the limit allows."""

    async def go() -> float:
        limit = Limit(1, tokens_per_minute=a_minute)

        async def call(size: int) -> None:
            turn = Turn(tokens=size if known else 10)
            await limit.enter(turn)
            limit.leave(turn, "ok", tokens=size)

        for size in sizes:
            await call(size)
        return asyncio.get_running_loop().time()

    assert run_virtually(go()) == pytest.approx(sum(sizes[:-1]) * 60 / a_minute)


def test_calls_that_were_in_flight_before_and_new_ones_leave_in_turns():
    """Neither starves: not a call that waits for its second attempt, nor one that waits for its first."""

    async def go() -> list[str]:
        limit, order = Limit(1), []
        first = Turn()
        await limit.enter(first)
        await asyncio.sleep(0.1)
        limit.leave(first, "ok")

        async def call(name: str, turn: Turn) -> None:
            await limit.enter(turn)
            order.append(name)
            await asyncio.sleep(0.1)
            limit.leave(turn, "ok")

        calls = [call(f"again {i}", Turn(asked=0.0)) for i in range(3)] + [call(f"new {i}", Turn()) for i in range(3)]
        await limit.enter(first)
        tasks = [asyncio.create_task(c) for c in calls]
        await asyncio.sleep(0.1)
        limit.leave(first, "ok")
        await asyncio.gather(*tasks)
        return order

    assert run_virtually(go()) == ["again 0", "new 0", "again 1", "new 1", "again 2", "new 2"]


def test_a_call_that_is_given_up_takes_no_place():
    async def go() -> None:
        limit, held = Limit(1), Turn()
        await limit.enter(held)
        waiting = [asyncio.create_task(limit.enter(Turn())) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting[:4]:
            task.cancel()
        await asyncio.gather(*waiting[:4], return_exceptions=True)
        limit.leave(held, "ok")
        await asyncio.wait_for(waiting[4], 1)
        assert limit.in_flight == 1
        limit.leave(Turn(), "ok")
        # Cancelled in the very moment its turn came.
        await limit.enter(held)
        late = asyncio.create_task(limit.enter(Turn()))
        await asyncio.sleep(0)
        limit.leave(held, "ok")
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert limit.in_flight == 0

    run_virtually(go())


def test_what_fails_while_others_are_answered_says_nothing_of_the_endpoint():
    """A prompt that breaks again and again neither shrinks the window nor opens the circuit."""

    async def go() -> None:
        limit, bad = Limit(4), Turn()
        for _ in range(3 * BREAK_AFTER):
            good = Turn()
            await limit.enter(bad)
            await limit.enter(good)
            await asyncio.sleep(0.1)
            limit.leave(good, "ok")
            limit.leave(bad, "server")
            await asyncio.sleep(1)
        assert bad.alone
        assert limit.window == 4
        assert limit.waiting is None

    run_virtually(go())


async def test_a_stop_does_not_wait_out_a_pause(tmp_path: Path):
    async def answer(_request, _body):
        return web.Response(status=429, headers={"Retry-After": "300"})

    journal = Journal(tmp_path / "journal")
    caller = Caller(Ledger(journal))
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", concurrency=1) as model:
            tasks = [asyncio.create_task(caller.ask(model, request(i), unit="u")) for i in range(5)]
            while not seen:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            caller.close(Stopped("interrupted"))
            done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    journal.close()
    assert all(isinstance(d, Stopped) for d in done)
    assert len(seen) == 1


async def test_a_refused_call_waits_as_long_as_the_server_asked(tmp_path: Path):
    """And the others do not: over HTTP, with the clock of the machine."""
    came: list[float] = []

    async def answer(_request, _body):
        came.append(asyncio.get_running_loop().time())
        if len(came) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return reply("two")

    journal = Journal(tmp_path / "journal")
    caller = Caller(Ledger(journal))
    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m", concurrency=4) as model:
            got = await asyncio.gather(*(caller.ask(model, request(i), unit="u") for i in range(20)))
    journal.close()
    assert {g.text for g in got} == {"two"}
    assert len(came) == 21
    assert came[-1] - came[0] >= 0.95
    assert came[-2] - came[0] < 0.95

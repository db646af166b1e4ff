from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from support import endpoint, reply

from synth.errors import Stopped
from synth.records import Problem
from synth.store.journal import Journal
from synth.teachers import Caller, Ledger, Request, Task
from synth.teachers.endpoint import EndpointTeacher
from synth.teachers.limits import BREAK_AFTER, Limit

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")


def request(sample: int) -> Request:
    return Request(({"role": "user", "content": f"{sample}: 1 + 1?"},), Task("solve", QUESTION), {}, sample)


async def enter(limit: Limit, n: int) -> list[float]:
    return [await asyncio.wait_for(limit.enter(), 1) for _ in range(n)]


async def test_calls_in_flight_together_halve_the_window_once():
    limit = Limit(16)
    turns = await enter(limit, 16)
    for turn in turns:
        limit.leave(turn, "rate_limit")
    assert limit.window == 8
    await asyncio.sleep(0.01)
    (turn,) = await enter(limit, 1)
    limit.leave(turn, "server")
    assert limit.window == 4


async def test_each_good_reply_lets_a_little_more_in_up_to_the_ceiling():
    limit = Limit(6)
    limit.window = 2.0
    for _ in range(4):
        (turn,) = await enter(limit, 1)
        limit.leave(turn, "ok")
    assert 3.4 < limit.window < 3.6
    for _ in range(100):
        (turn,) = await enter(limit, 1)
        limit.leave(turn, "refused")  # a reply, of whatever kind
    assert limit.window == 6


async def test_first_come_first_served_and_no_more_than_the_window():
    limit = Limit(2)
    order: list[int] = []

    async def one(i: int) -> None:
        turn = await limit.enter()
        order.append(i)
        assert limit.in_flight <= 2
        await asyncio.sleep(0.001)
        limit.leave(turn, "ok")

    await asyncio.gather(*(one(i) for i in range(20)))
    assert order == list(range(20))
    assert limit.in_flight == 0


async def test_a_call_that_had_a_turn_goes_ahead_of_those_that_had_none():
    limit = Limit(1)
    (turn,) = await enter(limit, 1)
    order: list[str] = []

    async def one(name: str, again: bool) -> None:
        limit_turn = await limit.enter(again=again)
        order.append(name)
        limit.leave(limit_turn, "ok")

    tasks = [asyncio.create_task(one(f"new {i}", again=False)) for i in range(3)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(one("retry", again=True)))
    await asyncio.sleep(0)
    limit.leave(turn, "ok")
    await asyncio.gather(*tasks)
    assert order == ["retry", "new 0", "new 1", "new 2"]


async def test_whoever_gives_up_waiting_takes_no_turn():
    limit = Limit(1)
    (turn,) = await enter(limit, 1)
    waiting = [asyncio.create_task(limit.enter()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[:4]:
        task.cancel()
    await asyncio.gather(*waiting[:4], return_exceptions=True)
    limit.leave(turn, "ok")
    limit.leave(await asyncio.wait_for(waiting[4], 1), "ok")
    assert limit.in_flight == 0
    # Cancelled in the very moment its turn came.
    (turn,) = await enter(limit, 1)
    late = asyncio.create_task(limit.enter())
    await asyncio.sleep(0)
    limit.leave(turn, "ok")
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert limit.in_flight == 0


async def test_an_endpoint_that_is_down_is_tried_by_one_call_at_a_time():
    limit = Limit(8)
    for _ in range(BREAK_AFTER - 1):
        (turn,) = await enter(limit, 1)
        await asyncio.sleep(0.002)
        limit.leave(turn, "connection")
    assert limit.window == 8
    (turn,) = await enter(limit, 1)
    await asyncio.sleep(0.002)
    limit.leave(turn, "connection")
    assert limit.window == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limit.enter(), 0.2)
    limit.leave(await asyncio.wait_for(limit.enter(), 1), "ok")  # half a second later
    assert limit.window == 2


async def test_requests_and_tokens_a_minute():
    loop = asyncio.get_running_loop()
    limit = Limit(8, requests_per_minute=1200)
    came = [await limit.enter() for _ in range(5)]
    assert all(b - a >= 0.045 for a, b in pairwise(came))
    limit = Limit(8, tokens_per_minute=60_000)
    turn = await limit.enter()
    begun = loop.time()
    limit.leave(turn, "ok", tokens=200)
    assert await limit.enter() - begun >= 0.19
    # What is expected counts from the start, and what it came to from the end.
    limit = Limit(8, tokens_per_minute=60_000)
    begun = await limit.enter(tokens=100)
    second = await limit.enter(tokens=5000)
    assert second - begun >= 0.095
    third = asyncio.create_task(limit.enter(tokens=100))
    await asyncio.sleep(0.01)
    limit.leave(second, "ok", tokens=50, expected=5000)
    assert await asyncio.wait_for(third, 1) - begun >= 0.145


async def test_a_pause_that_was_asked_for_is_no_longer_than_that():
    limit = Limit(8)
    for _ in range(BREAK_AFTER + 4):
        turn = await asyncio.wait_for(limit.enter(), 0.2)
        await asyncio.sleep(0.002)
        limit.leave(turn, "server", pause=0.01)
    assert limit.window == 1


async def run_all(url: str, folder: Path, n: int, concurrency: int) -> tuple[list, Caller]:
    journal = Journal(folder / "journal")
    caller = Caller(Ledger(journal))
    async with EndpointTeacher("t", base_url=url, model="m", concurrency=concurrency) as teacher:
        got = await asyncio.gather(
            *(caller.ask(teacher, request(i), unit="u") for i in range(n)), return_exceptions=True
        )
    journal.close()
    return got, caller


async def test_it_finds_out_what_an_endpoint_can_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("synth.teachers.retry._backoff", lambda _: 0.05)
    now = refused = 0

    async def answer(_request, _body):
        nonlocal now, refused
        if now >= 4:
            refused += 1
            return web.Response(status=429)
        now += 1
        await asyncio.sleep(0.01)
        now -= 1
        return reply("two")

    with endpoint(answer) as (url, seen):
        got, caller = await run_all(url, tmp_path, 400, 64)
    assert {g.text for g in got} == {"two"}
    assert len(seen) == 400 + refused == caller.ledger.calls
    assert refused < 200  # of some 24,000 that 64 in flight would have met
    (limit,) = caller._limits.values()
    assert 1 <= limit.window <= 10


async def test_everybody_waits_as_long_as_the_server_asked_and_no_longer(tmp_path: Path):
    came: list[float] = []

    async def answer(_request, _body):
        came.append(asyncio.get_running_loop().time())
        if len(came) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return reply("two")

    with endpoint(answer) as (url, _):
        got, _ = await run_all(url, tmp_path, 20, 1)
    assert {g.text for g in got} == {"two"}
    waited = came[1] - came[0]
    assert 0.95 <= waited < 3


async def test_a_stop_does_not_wait_out_a_pause(tmp_path: Path):
    async def answer(_request, _body):
        return web.Response(status=429, headers={"Retry-After": "300"})

    journal = Journal(tmp_path / "journal")
    caller = Caller(Ledger(journal))
    with endpoint(answer) as (url, seen):
        async with EndpointTeacher("t", base_url=url, model="m", concurrency=1) as teacher:
            tasks = [asyncio.create_task(caller.ask(teacher, request(i), unit="u")) for i in range(5)]
            while not seen:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            caller.close(Stopped("interrupted"))
            done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    journal.close()
    assert all(isinstance(d, Stopped) for d in done)
    assert len(seen) == 1

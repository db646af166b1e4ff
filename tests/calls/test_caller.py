"""The layers around a model, each alone, with a model that does as it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask, run, sums, yaml_file
from virtual_clock import run_virtually

from synth.calls import Budget, Caller, Ledger, retry
from synth.calls.retry import MOST_SECONDS
from synth.engine import failed_in, forget
from synth.errors import ModelError, SetupError, Stopped
from synth.models import Completion, Price, Request, Task
from synth.models.base import Model
from synth.models.refusals import refusal_of_server
from synth.models.transport import HttpReply
from synth.records import Problem
from synth.store.journal import Journal

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")


def request(sample: int = 0, **parameters: Any) -> Request:
    return Request(({"role": "user", "content": "1 + 1?"},), Task("solve", QUESTION), parameters, sample, step="s")


def empty_request(sample: int) -> Request:
    """One whose prompt may well be of no tokens."""
    return Request(({"role": "user", "content": ""},), Task("solve", QUESTION), {}, sample, step="s")


class Told(Model):
    """Does what a function of the request says: gives a completion, raises, or takes its time."""

    name, model_id, endpoint = "t", "m", "http://nowhere/v1"
    price: Price | None = Price(input=1, output=1e6)

    def __init__(self, does: Callable[[Request], Any], concurrency: int = 8) -> None:
        self.does = does
        self.concurrency = concurrency
        self.asked: list[int] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request.sample)
        got = self.does(request)
        if asyncio.iscoroutine(got):
            got = await got
        if isinstance(got, Exception):
            raise got
        return got


def said(text: str = "two", read: int | None = 1, written: int | None = 1, **more: Any) -> Completion:
    return Completion(text, "stop", None, read, written, **more)


def http(status: int, headers: dict[str, str] | None = None) -> ModelError:
    return refusal_of_server(HttpReply(status, headers or {}, b"no"), "http://nowhere/v1", model="m")


@pytest.fixture
def ledger(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    yield Ledger(journal)
    journal.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_backoff", lambda _: 0.001)


async def everything(caller: Caller, model: Model, requests: list[Request]) -> list[Any]:
    return await asyncio.gather(*(caller.ask(model, r, unit="u") for r in requests), return_exceptions=True)


def test_too_many_requests_lose_no_call_however_often(ledger: Ledger):
    left = 60

    def does(_: Request) -> Any:
        nonlocal left
        left -= 1
        return said() if left < 0 or left > 55 else http(429)

    got = run_virtually(everything(Caller(ledger), Told(does, 4), [request(i) for i in range(10)]))
    assert [type(g) for g in got] == [Completion] * 10


def test_a_model_that_is_being_loaded_is_waited_for_and_not_for_ever(ledger: Ledger):
    """A 503 counts for no attempt while it meets every call; at last it is a failure of the call."""
    model = Told(lambda _: http(503) if len(model.asked) < 20 else said())
    (got,) = run_virtually(everything(Caller(ledger), model, [request()]))
    assert isinstance(got, Completion)
    never = Told(lambda r: http(503) if r.sample else said())

    async def ask() -> tuple[Any, float]:
        caller = Caller(ledger)
        await caller.ask(never, request(0, top_p=1), unit="u")
        return (await everything(caller, never, [request(1)]))[0], asyncio.get_running_loop().time()

    got, seconds = run_virtually(ask())
    assert isinstance(got, ModelError)
    assert got.unavailable
    assert MOST_SECONDS - 10 < seconds < MOST_SECONDS + 10


@pytest.mark.parametrize(
    "headers", [{"retry-after": "7200"}, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3h"}]
)
async def test_who_asks_for_a_longer_wait_than_anybody_waits_stops_the_run(ledger: Ledger, headers: dict[str, str]):
    model = Told(lambda r: said() if r.sample == 0 else http(429, headers))
    caller = Caller(ledger)
    await caller.ask(model, request(), unit="u")
    with pytest.raises(Stopped) as caught:
        await asyncio.wait_for(caller.ask(model, request(1), unit="u"), 5)
    assert "00 s" in str(caught.value)
    closing = Caller(ledger)
    await closing.ask(Told(lambda _: said(pause=10_000.0)), request(2), unit="u")
    assert closing.closing is not None
    assert "10,000 s" in str(closing.closing)


async def test_a_pause_of_everybody_is_reported_once(ledger: Ledger):
    notes: list[str] = []
    caller = Caller(ledger, on_note=notes.append)

    async def does() -> Completion:
        await asyncio.sleep(0.01)
        return said(pause=60.0)

    model = Told(lambda _: does(), concurrency=20)
    await everything(caller, model, [request(i) for i in range(20)])
    assert notes == ["model t: no quota is left, resuming in 60 s"]


async def test_quick_refusals_do_not_stop_what_is_slow_to_answer(ledger: Ledger):
    async def slowly() -> Completion:
        await asyncio.sleep(0.2)
        return said()

    model = Told(lambda r: http(400) if r.sample % 3 == 0 else slowly(), concurrency=24)
    got = await everything(Caller(ledger), model, [request(i) for i in range(60)])
    assert not [g for g in got if isinstance(g, SetupError)]
    assert sum(isinstance(g, Completion) for g in got) == 40


async def test_when_all_are_refused_the_run_stops_with_what_was_in_flight(ledger: Ledger):
    async def slowly() -> ModelError:
        await asyncio.sleep(random.random() / 100)
        return http(400)

    model = Told(lambda _: slowly(), concurrency=8)
    got = await everything(Caller(ledger), model, [request(i) for i in range(200)])
    assert isinstance(got[-1], SetupError)
    assert len(model.asked) < 40


async def test_what_an_earlier_session_was_answered_counts(ledger: Ledger):
    await Caller(ledger).ask(Told(lambda _: said()), request(), unit="u")
    got = await everything(Caller(ledger), Told(lambda _: http(400), 1), [request(i) for i in range(1, 10)])
    assert [type(g) for g in got] == [ModelError] * 9


@pytest.mark.parametrize(
    ("parameters", "attempts"), [({"temperature": 0}, 2), ({"seed": 1}, 2), ({"temperature": 1}, 6)]
)
async def test_a_question_with_one_reply_is_not_asked_again_and_again(ledger: Ledger, parameters: dict, attempts: int):
    model = Told(lambda r: said() if r.sample == 0 else said(""))
    got = await everything(Caller(ledger), model, [request(0), request(1, **parameters)])
    assert got[1].cause == "empty"
    assert model.asked.count(1) == attempts


async def test_a_port_that_never_replies_is_not_waited_for_six_times(ledger: Ledger):
    hang = ModelError("timeout", "no reply within 300 s", retriable=True)
    model = Told(lambda _: hang, 1)
    (got,) = await everything(Caller(ledger), model, [request()])
    assert isinstance(got, SetupError)
    assert len(model.asked) == 2


async def test_a_reply_that_waits_for_others_counts_at_once(ledger: Ledger):
    async def does(one: Request) -> Completion:
        await asyncio.sleep(0.02 if one.sample == 0 else 0.025)
        if one.sample:
            raise http(400)
        return said()

    got = await everything(Caller(ledger), Told(does, 40), [request(i) for i in range(40)])
    assert sum(isinstance(g, Completion) for g in got) == 1
    assert sum(isinstance(g, ModelError) and g.cause == "bad_request" for g in got) == 39


@pytest.mark.parametrize("budget", [Budget(), Budget(max_calls=1000), Budget(max_tokens=10**6)])
async def test_replies_wait_for_others_only_where_there_is_no_budget(ledger: Ledger, budget: Budget):
    async def does(_: Request) -> Completion:
        return await asyncio.sleep(0.02, said())

    caller, waited = Caller(ledger, budget), 0
    real = caller._gathering.wait

    async def counted() -> None:
        nonlocal waited
        waited += 1
        await real()

    caller._gathering.wait = counted
    await everything(caller, Told(does, 60), [request(i) for i in range(60)])
    assert bool(waited) is not budget.limited
    assert ledger.calls == 60


async def test_a_reply_that_waits_for_others_is_on_record_though_its_call_is_given_up(ledger: Ledger):
    async def does(one: Request) -> Completion:
        return await asyncio.sleep(0.02 if one.sample < 5 else 60, said())

    caller = Caller(ledger)
    asked = asyncio.create_task(everything(caller, Told(does, 50), [request(i) for i in range(50)]))
    async with asyncio.timeout(10):
        while len(caller._gathering) < 5:
            await asyncio.sleep(0)
    assert ledger.calls == 0
    await caller.drain(0)
    await asked
    assert ledger.calls == 50
    assert sum(key in ledger for key in [Told(does).key(request(i)) for i in range(50)]) == 5


async def test_a_call_given_up_while_under_way_is_on_record(ledger: Ledger):
    async def hang() -> Completion:
        await asyncio.sleep(60)
        return said()

    caller = Caller(ledger)
    task = asyncio.create_task(caller.ask(Told(lambda _: hang()), request(), unit="u"))
    await asyncio.sleep(0.01)
    await caller.drain(0.01)
    await asyncio.gather(task, return_exceptions=True)
    assert (ledger.calls, ledger.unpriced, caller.budget.in_flight) == (1, 0, 0)
    key = Told(lambda _: None).key(request())
    assert (ledger.next_attempt(key), ledger.ended(key)) == (2, 0)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 400), min_size=1),
    st.integers(1, 48),
    st.integers(500, 5000),
    st.booleans(),
    st.integers(0, 99),
)
def test_the_budget_is_used_and_not_passed(
    tmp_path_factory, sizes: list[int], concurrency: int, most: int, money: bool, seed: int
):
    folder = tmp_path_factory.mktemp("budget")
    chance = random.Random(seed)
    sizes = [size + 1 for size in sizes]
    in_flight: list[int] = []
    over: list[int] = []

    async def does(r: Request) -> Completion:
        size = sizes[r.sample % len(sizes)]
        in_flight.append(size)
        await asyncio.sleep(chance.choice([0, 0, 0.0005]))
        over.append(sum(in_flight))
        in_flight.remove(size)
        return said("two", 0, size)

    async def go() -> list[Any]:
        journal = Journal(folder / "journal")
        limits = {"max_cost": float(most)} if money else {"max_tokens": most}
        caller = Caller(Ledger(journal), Budget(**limits))
        n = 2 * most // min(most, max(1, sum(sizes) // len(sizes))) + 2 * concurrency + len(sizes)
        got = await everything(caller, Told(does, concurrency), [empty_request(i) for i in range(n)])
        journal.close()
        return [got, caller.ledger.cost if money else caller.ledger.tokens, caller.budget]

    got, spent, budget = asyncio.run(go())
    assert {type(g) for g in got} <= {Completion, Stopped}
    assert budget.in_flight == 0
    assert spent <= most + max(over)
    if any(isinstance(g, Stopped) for g in got):
        assert spent > 0.9 * most or most - spent < 2 * max(sizes)


async def test_one_dear_call_does_not_end_the_budget(ledger: Ledger):
    async def does(r: Request) -> Completion:
        await asyncio.sleep(0.001)
        return said("two", 0, 200 if r.sample == 0 else 4)

    model = Told(does, 64)
    got = await everything(Caller(ledger, Budget(max_cost=3000.0)), model, [empty_request(i) for i in range(1000)])
    assert any(isinstance(g, Stopped) for g in got)
    assert 2900 < ledger.cost <= 3300


async def test_tokens_nobody_counts_are_guessed(ledger: Ledger):
    model = Told(lambda _: said("x" * 400, None, None), 4)  # 100 tokens, 100 USD
    got = await everything(Caller(ledger, Budget(max_cost=1000.0)), model, [request(i) for i in range(100)])
    assert any(isinstance(g, Stopped) for g in got)
    assert 8 <= ledger.unpriced <= 14


async def test_a_limit_on_cost_needs_prices(tmp_path: Path):
    model = Told(lambda _: said())
    model.price = None
    with pytest.raises(SetupError, match="price of t is not known"):
        Budget(max_cost=1.0).check([model])
    Budget(max_tokens=1).check([model])


async def test_only_what_was_answered_has_an_unknown_price(ledger: Ledger):
    model = Told(lambda _: http(500) if len(model.asked) % 2 else said())
    model.price = None
    await everything(Caller(ledger), model, [request(i) for i in range(5)])
    assert ledger.unpriced == 5 < ledger.calls


PIPELINE = """
    pipeline: my/shapes
    roles: {teacher: writes}
    steps:
      - {step: generate, examples: none, format: json, max_tokens: 64, max_tokens_on_truncation: 128}
"""


async def test_a_failure_points_to_the_call_it_is_about(tmp_path: Path):
    model = Told(lambda r: Completion(f"cut {r.parameters['max_tokens']}", "length"))
    model.capabilities = frozenset({"chat", "json_schema"})
    await run(yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 2), tmp_path / "run", model)
    found = ask(tmp_path / "run", "SELECT f.raw, c.reply FROM failures f JOIN calls c ON c.id = f.call")
    assert found == [("cut 128", "cut 128")] * 2


async def test_replies_without_their_shape_are_asked_for_again_by_retry(tmp_path: Path):
    good = False

    def does(r: Request) -> Completion:
        return said('{"steps": ["so"], "answer": "5"}' if good else "I would rather not")

    model = Told(does)
    model.capabilities = frozenset({"chat", "json_schema"})
    given = yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 3), tmp_path / "run"
    await run(*given, model)
    assert len(model.asked) == 6
    assert ask(given[2], "SELECT cause, retriable FROM failures") == [("shape", True)] * 3
    good = True
    failed = failed_in(given[2])
    assert (len(failed.units), failed.others) == (3, 0)
    forget(given[2], failed.unusable)
    await run(*given, model, again=failed.units)
    assert len(model.asked) == 9
    assert ask(given[2], "SELECT count(*) FROM rationales") == [(3,)]
    assert ask(given[2], "SELECT count(*) FROM failures") == [(0,)]


@pytest.mark.parametrize(
    ("completion", "believed"),
    [
        (said("x" * 4000, 10, 0), (10, None)),
        (said("x" * 4000, 10, 3), (10, None)),
        (Completion("", "stop", "y" * 4000, 10, 0), (10, None)),
        (said("x" * 4000, 0, 900), (None, 900)),
        (said("x" * 4000, 10, 32), (10, 32)),
        (said("", 10, 0), (10, 0)),
        (said("x", 10, 1), (10, 1)),
    ],
)
async def test_counts_of_tokens_that_cannot_be_true_are_not_believed(
    ledger: Ledger, completion: Completion, believed: tuple[int | None, int | None]
):
    """They stand in the ledger as not known, with a price that is not known, and a note says so once."""
    notes: list[str] = []
    rows = record_rows(ledger)
    caller = Caller(ledger, on_note=notes.append)
    await everything(caller, Told(lambda _: completion), [request(i) for i in range(3)])
    assert {(row.prompt_tokens, row.completion_tokens) for row in rows} == {believed}
    assert {row.price is None for row in rows} == {None in believed}
    assert len([n for n in notes if "cannot be true" in n]) == (None in believed)


async def test_who_counts_no_tokens_is_stopped_by_the_limit_all_the_same(ledger: Ledger):
    """A budget of money ends a run whose endpoint says that its texts cost nothing."""
    model = Told(lambda _: said("word " * 800, 0, 0))
    got = await everything(Caller(ledger, Budget(max_cost=5000.0)), model, [request(i) for i in range(200)])
    assert isinstance(got[-1], Stopped)
    assert 4 <= len(model.asked) <= 6


def record_rows(ledger: Ledger) -> list[Any]:
    """The rows of the ledger, as they are recorded."""
    rows: list[Any] = []
    record = ledger.record

    def noting(call: Any) -> None:
        rows.append(call)
        record(call)

    ledger.record = noting  # type: ignore[method-assign]
    return rows

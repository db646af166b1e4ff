"""The endpoint teacher and the layers around it, against a real server."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from support import endpoint, reply

from synth.errors import SetupError, TeacherError
from synth.records import Problem
from synth.store.journal import Journal, read_entries
from synth.teachers import Caller, Ledger, Price, Request, Task
from synth.teachers.endpoint import EndpointTeacher

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")


def request(sample: int = 0, **parameters) -> Request:
    messages = ({"role": "user", "content": QUESTION.question},)
    return Request(messages, Task("solve", QUESTION), parameters, sample=sample, step="s", prompt="p/1#0")


@pytest.fixture
def ledger(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    yield Ledger(journal)
    journal.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth.teachers import caller

    monkeypatch.setattr(caller, "_backoff", lambda _: 0.001)


async def ask(teacher: EndpointTeacher, ledger: Ledger, *requests: Request):
    caller = Caller(ledger)
    async with teacher:
        return await asyncio.gather(
            *(caller.ask(teacher, r, unit="u") for r in requests or (request(),)), return_exceptions=True
        )


def rows(ledger: Ledger) -> list[dict]:
    ledger._journal.flush()
    return [orjson.loads(line)["body"] for _, line in read_entries(ledger._journal.folder)]


async def test_what_goes_over_the_wire_and_what_comes_back(ledger: Ledger):
    async def answer(_request, body):
        return reply("two", usage={"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010})

    with endpoint(answer) as (url, seen):
        teacher = EndpointTeacher(
            "t",
            base_url=url,
            model="m",
            parameters={"temperature": 0.2, "top_k": 7},
            price=Price(input=1, output=100),
            capabilities=frozenset({"chat", "seed"}),
        )
        (got,) = await ask(teacher, ledger, request(sample=3, temperature=0.9, max_tokens=50))
    assert seen == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "1 + 1?"}],
            "temperature": 0.9,
            "top_k": 7,
            "max_tokens": 50,
            "seed": 3,
        }
    ]
    assert (got.text, got.finish, got.served_model, got.completion_tokens) == ("two", "stop", "served-model", 10)
    (row,) = rows(ledger)
    assert row["messages"] == seen[0]["messages"]
    assert row["parameters"] == {"temperature": 0.9, "top_k": 7, "max_tokens": 50, "seed": 3}
    assert row["price"] == pytest.approx(0.001 + 0.001)
    assert row["id"] == got.call
    assert row["key"] == got.key


async def test_the_key_holds_all_that_is_on_the_wire(ledger: Ledger):
    def key(base_url="http://a/v1", model="m", parameters=None, message="1?", sample=0, **given):
        teacher = EndpointTeacher("t", base_url=base_url, model=model, parameters=parameters)
        return teacher.key(Request(({"role": "user", "content": message},), Task("solve", QUESTION), given, sample))

    keys = [
        key(),
        key(base_url="http://b/v1"),
        key(model="n"),
        key(parameters={"temperature": 1}),
        key(parameters={"temperature": 1}, temperature=2),
        key(message="2?"),
        key(sample=1),
        key(response_format={"type": "json_object"}),
    ]
    assert len(set(keys)) == len(keys)
    # A parameter is the same whether the profile or the step gives it.
    assert key(temperature=1) == key(parameters={"temperature": 1})
    assert key(base_url="http://a/v1/") == key()


@pytest.mark.parametrize(
    ("status", "body", "cause", "attempts"),
    [
        (429, {"error": {"message": "slow down"}}, "rate_limit", 6),
        (
            429,
            {"error": {"message": "spent", "code": "insufficient_quota", "type": "insufficient_quota"}},
            "rate_limit",
            1,
        ),
        (500, {"error": {"message": "oops"}}, "server", 6),
        (503, "<html>busy</html>", "server", 6),
        (529, {"error": {"message": "overloaded"}}, "server", 6),
        (400, {"error": {"message": "context too long"}}, "bad_request", 1),
        (401, {"error": {"message": "Incorrect API key provided: sk-abcdefghijkl"}}, "auth", 1),
        (404, {"error": {"message": "The model `m` does not exist"}}, "not_found", 1),
        (200, {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}, "malformed", 6),
        (200, "this is not JSON", "malformed", 6),
    ],
)
async def test_every_kind_of_failure_has_its_fate(ledger: Ledger, status: int, body, cause: str, attempts: int):
    async def answer(_request, _body):
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="application/json")
        return web.json_response(body, status=status)

    with endpoint(answer) as (url, seen):
        (error,) = await ask(EndpointTeacher("t", base_url=url, model="m"), ledger)
    assert isinstance(error, (TeacherError, SetupError)), error
    assert len(seen) == attempts
    assert [r["status"] for r in rows(ledger)] == [cause] * attempts
    assert [r["attempt"] for r in rows(ledger)] == list(range(1, attempts + 1))
    if cause in {"auth", "not_found"}:
        assert isinstance(error, SetupError)
        assert error.remedy
    assert "sk-abcdefghijkl" not in str(error) + str(rows(ledger))


@pytest.mark.parametrize(
    ("message", "finish", "cause", "attempts"),
    [
        ({"content": "half a"}, "length", "truncated", 1),
        ({"content": ""}, "stop", "empty", 6),
        ({"content": None, "refusal": "I cannot"}, "stop", "refused", 1),
        ({"content": "some"}, "content_filter", "refused", 1),
    ],
)
async def test_replies_that_cannot_be_used(ledger: Ledger, message, finish: str, cause: str, attempts: int):
    async def answer(_request, _body):
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
        return reply(choices=[choice])

    with endpoint(answer) as (url, seen):
        teacher = EndpointTeacher("t", base_url=url, model="m")
        (error,) = await ask(teacher, ledger)
        assert isinstance(error, TeacherError)
        assert error.cause == cause
        assert len(seen) == attempts
        await ask(teacher, ledger)  # never served as a hit
        assert len(seen) > attempts
    assert {r["status"] for r in rows(ledger)} == {cause}


async def test_a_busy_server_is_asked_again_and_told_apart_from_the_good_reply(ledger: Ledger):
    calls = 0

    async def answer(_request, _body):
        nonlocal calls
        calls += 1
        return web.Response(status=429, headers={"Retry-After": "0"}) if calls < 3 else reply("two")

    with endpoint(answer) as (url, _):
        (got,) = await ask(EndpointTeacher("t", base_url=url, model="m"), ledger)
    assert got.text == "two"
    assert [(r["attempt"], r["status"]) for r in rows(ledger)] == [(1, "rate_limit"), (2, "rate_limit"), (3, "ok")]
    assert got.call == rows(ledger)[2]["id"]


async def test_nobody_there_is_told_within_seconds(ledger: Ledger):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    teacher = EndpointTeacher("t", base_url=f"http://127.0.0.1:{port}/v1", model="m")
    (error,) = await ask(teacher, ledger)
    assert isinstance(error, SetupError)
    assert "cannot reach" in str(error)
    assert "base_url" in str(error)
    assert len(rows(ledger)) == 2


async def test_a_hang_is_a_timeout_and_waiting_in_our_own_queue_is_not(ledger: Ledger):
    async def answer(_request, _body):
        await asyncio.sleep(0.15)
        return reply("two")

    with endpoint(answer) as (url, seen):
        teacher = EndpointTeacher("t", base_url=url, model="m", timeout=1.0, concurrency=1)
        replies = await ask(teacher, ledger, *(request(sample=i) for i in range(10)))
        assert [r.text for r in replies] == ["two"] * 10  # the last waited longer than the time-out
        assert len(seen) == 10

    async def hang(_request, _body):
        await asyncio.sleep(30)

    with endpoint(hang) as (url, seen):
        (error,) = await ask(EndpointTeacher("t", base_url=url, model="m", timeout=0.2), ledger)
    assert isinstance(error, TeacherError)
    assert error.cause == "timeout"


async def test_no_more_in_flight_than_allowed(ledger: Ledger):
    now = most = 0

    async def answer(_request, _body):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return reply("two")

    with endpoint(answer) as (url, _):
        teacher = EndpointTeacher("t", base_url=url, model="m", concurrency=3)
        await ask(teacher, ledger, *(request(sample=i) for i in range(20)))
    assert most == 3


async def test_the_key_is_sent_and_never_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "verysecretvalue")

    async def answer(request, _body):
        assert request.headers["Authorization"] == "Bearer verysecretvalue"
        return web.json_response({"error": {"message": "bad key verysecretvalue"}}, status=400)

    with endpoint(answer) as (url, _):
        (error,) = await ask(EndpointTeacher("t", base_url=url, model="m", key_variable="MY_KEY"), ledger)
    assert "[secret]" in str(error)
    assert "verysecretvalue" not in str(error) + repr(error) + str(rows(ledger))


def test_a_key_that_is_not_set_is_told_before_any_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(SetupError, match="MY_KEY is not set"):
        EndpointTeacher("t", base_url="http://x/v1", model="m", key_variable="MY_KEY").check()


async def test_a_paid_reply_is_replayed_by_another_session(ledger: Ledger, tmp_path: Path):
    async def answer(_request, _body):
        return reply("two")

    with endpoint(answer) as (url, seen):
        teacher = EndpointTeacher("t", base_url=url, model="m")
        (first,) = await ask(teacher, ledger)
        again = Ledger(ledger._journal)
        for at, line in read_entries(ledger._journal.folder):
            again.note(at, orjson.loads(line)["body"])
        (second,) = await ask(teacher, again)
        assert len(seen) == 1
    assert (second.text, second.call, second.key) == (first.text, first.call, first.key)

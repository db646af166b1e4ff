"""The endpoint model and the layers around it, against a real server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from support import endpoint, own_certificate, reply

from synth.calls import Caller, Ledger
from synth.errors import ModelError, SetupError, Stopped
from synth.models import Price, Request, Task
from synth.models.endpoint import EndpointModel
from synth.records import Problem
from synth.store.journal import Journal, read_entries

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")


def request(sample: int = 0, **parameters) -> Request:
    messages = ({"role": "user", "content": QUESTION.question},)
    return Request(messages, Task("solve", QUESTION), parameters, sample=sample, step="s", prompt="p/1#0")


@pytest.fixture
def ledger(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    yield Ledger(journal)
    journal.close()


@pytest.fixture(params=[None, "openai"], autouse=True)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test of this file holds for both clients."""
    plain = EndpointModel.__init__
    monkeypatch.setattr(
        EndpointModel, "__init__", lambda self, *a, **k: plain(self, *a, **{"client": request.param, **k})
    )
    return request.param


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth.calls import retry

    monkeypatch.setattr(retry, "_backoff", lambda _: 0.001)
    monkeypatch.setattr(retry, "MOST_SECONDS", 1.0)


async def ask(model: EndpointModel, ledger: Ledger, *requests: Request):
    caller = Caller(ledger)
    async with model:
        return await asyncio.gather(
            *(caller.ask(model, r, unit="u") for r in requests or (request(),)), return_exceptions=True
        )


def rows(ledger: Ledger) -> list[dict]:
    ledger._journal.flush()
    return [orjson.loads(line)["body"] for _, line in read_entries(ledger._journal.folder)]


async def test_what_goes_over_the_wire_and_what_comes_back(ledger: Ledger):
    async def answer(_request, body):
        return reply("two", usage={"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010})

    with endpoint(answer) as (url, seen):
        model = EndpointModel(
            "t",
            base_url=url,
            model="m",
            parameters={"temperature": 0.2, "top_k": 7},
            price=Price(input=1, output=100),
            capabilities=frozenset({"chat", "seed"}),
        )
        (got,) = await ask(model, ledger, request(sample=3, temperature=0.9, max_tokens=50))
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
        model = EndpointModel("t", base_url=base_url, model=model, parameters=parameters)
        return model.key(Request(({"role": "user", "content": message},), Task("solve", QUESTION), given, sample))

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
        (500, {"error": {"message": "oops"}}, "server", 6),
        (502, "<html>busy</html>", "server", 6),
        (529, {"error": {"message": "overloaded"}}, "server", 6),
        (400, {"error": {"message": "context too long"}}, "bad_request", 1),
        (403, {"error": {"message": "Forbidden: sk-abcdefghijkl"}}, "auth", 1),
        (403, {"error": {"message": "no", "metadata": {"reasons": ["violence"]}}}, "refused", 1),
        (404, {"error": {"message": "No endpoints found that support image input"}}, "bad_request", 1),
        (404, {"error": {"message": "nothing here"}}, "not_found", 1),
        (200, {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}, "malformed", 6),
        (200, "this is not JSON", "malformed", 6),
    ],
)
async def test_every_kind_of_failure_has_its_fate(ledger: Ledger, status: int, body, cause: str, attempts: int):
    async def answer(_request, asked):
        if asked["messages"][0]["content"] == "alive?":
            return reply("yes")
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="application/json")
        return web.json_response(body, status=status)

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            caller = Caller(ledger)
            alive = Request(({"role": "user", "content": "alive?"},), Task("solve", QUESTION))
            await caller.ask(model, alive, unit="u")
            with pytest.raises(ModelError) as caught:
                await caller.ask(model, request(), unit="u")
    error = caught.value
    assert error.cause == cause
    failed = rows(ledger)[1:]
    assert len(seen) - 1 == attempts
    assert [r["status"] for r in failed] == [cause] * attempts
    assert [r["attempt"] for r in failed] == list(range(1, attempts + 1))
    if cause in {"auth", "not_found"}:
        assert error.fix
    assert "sk-abcdefghijkl" not in str(error) + str(rows(ledger))


@pytest.mark.parametrize(
    ("status", "body", "asked"),
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-abcdefghijkl"}}, 1),
        (402, {"error": {"message": "Insufficient credits"}}, 1),
        (429, {"error": {"message": "spent", "code": "insufficient_quota"}}, 1),
        (404, {"error": {"message": "The model `m` does not exist"}}, 1),
        (403, {"error": {"message": "Forbidden"}}, 5),
    ],
)
async def test_what_ends_for_good_midway_stops_the_run(ledger: Ledger, status: int, body, asked: int):
    good = True

    async def answer(_request, _body):
        return reply("two") if good else web.json_response(body, status=status)

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", concurrency=1) as model:
            caller = Caller(ledger)
            await caller.ask(model, request(), unit="u")
            good = False
            for sample in range(1, asked):
                with pytest.raises(ModelError):
                    await caller.ask(model, request(sample), unit="u")
            with pytest.raises(Stopped) as caught:
                await caller.ask(model, request(asked), unit="u")
    assert len(seen) == 1 + asked
    assert "same command" in str(caught.value)
    assert "sk-abcdefghijkl" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "calls", "most"),
    [
        (401, {"error": {"message": "no"}}, 1, 1),
        (404, {"error": {"message": "The model `m` does not exist"}}, 1, 1),
        (402, {"error": {"message": "pay"}}, 1, 1),
        (301, "", 1, 1),
        (200, "<html>a login page</html>", 1, 2),
        (400, {"error": {"message": "Unsupported parameter: max_tokens"}}, 20, 5),
        (500, {"error": {"message": "oops"}}, 1, 6),
        (200, {"error": {"code": 401, "message": "no auth"}}, 1, 1),
    ],
)
async def test_a_model_that_never_answers_stops_the_run(ledger: Ledger, status: int, body, calls: int, most: int):
    async def answer(_request, _body):
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", headers={"Location": "/v2"})
        return web.json_response(body, status=status)

    with endpoint(answer) as (url, seen):
        model = EndpointModel("t", base_url=url, model="m", concurrency=1)
        errors = await ask(model, ledger, *(request(sample=i) for i in range(calls)))
    assert isinstance(errors[-1], SetupError)
    assert errors[-1].where == "model t"
    assert errors[-1].fix
    assert len(seen) <= most


async def test_an_account_without_room_stops_the_run_and_the_same_command_goes_on(ledger: Ledger):
    async def answer(_request, _body):
        return web.json_response({"error": {"message": "slow down"}}, status=429)

    with endpoint(answer) as (url, _):
        (error,) = await ask(EndpointModel("t", base_url=url, model="m"), ledger)
    assert isinstance(error, Stopped)
    assert "same command" in error.fix


@contextmanager
def raw_server(respond) -> Iterator[int]:
    """A socket that is answered by `respond(connection)`, a thread a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        done = threading.Event()

        def live() -> None:
            while not done.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    with suppress(OSError):
                        respond(connection)

        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


def _half_a_reply(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"choices": [')


def _reset(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(("respond", "said"), [(_half_a_reply, "broke off"), (_reset, "cut the connection")])
async def test_connections_that_break_are_tried_again(ledger: Ledger, respond, said: str):
    with raw_server(respond) as port:
        (error,) = await ask(EndpointModel("t", base_url=f"http://127.0.0.1:{port}/v1", model="m"), ledger)
    assert said in str(error)
    assert [r["status"] for r in rows(ledger)] == ["connection"] * 6


async def test_a_host_that_does_not_exist_is_reported(ledger: Ledger):
    (error,) = await ask(EndpointModel("t", base_url="http://no-such-host.invalid/v1", model="m"), ledger)
    assert isinstance(error, SetupError)
    assert "cannot reach" in str(error)
    assert error.fix


async def test_a_certificate_nobody_signed_is_reported_at_once(ledger: Ledger, tmp_path: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own_certificate(tmp_path))

    def respond(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            pass

    with raw_server(respond) as port:
        (error,) = await ask(EndpointModel("t", base_url=f"https://localhost:{port}/v1", model="m"), ledger)
    assert isinstance(error, SetupError)
    assert "cannot trust" in str(error)
    assert "SSL_CERT_FILE" in error.fix
    assert len(rows(ledger)) == 1


def _plainly(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


async def test_tls_to_a_server_that_speaks_none_is_reported_with_the_address_to_give(ledger: Ledger):
    with raw_server(_plainly) as port:
        (error,) = await ask(EndpointModel("t", base_url=f"https://127.0.0.1:{port}/v1", model="m"), ledger)
    assert isinstance(error, SetupError)
    assert "speaks no TLS" in str(error)
    assert f"http://127.0.0.1:{port}/v1" in error.fix
    assert "SSL_CERT_FILE" not in str(error)
    assert len(rows(ledger)) == 1


async def test_a_handshake_that_is_cut_is_tried_again(ledger: Ledger):
    with raw_server(_reset) as port:
        (error,) = await ask(EndpointModel("t", base_url=f"https://127.0.0.1:{port}/v1", model="m"), ledger)
    assert "cannot trust" not in str(error)
    assert len(rows(ledger)) > 1


async def test_missing_usage_is_unknown_and_not_nought(ledger: Ledger):
    async def answer(_request, _body):
        return reply("two", usage=None)

    with endpoint(answer) as (url, _):
        model = EndpointModel("t", base_url=url, model="m", price=Price(input=1, output=1))
        (got,) = await ask(model, ledger)
    assert (got.prompt_tokens, got.completion_tokens) == (None, None)
    assert "price" not in rows(ledger)[0]
    assert ledger.unpriced == 1


async def test_another_model_than_asked_for_is_reported_once_and_recorded(ledger: Ledger):
    async def answer(_request, _body):
        return reply("two", model="something-else")

    notes: list[str] = []
    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m-large") as model:
            caller = Caller(ledger, on_note=notes.append)
            for i in range(3):
                await caller.ask(model, request(sample=i), unit="u")
    assert len(notes) == 1
    assert "something-else" in notes[0]
    assert {r["served_model"] for r in rows(ledger)} == {"something-else"}


@pytest.mark.parametrize(
    ("message", "text", "thought"),
    [
        ({"content": "<think>hm\nhm</think>\ntwo"}, "two", "hm\nhm"),
        ({"content": "hm</think>two"}, "two", "hm"),
        ({"content": "two", "reasoning_content": "hm"}, "two", "hm"),
        ({"content": "two", "reasoning": "hm"}, "two", "hm"),
        ({"content": [{"type": "text", "text": "tw"}, {"type": "text", "text": "o"}]}, "two", None),
    ],
)
async def test_the_thought_stands_apart_from_the_reply(ledger: Ledger, message, text: str, thought: str | None):
    async def answer(_request, _body):
        return reply(choices=[{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}])

    with endpoint(answer) as (url, _):
        (got,) = await ask(EndpointModel("t", base_url=url, model="m"), ledger)
    assert (got.text, got.thought) == (text, thought)


async def test_no_quota_left_is_waited_for_as_the_headers_say(ledger: Ledger):
    times: list[float] = []

    async def answer(_request, _body):
        times.append(asyncio.get_running_loop().time())
        headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
        made = reply("two")
        made.headers.update(headers if len(times) == 1 else {})
        return made

    with endpoint(answer) as (url, _):
        model = EndpointModel("t", base_url=url, model="m", concurrency=1)
        await ask(model, ledger, request(sample=0), request(sample=1))
    assert times[1] - times[0] >= 0.29


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
        model = EndpointModel("t", base_url=url, model="m")
        (error,) = await ask(model, ledger)
        assert isinstance(error, ModelError)
        assert error.cause == cause
        assert len(seen) == attempts
        await ask(model, ledger)  # never served as a hit
        assert len(seen) > attempts
    assert {r["status"] for r in rows(ledger)} == {cause}


async def test_a_busy_server_is_asked_again_and_told_apart_from_the_good_reply(ledger: Ledger):
    calls = 0

    async def answer(_request, _body):
        nonlocal calls
        calls += 1
        return web.Response(status=429, headers={"Retry-After": "0"}) if calls < 3 else reply("two")

    with endpoint(answer) as (url, _):
        (got,) = await ask(EndpointModel("t", base_url=url, model="m"), ledger)
    assert got.text == "two"
    assert [(r["attempt"], r["status"]) for r in rows(ledger)] == [(1, "rate_limit"), (2, "rate_limit"), (3, "ok")]
    assert got.call == rows(ledger)[2]["id"]


async def test_nobody_there_is_reported_within_seconds(ledger: Ledger):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = EndpointModel("t", base_url=f"http://127.0.0.1:{port}/v1", model="m")
    (error,) = await ask(model, ledger)
    assert isinstance(error, SetupError)
    assert "cannot reach" in str(error)
    assert "base_url" in str(error)
    assert len(rows(ledger)) == 2


async def test_a_hang_is_a_timeout_and_waiting_in_our_own_queue_is_not(ledger: Ledger):
    async def answer(_request, _body):
        await asyncio.sleep(0.15)
        return reply("two")

    with endpoint(answer) as (url, seen):
        model = EndpointModel("t", base_url=url, model="m", timeout=1.0, concurrency=1)
        replies = await ask(model, ledger, *(request(sample=i) for i in range(10)))
        assert [r.text for r in replies] == ["two"] * 10  # the last waited longer than the time-out
        assert len(seen) == 10

    async def hang(_request, _body):
        await asyncio.sleep(30)

    with endpoint(hang) as (url, seen):
        (error,) = await ask(EndpointModel("t", base_url=url, model="m", timeout=0.2), ledger)
    assert "no reply within 0.2 s" in str(error)
    assert {r["status"] for r in rows(ledger)} == {"ok", "timeout"}


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
        model = EndpointModel("t", base_url=url, model="m", concurrency=3)
        await ask(model, ledger, *(request(sample=i) for i in range(20)))
    assert most == 3


async def test_the_key_is_sent_and_never_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "verysecretvalue")

    async def answer(request, _body):
        assert request.headers["Authorization"] == "Bearer verysecretvalue"
        return web.json_response({"error": {"message": "bad key verysecretvalue"}}, status=400)

    with endpoint(answer) as (url, _):
        (error,) = await ask(EndpointModel("t", base_url=url, model="m", key_variable="MY_KEY"), ledger)
    assert "[secret]" in str(error)
    assert "verysecretvalue" not in str(error) + repr(error) + str(rows(ledger))


async def test_headers_of_the_profile_are_on_the_wire_and_nowhere_else(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", "verysecretvalue")
    heard: list[str] = []

    async def answer(request, _body):
        heard.extend(request.headers.getall(name)[0] for name in ("Authorization", "X-Title", "User-Agent"))
        assert len(request.headers.getall("Authorization")) == 1
        return reply(f"you sent {request.headers['Authorization']}")

    headers = {"authorization": "Basic $MY_TOKEN", "X-Title": "a title", "user-agent": "mine"}
    with endpoint(answer) as (url, _):
        model = EndpointModel("t", base_url=url, model="m", headers=headers)
        (got,) = await ask(model, ledger)
        assert model.key(request()) == EndpointModel("t", base_url=url, model="m").key(request())
    assert heard == ["Basic verysecretvalue", "a title", "mine"]
    assert got.text == "you sent Basic [secret]"
    assert "verysecretvalue" not in str(rows(ledger))
    assert "a title" not in str(rows(ledger))


def test_a_key_that_is_not_set_is_reported_before_any_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(SetupError, match="MY_KEY is not set"):
        EndpointModel("t", base_url="http://x/v1", model="m", key_variable="MY_KEY").check()


async def test_a_paid_reply_is_replayed_by_another_session(ledger: Ledger, tmp_path: Path):
    async def answer(_request, _body):
        return reply("two")

    with endpoint(answer) as (url, seen):
        model = EndpointModel("t", base_url=url, model="m")
        (first,) = await ask(model, ledger)
        again = Ledger(ledger._journal)
        for at, line in read_entries(ledger._journal.folder):
            again.note(at, orjson.loads(line)["body"])
        (second,) = await ask(model, again)
        assert len(seen) == 1
    assert (second.text, second.call, second.key) == (first.text, first.call, first.key)

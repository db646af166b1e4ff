"""Our own HTTP connections, against a server that speaks whatever it is told to."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import own_certificate

from synth.errors import TeacherError
from synth.records import Problem
from synth.store.journal import Journal
from synth.teachers import Caller, Ledger, Request, Task, connection
from synth.teachers.endpoint import EndpointTeacher
from synth.teachers.wire import LeanWire, ProxiedWire, lean_wire

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]
BODY = b'{"said": "' + "größer ".encode() * 40 + b'"}'


COMPLETION = b'{"model": "m", "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}'
TASK = Task("other", Problem.root(question="?"))


class Server:
    """A raw server; `answer` gets each request once it is there whole, and writes what it will."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                await self.answer(reader, writer, self.requests[-1])
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def wired(
    answer: Answer, timeout: float = 5.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[LeanWire, Server]]:
    """A wire to a server that answers so."""
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"https://localhost:{port}/v1" if tls is not None else f"http://127.0.0.1:{port}/v1"
    wire = LeanWire(server.url, None, timeout=timeout)
    try:
        yield wire, server
    finally:
        await wire.close()
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def saying(*parts: bytes, close: bool = False, pause: float = 0.0) -> Answer:
    """These bytes, part by part, whatever is asked."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if close:
            writer.close()

    return answer


def head(*lines: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode()


def sized(body: bytes, *lines: str) -> bytes:
    return head(*lines, f"Content-Length: {len(body)}") + body


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("sent", "close", "connections"),
    [
        pytest.param(sized(BODY), False, 1, id="length"),
        pytest.param(head("Transfer-Encoding: chunked") + chunked(BODY), False, 1, id="chunked"),
        pytest.param(sized(gzip.compress(BODY), "Content-Encoding: gzip"), False, 1, id="gzip"),
        pytest.param(sized(gzip.compress(BODY), "CONTENT-ENCODING:  GZip "), False, 1, id="gzip in capitals"),
        pytest.param(sized(gzip.compress(BODY), "Content-Encoding: x-gzip"), False, 1, id="x-gzip"),
        pytest.param(sized(zlib.compress(BODY), "Content-Encoding: deflate"), False, 1, id="deflate"),
        pytest.param(sized(bare_deflate(BODY), "Content-Encoding: deflate"), False, 1, id="deflate without header"),
        pytest.param(sized(BODY, "Content-Encoding:"), False, 1, id="empty encoding"),
        pytest.param(sized(BODY, "Content-Encoding: Identity"), False, 1, id="identity"),
        pytest.param(
            head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + chunked(gzip.compress(BODY)), False, 1,
            id="gzip in chunks",
        ),
        pytest.param(head() + BODY, True, 2, id="until the end"),
        pytest.param(head(version="1.0") + BODY, True, 2, id="1.0 until the end"),
        pytest.param(head(f"Content-Length: {len(BODY)}", version="1.0") + BODY, True, 2, id="1.0"),
        pytest.param(sized(BODY, "Connection: close"), True, 2, id="close"),
        pytest.param(head(status="100 Continue") + sized(BODY), False, 1, id="100"),
        pytest.param(
            head("Link: </x>", status="103 Early Hints") + head("A: b", status="103 Early Hints") + sized(BODY), False, 1,
            id="103",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 11, 100_000])
async def test_a_reply_in_every_form_is_read_and_the_next_one_too(
    sent: bytes, close: bool, connections: int, step: int
):
    parts = [sent[i : i + step] for i in range(0, len(sent), step)]
    async with wired(saying(*parts, close=close)) as (wire, server):
        for _ in range(2):
            reply = await wire.post("/chat/completions", {"a": 1})
            assert (reply.status, reply.body) == (200, BODY)
            await asyncio.sleep(0.01)
    assert server.connections == connections
    for request in server.requests:
        assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:")
        assert request.endswith(b'\r\n\r\n{"a":1}')


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_a_reply_is_cut_into_packets_does_not_matter(data: st.DataObject):
    body = data.draw(st.binary(max_size=300))
    sent = head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + chunked(gzip.compress(body), 31)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    parts = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    async def go() -> bytes:
        async with wired(saying(*parts)) as (wire, _):
            return (await wire.post("", {})).body

    assert asyncio.run(go()) == body


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(b"", "cut the connection", id="nothing"),
        pytest.param(head(status="100 Continue"), "cut the connection", id="after 100"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: x", "broke off", id="within 103"),
        pytest.param(b"HTTP/1.1 2", "broke off", id="within the status"),
        pytest.param(head("Content-Length: 500") + BODY[:10], "broke off", id="within the body"),
        pytest.param(head("Transfer-Encoding: chunked") + chunked(BODY)[:-30], "broke off", id="within the chunks"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP", id="ssh"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", "does not speak HTTP", id="tls"),
        pytest.param(head("Content-Length: abc") + BODY, "does not speak HTTP", id="no length"),
        pytest.param(
            head("Upgrade: x", "Connection: upgrade", status="101 Switching Protocols"), "another protocol", id="101"
        ),
        pytest.param(sized(BODY, "Content-Encoding: gzip"), "cannot be unpacked", id="not gzip"),
        pytest.param(sized(gzip.compress(BODY)[:-9], "Content-Encoding: gzip"), "cannot be unpacked", id="half gzip"),
        pytest.param(sized(BODY, "Content-Encoding: br"), "packed as br", id="br"),
    ],
)
async def test_what_is_no_whole_reply_is_told_at_once(sent: bytes, said: str):
    async with wired(saying(sent, close=True), timeout=30) as (wire, server):
        async with asyncio.timeout(10):
            for _ in range(2):
                with pytest.raises(TeacherError, match=said) as caught:
                    await wire.post("", {})
                assert (caught.value.cause, caught.value.retriable, caught.value.fatal) == ("connection", True, False)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("sent", "close"),
    [
        pytest.param(sized(gzip.compress(bytes(2**21), 9), "Content-Encoding: gzip"), False, id="gzip"),
        pytest.param(sized(bytes(2**21)), False, id="length"),
        pytest.param(head("Transfer-Encoding: chunked") + chunked(bytes(2**21), 2**16), False, id="chunked"),
        pytest.param(head() + bytes(2**21), True, id="until the end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 2**18, False, id="headers"),
    ],
)
async def test_a_reply_without_end_is_given_up_and_not_asked_for_again(
    sent: bytes, close: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "MOST_BYTES", 2**20)
    async with wired(saying(sent, close=close)) as (wire, _):
        with pytest.raises(TeacherError, match="more than 1 MiB") as caught:
            await wire.post("", {})
        assert (caught.value.cause, caught.value.retriable) == ("malformed", False)
        assert not wire._open


@pytest.mark.parametrize(
    "more",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nst",
        b"junk",
        sized(b"stale"),
    ],
)
async def test_what_comes_after_a_reply_is_never_taken_for_the_next(more: bytes):
    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        number = request.rsplit(b'"n":', 1)[1].rstrip(b"}")
        writer.write(sized(number) + more)

    async with wired(answer) as (wire, server):
        got = [(await wire.post("", {"n": n})).body for n in range(5)]
    assert got == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 5


async def test_a_server_that_hangs_is_a_timeout_and_its_late_reply_is_nobodys():
    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        if b'"n":0' in request:
            await asyncio.sleep(0.3)
        with suppress(ConnectionError):
            writer.write(sized(request.rsplit(b'"n":', 1)[1].rstrip(b"}")))

    async with wired(answer, timeout=0.15) as (wire, server):
        with pytest.raises(TeacherError) as caught:
            await wire.post("", {"n": 0})
        assert caught.value.cause == "timeout"
        await asyncio.sleep(0.3)
        assert (await wire.post("", {"n": 1})).body == b"1"
    assert server.connections == 2


async def test_who_gives_up_leaves_no_reply_for_the_next():
    begun = asyncio.Event()

    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        writer.write(sized(request.rsplit(b'"n":', 1)[1].rstrip(b"}")))

    async with wired(answer) as (wire, server):
        given_up = asyncio.create_task(wire.post("", {"n": 0}))
        await begun.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await wire.post("", {"n": 1})).body == b"1"
    assert server.connections == 2


async def test_a_server_that_soon_closes_what_rests_is_learnt_from():
    async def answer(_reader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        writer.write(sized(b"{}"))

    async with wired(answer) as (wire, server):
        await wire.post("", {})
        resting = wire._idle[0]
        await asyncio.sleep(0.03)
        resting.ask = lambda *_: _lost()  # it is closed the moment it is asked
        with pytest.raises(TeacherError, match="cut the connection"):
            await wire.post("", {})
        assert 0.01 <= wire._idle_seconds < 1
        await wire.post("", {})
        await asyncio.sleep(wire._idle_seconds + 0.01)
        await wire.post("", {})  # over a new one
        assert server.connections == 3
        kept = wire._idle_seconds
        wire._idle[0].ask = lambda *_: _lost()
        with suppress(TeacherError):
            await wire.post("", {})
        assert wire._idle_seconds == kept  # one that had hardly rested says nothing


def _lost() -> asyncio.Future[None]:
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lost.set_exception(ConnectionResetError("it was closed without a reply"))
    return lost


async def test_many_at_once_each_get_their_own_and_connections_are_used_again():
    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        number = orjson.loads(request.split(b"\r\n\r\n", 1)[1])["n"]
        await asyncio.sleep(number % 7 / 1000)
        writer.write(head("Transfer-Encoding: chunked") + chunked(b"%d" % number, 1))

    async with wired(answer, timeout=20) as (wire, server):
        for begin in (0, 200):
            numbers = range(begin, begin + 200)
            replies = await asyncio.gather(*(wire.post("", {"n": n}) for n in numbers))
            assert [int(r.body) for r in replies] == list(numbers)
    assert server.connections == 200


async def test_over_tls_many_at_once_each_get_their_own_however_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As with every hosted endpoint: replies of up to some records of TLS, on connections that share a buffer."""
    pem, key = own_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    def said(number: int) -> bytes:
        return orjson.dumps({"said": f"{number} größer " * (number * number * 5 + 1)})

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        reply = sized(said(orjson.loads(request.partition(b"\r\n\r\n")[2])["number"]))
        for part in (reply[: len(reply) // 3], reply[len(reply) // 3 :]):
            writer.write(part)
            await writer.drain()

    async with wired(answer, 20.0, tls) as (wire, server):
        for _ in range(2):
            replies = await asyncio.gather(*(wire.post("/x", {"number": n}) for n in range(60)))
            assert [r.body for r in replies] == [said(n) for n in range(60)]
    assert server.connections <= 60


async def test_through_a_proxy_the_same_goes_out_to_the_endpoint_by_its_name(monkeypatch: pytest.MonkeyPatch):
    async with wired(saying(sized(BODY))) as (_, server):
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        given = {"X-Team": "seven", "user-agent": "mine"}
        wire = lean_wire("http://teachers.invalid/v1", "k-123456", timeout=5.0, headers=given)
        assert isinstance(wire, ProxiedWire)
        try:
            reply = await wire.post("/chat/completions", {"q": 1})
        finally:
            await wire.close()
    assert (reply.status, reply.body) == (200, BODY)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST http://teachers.invalid/v1/chat/completions HTTP/1.1"
    said = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert orjson.loads(body) == {"q": 1}
    assert said["host"] == "teachers.invalid"
    assert said["authorization"] == "Bearer k-123456"
    assert (said["x-team"], said["user-agent"], said["content-type"]) == ("seven", "mine", "application/json")


def test_no_proxy_is_asked_where_none_is_to_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "teachers.invalid")
    assert isinstance(lean_wire("http://teachers.invalid/v1", None, timeout=5.0), LeanWire)


async def test_many_connections_look_their_host_up_once(monkeypatch: pytest.MonkeyPatch):
    async with wired(saying(sized(BODY), pause=0.05)) as (wire, server):
        loop, asked = asyncio.get_running_loop(), []
        real = loop.getaddrinfo

        async def counted(*words, **more):
            asked.append(words)
            if len(asked) == 1:
                raise socket.gaierror("not now")
            return await real(*words, **more)

        monkeypatch.setattr(loop, "getaddrinfo", counted)
        first = await asyncio.gather(*(wire.post("/x", {}) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(e, TeacherError) and "no host" in e.what for e in first)
        assert len(asked) == 1
        replies = await asyncio.gather(*(wire.post("/x", {}) for _ in range(20)))  # a failure is not kept
        assert all(r.body == BODY for r in replies)
        assert server.connections == 20
        assert len(asked) == 2


async def test_a_call_that_met_the_closing_of_an_old_connection_goes_out_again_at_once(tmp_path: Path):
    seen: set[asyncio.StreamWriter] = set()

    async def once_each(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        if writer in seen:  # it would have closed it a moment later
            writer.transport.abort()
            return
        seen.add(writer)
        writer.write(sized(COMPLETION))

    async with wired(once_each) as (_, server):
        journal = Journal(tmp_path / "journal")
        ledger, notes, pauses = Ledger(journal), [], []
        caller = Caller(ledger, on_note=notes.append)
        real = caller._pause

        async def paused(seconds: float) -> None:
            pauses.append(seconds)
            await real(seconds)

        caller._pause = paused
        async with EndpointTeacher("t", base_url=server.url, model="m", concurrency=3) as teacher:
            for wave in range(2):
                asked = [Request(({"role": "user", "content": f"{wave} {i}"},), TASK) for i in range(3)]
                replies = await asyncio.gather(*(caller.ask(teacher, r, unit="u") for r in asked))
                assert [r.text for r in replies] == ["yes"] * 3
                await asyncio.sleep(0.05)
    journal.close()
    assert pauses == [0.0] * 3
    assert not notes
    assert ledger.calls == 9  # six questions, and three attempts that are on record
    assert server.connections == 6


async def test_the_time_of_a_request_is_its_own_on_a_connection_that_was_used_before():
    waits = iter([0.0, 0.25, 0.0, None])

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        wait = next(waits)
        await asyncio.sleep(30 if wait is None else wait)
        writer.write(sized(BODY))

    async with wired(answer, timeout=0.4) as (wire, server):
        await wire.post("", {})
        await asyncio.sleep(0.25)
        await wire.post("", {})  # half a second after the first was sent
        await asyncio.sleep(0.45)  # the clock has run down
        await wire.post("", {})
        await asyncio.sleep(0.25)
        async with asyncio.timeout(10):
            with pytest.raises(TeacherError) as error:
                await wire.post("", {})  # the clock was wound for the one before
        assert error.value.cause == "timeout"
        assert server.connections == 1

"""The transport, against real servers on loopback that send any bytes they are given."""

from __future__ import annotations

import asyncio
import base64
import gzip
import re
import shutil
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import openssl, own_certificate

from synth.calls import Caller, Ledger
from synth.errors import ModelError, SetupError
from synth.models import Request, Task, unpacking
from synth.models.endpoint import EndpointModel
from synth.models.keys import ClientCertificate
from synth.models.network import proxy_of
from synth.models.official import OfficialTransport
from synth.models.transport import HttpTransport, Transport
from synth.records import Problem
from synth.store.journal import Journal

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
                length = int(found[1]) if (found := re.search(rb"content-length: (\d+)", head.lower())) else 0
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
async def connected(
    answer: Answer, timeout: float = 5.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[HttpTransport, Server]]:
    """A transport to a server that answers so."""
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"https://localhost:{port}/v1" if tls is not None else f"http://127.0.0.1:{port}/v1"
    transport = HttpTransport(server.url, None, timeout=timeout)
    try:
        yield transport, server
    finally:
        await transport.close()
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
        pytest.param(sized(BODY, "Content-Type: größer", "X-A: b"), False, 1, id="other letters in a header"),
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
    async with connected(saying(*parts, close=close)) as (transport, server):
        for _ in range(2):
            reply = await transport.post("/chat/completions", {"a": 1})
            assert (reply.status, reply.body) == (200, BODY)
            assert ("x-a" in reply.headers) == (b"X-A" in sent)
            assert "content-type" not in reply.headers
            await asyncio.sleep(0.01)
    assert server.connections == connections
    for request in server.requests:
        assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert b"\r\nHost: 127.0.0.1:" in request
        assert b"\r\nContent-Type: application/json\r\n" in request
        assert request.endswith(b'\r\n\r\n{"a":1}')


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_a_reply_is_cut_into_packets_does_not_matter(data: st.DataObject):
    body = data.draw(st.binary(max_size=300))
    sent = head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + chunked(gzip.compress(body), 31)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    parts = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    async def go() -> bytes:
        async with connected(saying(*parts)) as (transport, _):
            return (await transport.post("", {})).body

    assert asyncio.run(go()) == body


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(b"", "cut the connection", id="nothing"),
        pytest.param(head(status="100 Continue"), "cut the connection", id="after 100"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: x", "cut the connection", id="within 103"),
        pytest.param(b"HTTP/1.1 2", "cut the connection", id="within the status"),
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
async def test_what_is_no_whole_reply_is_reported_at_once(sent: bytes, said: str):
    async with connected(saying(sent, close=True), timeout=30) as (transport, server):
        async with asyncio.timeout(10):
            for _ in range(2):
                with pytest.raises(ModelError, match=said) as caught:
                    await transport.post("", {})
                assert (caught.value.cause, caught.value.retriable, caught.value.fatal) == ("connection", True, False)
                await asyncio.sleep(0.1)  # until the client has seen that the server closed
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
    sent: bytes, close: bool, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    """Its connection is closed, or was read to the end: the next request gets a reply of its own."""
    monkeypatch.setattr(unpacking, "MOST_BYTES", 2**20)
    said = "headers of its reply do not end" if "headers" in request.node.name else "more than 1 MiB"
    answers = iter([saying(sent, close=close), saying(sized(BODY))])

    async def answer(*given) -> None:
        await next(answers)(*given)

    async with connected(answer) as (transport, _):
        with pytest.raises(ModelError, match=said) as caught:
            await transport.post("", {})
        assert (caught.value.cause, caught.value.retriable) == ("malformed", False)
        assert (await transport.post("", {})).body == BODY


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

    async with connected(answer) as (transport, server):
        got = [(await transport.post("", {"n": n})).body for n in range(5)]
    assert got == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 5


async def test_a_server_that_hangs_is_a_timeout_and_its_late_reply_is_nobodys():
    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        if b'"n":0' in request:
            await asyncio.sleep(0.3)
        with suppress(ConnectionError):
            writer.write(sized(request.rsplit(b'"n":', 1)[1].rstrip(b"}")))

    async with connected(answer, timeout=0.15) as (transport, server):
        with pytest.raises(ModelError) as caught:
            await transport.post("", {"n": 0})
        assert caught.value.cause == "timeout"
        await asyncio.sleep(0.3)
        assert (await transport.post("", {"n": 1})).body == b"1"
    assert server.connections == 2


async def test_who_gives_up_leaves_no_reply_for_the_next():
    begun = asyncio.Event()

    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        writer.write(sized(request.rsplit(b'"n":', 1)[1].rstrip(b"}")))

    async with connected(answer) as (transport, server):
        given_up = asyncio.create_task(transport.post("", {"n": 0}))
        await begun.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await transport.post("", {"n": 1})).body == b"1"
    assert server.connections == 2


async def test_the_rest_that_a_server_allows_is_learned():
    """A request that meets the closing of a rested connection is `stale`; connections rest half as long from then on."""
    used: set[asyncio.StreamWriter] = set()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        if writer in used and b"closing" in request:
            writer.transport.abort()
            return
        used.add(writer)
        writer.write(sized(b"{}"))

    async with connected(answer) as (transport, server):
        await transport.post("", {})
        with pytest.raises(ModelError, match="cut the connection") as caught:
            await transport.post("", {"closing": 1})  # one that had hardly rested says nothing
        assert (caught.value.stale, transport._idle_seconds) == (False, 4.0)
        await transport.post("", {})
        await asyncio.sleep(0.1)
        with pytest.raises(ModelError, match="cut the connection") as caught:
            await transport.post("", {"closing": 1})
        assert caught.value.stale
        assert 0.05 <= transport._idle_seconds < 1
        await transport.post("", {})
        assert server.connections == 3
        await transport.post("", {})
        assert server.connections == 3
        await asyncio.sleep(transport._idle_seconds + 0.1)
        await transport.post("", {"closing": 1})  # over a new one
        assert server.connections == 4


async def test_many_at_once_each_get_their_own_and_connections_are_used_again():
    async def answer(_reader, writer: asyncio.StreamWriter, request: bytes) -> None:
        number = orjson.loads(request.split(b"\r\n\r\n", 1)[1])["n"]
        await asyncio.sleep(number % 7 / 1000)
        writer.write(head("Transfer-Encoding: chunked") + chunked(b"%d" % number, 1))

    async with connected(answer, timeout=20) as (transport, server):
        for begin in (0, 200):
            numbers = range(begin, begin + 200)
            replies = await asyncio.gather(*(transport.post("", {"n": n}) for n in numbers))
            assert [int(r.body) for r in replies] == list(numbers)
    assert server.connections < 300  # the library may make one that another request has the use for


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

    async with connected(answer, 20.0, tls) as (transport, server):
        for _ in range(2):
            replies = await asyncio.gather(*(transport.post("/x", {"number": n}) for n in range(60)))
            assert [r.body for r in replies] == [said(n) for n in range(60)]
    assert server.connections <= 60


async def test_through_a_proxy_the_same_goes_out_to_the_endpoint_by_its_name(monkeypatch: pytest.MonkeyPatch):
    async with connected(saying(sized(BODY))) as (_, server):
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        given = {"X-Team": "seven", "user-agent": "mine"}
        transport = HttpTransport("http://models.invalid/v1", "k-123456", timeout=5.0, headers=given)
        try:
            reply = await transport.post("/chat/completions", {"q": 1})
        finally:
            await transport.close()
    assert (reply.status, reply.body) == (200, BODY)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST http://models.invalid/v1/chat/completions HTTP/1.1"
    said = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert orjson.loads(body) == {"q": 1}
    assert said["host"] == "models.invalid"
    assert said["authorization"] == "Bearer k-123456"
    assert (said["x-team"], said["user-agent"], said["content-type"]) == ("seven", "mine", "application/json")


@pytest.mark.parametrize(
    ("url", "named", "proxy"),
    [
        ("http://models.invalid/v1", {}, None),
        ("http://models.invalid/v1", {"http_proxy": "http://proxy:9"}, "http://proxy:9"),
        ("http://models.invalid/v1", {"http_proxy": "proxy:9"}, "http://proxy:9"),
        ("http://models.invalid/v1", {"https_proxy": "http://proxy:9"}, None),
        ("https://models.invalid/v1", {"https_proxy": "http://proxy:9"}, "http://proxy:9"),
        ("http://models.invalid/v1", {"http_proxy": "http://proxy:9", "no_proxy": "models.invalid"}, None),
        ("http://a.models.invalid/v1", {"http_proxy": "http://proxy:9", "no_proxy": "models.invalid"}, None),
        ("http://127.0.0.1:8000/v1", {"http_proxy": "http://proxy:9"}, None),
    ],
)
def test_the_proxy_is_the_one_of_the_environment(
    url: str, named: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, named.get(name, ""))
    assert proxy_of(url) == proxy


class Proxy:
    """A proxy that makes tunnels, for those that have the right password."""

    def __init__(self, login: bytes = b"") -> None:
        self.login = login
        self.heads: list[bytes] = []
        self.refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(2**16):
                    to.write(data)
                to.close()

        with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self.login not in self.heads[-1]:
                writer.write(self.refusal)
                writer.close()
                return
            port = int(self.heads[-1].split(b" ")[1].rpartition(b":")[2])
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(carry(reader, back), carry(there, writer))


@pytest.mark.parametrize("login", ["me:proxy%40password", "me:wrong-password", None])
async def test_a_tunnel_through_a_proxy(
    login: str | None, authority: Authority, trusted: None, monkeypatch: pytest.MonkeyPatch
):
    """The endpoint gets the key, the proxy its own password; a password that it does not take is not in the error."""
    proxy = Proxy(b"Basic " + base64.b64encode(b"me:proxy@password"))
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://{login + '@' if login else ''}127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")
    async with connected(saying(sized(BODY)), tls=authority.server("proxied.test")) as (_, server):
        url = server.url.replace("localhost", "proxied.test")
        transport = HttpTransport(url, "k-123456", timeout=5.0)
        if login == "me:proxy%40password":
            assert (await transport.post("/x", {})).body == BODY
            assert b"Bearer k-123456" in server.requests[0]
        else:
            with pytest.raises(ModelError, match=r"by its proxy: .*authorization required") as caught:
                await transport.post("/x", {})
            assert "HTTPS_PROXY" in str(caught.value)
            assert "wrong-password" not in str(caught.value)
            assert not server.requests
        await transport.close()
    listening.close()
    assert b"k-123456" not in b"".join(proxy.heads)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_reported_as_such(scheme: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "")
    for proxy, said in (
        ("http://me:secret-word@127.0.0.1:1", "by its proxy: Connection refused"),
        ("http://no-proxy.invalid:1", "no host no-proxy.invalid \\(the proxy\\)"),
        ("http://", "the proxy is no address"),
    ):
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        with pytest.raises(ModelError, match=said) as caught:
            await HttpTransport(f"{scheme}://models.invalid/v1", None, timeout=5.0).post("", {})
        assert caught.value.fatal
        assert "secret-word" not in str(caught.value)


async def test_no_cookie_is_kept():
    async with connected(saying(sized(BODY, "Set-Cookie: session=secret; Path=/"))) as (transport, server):
        for _ in range(2):
            await transport.post("", {})
    assert not any(b"secret" in request for request in server.requests)


class Authority:
    """An authority of our own, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem = folder / "authority.pem"
        openssl(*f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Authority -keyout {folder}/authority.key".split(),
                "-out", str(self.pem))  # fmt: skip

    def sign(self, name: str, days: int = 2) -> tuple[Path, Path]:
        """A certificate for a host, and its key."""
        made, key, request, extra = (self.folder / f"{name}{days}.{e}" for e in ("pem", "key", "csr", "ext"))
        if not made.exists():
            openssl(*f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {key} -out {request}".split())
            extra.write_text(f"subjectAltName=DNS:{name}\n")
            openssl(*f"x509 -req -in {request} -CA {self.pem} -CAkey {self.folder}/authority.key -CAcreateserial".split(),
                    *f"-out {made} -extfile {extra} -days {days}".split())  # fmt: skip
        return made, key

    def server(self, name: str, days: int = 2) -> ssl.SSLContext:
        """What a server of that name speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(name, days))
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [("localhost", 2, None), ("other.invalid", 2, "not valid for name"), ("localhost", -1, "Expired")],
)
async def test_a_server_is_trusted_by_its_certificate(
    name: str, days: int, said: str | None, authority: Authority, trusted: None
):
    async with connected(saying(sized(BODY)), tls=authority.server(name, days)) as (transport, server):
        if said is None:
            assert (await transport.post("", {})).body == BODY
            return
        with pytest.raises(ModelError, match=f"cannot trust https://localhost.*{said}") as caught:
            await transport.post("", {})
        assert (caught.value.cause, caught.value.retriable, caught.value.fatal) == ("connection", False, True)
        assert not server.requests


async def test_the_authorities_of_the_system_are_trusted_and_no_others(authority: Authority):
    async with connected(saying(sized(BODY)), tls=authority.server("localhost")) as (transport, _):
        with pytest.raises(ModelError, match="UnknownIssuer"):
            await transport.post("", {})


async def test_the_certificate_of_an_authority_is_no_server_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What `openssl req -x509` makes unless it is told otherwise; the error says what to tell it."""
    pem, key = own_certificate(tmp_path, authority=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with connected(saying(sized(BODY)), tls=tls) as (transport, _):
        with pytest.raises(ModelError, match="that of an authority") as caught:
            await transport.post("", {})
    assert "-addext basicConstraints=critical,CA:FALSE" in str(caught.value)


async def test_a_machine_without_authorities(monkeypatch: pytest.MonkeyPatch):
    """It speaks to servers without TLS; for others the error says what is missing."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    async with connected(saying(sized(BODY))) as (transport, _):
        assert (await transport.post("", {})).body == BODY
    with pytest.raises(ModelError, match="no list of authorities") as caught:
        HttpTransport("https://localhost/v1", None, timeout=5.0)
    assert "SSL_CERT_FILE" in str(caught.value)


@pytest.mark.parametrize("kind", [HttpTransport, OfficialTransport])
@pytest.mark.parametrize("apart", [True, False])
async def test_a_client_certificate_is_shown(
    kind: type[Transport], apart: bool, authority: Authority, trusted: None, tmp_path: Path
):
    """Where a server asks for one, requests get through with it and not without."""
    tls = authority.server("localhost")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority.pem)
    pem, key = authority.sign("client")
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + pem.read_bytes())
    certificate = ClientCertificate(pem, key) if apart else ClientCertificate(both)
    async with connected(saying(sized(BODY)), tls=tls) as (without, server):
        with pytest.raises(ModelError):
            await without.post("", {})
        assert not server.requests
        transport = kind(server.url, None, timeout=5.0, certificate=certificate)
        assert (await transport.get("/models")).body == BODY
        await transport.close()


@pytest.mark.parametrize("kind", [HttpTransport, OfficialTransport])
@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("nowhere", None, "cannot be read"),
        ("CERT", None, "has no PRIVATE KEY"),
        ("KEY", None, "has no CERTIFICATE"),
        ("CERT", "OTHER", "cannot be used"),
        ("CERT", "ENCRYPTED", "cannot be used|has no PRIVATE KEY"),
    ],
)
def test_a_client_certificate_that_is_none(
    kind: type[Transport], certificate: str, key: str | None, said: str, authority: Authority, tmp_path: Path
):
    """A mistake of the user, with the file and what to do; nothing of a key is in the error."""
    pem, own = authority.sign("client")
    encrypted = tmp_path / "encrypted.key"
    openssl(*f"rsa -in {own} -out {encrypted} -aes128 -passout pass:password".split())
    files = {"CERT": pem, "KEY": own, "OTHER": authority.sign("localhost")[1], "ENCRYPTED": encrypted}
    paths = [files.get(name, tmp_path / name) if name else None for name in (certificate, key)]
    with pytest.raises(SetupError, match=said) as caught:
        kind("https://localhost/v1", None, timeout=5.0, certificate=ClientCertificate(*paths))
    assert "-----" not in str(caught.value)
    assert own.read_text().splitlines()[3] not in str(caught.value)


HTTP2 = """
const http2 = require('http2'), fs = require('fs')
let sessions = 0, requests = 0, most = 0, open = 0
const server = http2.createSecureServer({
  cert: fs.readFileSync(process.argv[1]), key: fs.readFileSync(process.argv[2]),
  settings: {maxConcurrentStreams: 100},
})
server.on('session', () => sessions++)
server.on('stream', (stream, headers) => {
  requests++; most = Math.max(most, ++open)
  stream.on('error', () => {})
  stream.on('close', () => open--)
  const path = headers[':path']
  const chunks = []
  stream.on('data', (data) => chunks.push(data))
  stream.on('end', () => {
    if (path === '/v1/refused') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    if (path === '/v1/reset') return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    if (path === '/v1/away') return stream.session.destroy()
    if (path === '/v1/half') {
      stream.respond({':status': 200, 'content-length': 500})
      stream.write('abc')
      return setTimeout(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 20)
    }
    if (path === '/v1/endless') {
      stream.respond({':status': 200})
      const more = () => { while (stream.writable && stream.write(Buffer.alloc(65536))); }
      stream.on('drain', more)
      return more()
    }
    const answer = path === '/v1/counts' ? JSON.stringify({sessions, requests, most}) : Buffer.concat(chunks)
    setTimeout(() => { stream.respond({':status': 200, 'x-version': '2'}); stream.end(answer) }, path === '/v1/slow' ? 300 : 0)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume()
process.stdin.on('end', () => process.exit())
"""


@pytest.fixture(scope="module")
def http2(authority: Authority) -> Iterator[str]:
    """The address of a server that speaks HTTP/2 over TLS, and nothing else."""
    if (node := shutil.which("node")) is None:
        pytest.skip("needs node for a server of HTTP/2")
    words = [node, "-e", HTTP2, *map(str, authority.sign("localhost"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"https://localhost:{process.stdout.readline().strip()}/v1"
        assert process.stdin is not None
        process.stdin.close()


async def test_http2_where_a_server_offers_it(http2: str, trusted: None):
    """More requests at once than a server takes on one connection go out all the same; connections are used again."""
    transport, counts = HttpTransport(http2, "k", timeout=20.0), []
    for _ in range(2):
        replies = await asyncio.gather(*(transport.post("/slow", {"n": n}) for n in range(150)))
        assert [orjson.loads(reply.body)["n"] for reply in replies] == list(range(150))
        counts.append(orjson.loads((await transport.get("/counts")).body))
    await transport.close()
    assert (counts[1]["requests"], counts[1]["most"]) == (302, 150)
    assert counts[1]["sessions"] == counts[0]["sessions"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/reset", "cut the connection"),
        ("/away", "cut the connection"),
        ("/half", "broke off"),
        ("/endless", "more than 1 MiB"),
    ],
)
async def test_faults_over_http2(path: str, said: str, http2: str, trusted: None, monkeypatch: pytest.MonkeyPatch):
    """The same causes as over HTTP/1.1, one request each; a request beside it is not lost by it."""
    monkeypatch.setattr(unpacking, "MOST_BYTES", 2**20)
    transport = HttpTransport(http2, "k", timeout=20.0)
    before = orjson.loads((await transport.get("/counts")).body)["requests"]
    with pytest.raises(ModelError, match=said):
        await transport.post(path, {})
    assert orjson.loads((await transport.get("/counts")).body)["requests"] == before + 2
    await transport.close()


async def test_a_stream_that_is_refused_unread_is_offered_again_thrice(http2: str, trusted: None):
    """`REFUSED_STREAM` says that nothing was done with a request: the library offers it again by itself, at most twice."""
    transport = HttpTransport(http2, "k", timeout=20.0)
    before = orjson.loads((await transport.get("/counts")).body)["requests"]
    with pytest.raises(ModelError, match="cut the connection"):
        await transport.post("/refused", {})
    assert orjson.loads((await transport.get("/counts")).body)["requests"] == before + 4
    await transport.close()


async def test_a_call_that_met_the_closing_of_an_old_connection_goes_out_again_at_once(tmp_path: Path):
    old: set[asyncio.StreamWriter] = set()
    all_there = asyncio.Event()

    async def close_old(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        if writer in old:  # it would have closed it a moment later
            writer.transport.abort()
            return
        if len(old) < 3:
            old.add(writer)
            if len(old) == 3:
                all_there.set()
            await all_there.wait()  # each has a connection of its own
        writer.write(sized(COMPLETION))

    async with connected(close_old) as (_, server):
        journal = Journal(tmp_path / "journal")
        ledger, notes, pauses = Ledger(journal), [], []
        caller = Caller(ledger, on_note=notes.append)
        real = caller._pause

        async def paused(seconds: float) -> None:
            pauses.append(seconds)
            await real(seconds)

        caller._pause = paused
        async with EndpointModel("t", base_url=server.url, model="m", concurrency=3) as model:
            for wave in range(2):
                asked = [Request(({"role": "user", "content": f"{wave} {i}"},), TASK) for i in range(3)]
                replies = await asyncio.gather(*(caller.ask(model, r, unit="u") for r in asked))
                assert [r.text for r in replies] == ["yes"] * 3
                await asyncio.sleep(0.05)
    journal.close()
    assert pauses == [0.0] * 3
    assert not notes
    assert ledger.calls == 9  # six questions, and three attempts that are on record
    assert 4 <= server.connections <= 6  # a new one may serve several


async def test_the_time_of_a_request_is_its_own_on_a_connection_that_was_used_before():
    waits = iter([0.0, 0.25, 0.0, None])

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _request: bytes) -> None:
        wait = next(waits)
        await asyncio.sleep(30 if wait is None else wait)
        writer.write(sized(BODY))

    async with connected(answer, timeout=0.4) as (transport, server):
        await transport.post("", {})
        await asyncio.sleep(0.25)
        await transport.post("", {})  # half a second after the first was sent
        await asyncio.sleep(0.45)  # the clock has run down
        await transport.post("", {})
        await asyncio.sleep(0.25)
        async with asyncio.timeout(10):
            with pytest.raises(ModelError) as error:
                await transport.post("", {})  # the clock was wound for the one before
        assert error.value.cause == "timeout"
        assert server.connections == 1

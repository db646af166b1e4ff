"""Keys and prompts go to the host that was named, on every transport: redirects, proxies, .netrc, the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import serve

from synth.calls import Ledger
from synth.calls.ledger import ModelState
from synth.errors import ModelError
from synth.models import Request, Task
from synth.models.batch import BatchModel, BatchSettings
from synth.models.endpoint import EndpointModel
from synth.models.official import OfficialTransport
from synth.models.transport import HttpTransport, Transport
from synth.records import Problem
from synth.store.journal import Journal

KEY, HEADER, PROMPT = "key-7f3a9c", "header-2b81d0", "prompt-55e1aa"
PROXIED = "http://models.invalid/v1"
STATUSES = (301, 302, 303, 307, 308)


class Seen(list[str]):
    """Every request that a server has had, whole, as one text each."""

    def __init__(self) -> None:
        self.url = ""
        self.there = ""
        """Where it sends everybody on; nowhere if empty."""
        self.status = 0

    def holds(self, *secrets: str) -> list[str]:
        return [s for s in secrets if any(s in request for request in self)]


@contextmanager
def server() -> Iterator[Seen]:
    """A server that notes what comes, and sends it on."""
    seen = Seen()

    async def note(request: web.Request) -> web.Response:
        body = (await request.read()).decode(errors="replace")
        seen.append(f"{request.method} {request.raw_path}\n{dict(request.headers)}\n{body}")
        if seen.there:
            return web.Response(status=seen.status, headers={"Location": seen.there + request.path})
        return web.json_response({"id": "x", "choices": [{"message": {"content": "5"}}], "data": []})

    app = web.Application()
    app.router.add_route("*", "/{all:.*}", note)
    with serve(app) as url:
        seen.url = url
        yield seen


@pytest.fixture
def hosts() -> Iterator[tuple[Seen, Seen]]:
    """The host that was named, and a stranger; two ports are two hosts."""
    with ExitStack() as stack:
        named, stranger = stack.enter_context(server()), stack.enter_context(server())
        named.there = stranger.url.removesuffix("/v1")
        yield named, stranger


@asynccontextmanager
async def opened(
    kind: str, named: Seen, monkeypatch: pytest.MonkeyPatch, key: str | None = KEY
) -> AsyncIterator[Transport]:
    """A transport to a server, as an endpoint opens it; `proxied` takes the server for a proxy."""
    url = named.url
    if kind == "proxied":
        monkeypatch.setenv("http_proxy", named.url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        url = PROXIED
    make = OfficialTransport if kind == "official" else HttpTransport
    transport = make(url, key, timeout=5.0, headers={"X-Secret": HEADER} if key is not None else {})
    try:
        yield transport
    finally:
        await transport.close()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", ["direct", "proxied", "official"])
async def test_a_redirect_is_not_followed(hosts: tuple[Seen, Seen], kind: str, status: int, monkeypatch):
    """Nothing at all is sent to where a redirect leads, by GET or by POST; the caller gets the redirect itself."""
    named, stranger = hosts
    named.status = status
    async with opened(kind, named, monkeypatch) as transport:
        posted = await transport.post("/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]})
        got = await transport.get("/models")
    assert (posted.status, got.status) == (status, status)
    assert named.holds(KEY, HEADER, PROMPT) == [KEY, HEADER, PROMPT]
    assert list(stranger) == []


@pytest.mark.parametrize("status", STATUSES)
async def test_a_batch_is_not_sent_on(hosts: tuple[Seen, Seen], status: int, tmp_path: Path, monkeypatch):
    """The file of requests, the batch, and the file of results stay with the host that was named."""
    named, stranger = hosts
    named.status = status
    monkeypatch.setenv("MY_KEY", KEY)
    model = BatchModel(
        "t",
        base_url=named.url,
        model="m",
        key_variable="MY_KEY",
        headers={"X-S": HEADER},
        batch=BatchSettings(idle_seconds=0.01),
    )
    journal = Journal(tmp_path / "journal")
    model.attach_state(ModelState(Ledger(journal), "t", lambda _: None))
    request = Request(({"role": "user", "content": PROMPT},), Task("other", Problem.root(question=PROMPT)))
    async with model:
        with pytest.raises(ModelError):
            await model.complete(request)
        with pytest.raises(ModelError):
            await model._end_of("b")
        with pytest.raises(ModelError):
            await model._deliver("b", "f", {"key"})
        with pytest.raises(ModelError):
            await model._endpoint.look_for({"token": 0})
    journal.close()
    assert named.holds(KEY, HEADER, PROMPT) == [KEY, HEADER, PROMPT]
    assert list(stranger) == []


@pytest.mark.parametrize("kind", ["direct", "proxied", "official"])
async def test_no_password_of_netrc_is_sent(hosts: tuple[Seen, Seen], kind: str, tmp_path: Path, monkeypatch):
    """A `.netrc` may name every host (`default`); none of its passwords is sent."""
    named, _ = hosts
    named.there = ""
    (tmp_path / ".netrc").write_text("default login me password netrc-secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    async with opened(kind, named, monkeypatch, key=None) as transport:
        await transport.post("/chat/completions", {})
    assert len(named) == 1
    assert "Basic" not in named[0]


async def test_the_official_client_sends_nothing_that_the_environment_has_for_openai(hosts, monkeypatch):
    """Variables that the official client reads for OpenAI's own host do not go to the host that a profile names."""
    named, _ = hosts
    named.there = ""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "ambient-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: ambient-secret\nAuthorization: ambient-secret")
    async with opened("official", named, monkeypatch, key=None) as transport:
        await transport.post("/chat/completions", {"messages": []})
        await transport.get("/models")
    assert len(named) == 2
    assert named.holds("ambient-secret") == []


async def proxy_that_only_listens(heads: list[bytes]) -> asyncio.Server:
    """A proxy that notes the first thing it is told and closes."""

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(note, "127.0.0.1", 0)


@pytest.mark.parametrize("login", ["", "me:proxy-password@"])
@pytest.mark.parametrize("client", [None, "openai"])
async def test_a_proxy_sees_nothing_of_what_goes_over_tls(client: Any, login: str, monkeypatch: pytest.MonkeyPatch):
    """To an https endpoint a proxy is asked for a tunnel (CONNECT): it gets its own password, and neither key nor prompt."""
    heads: list[bytes] = []
    listening = await proxy_that_only_listens(heads)
    port = listening.sockets[0].getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://{login}127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_HEADER", HEADER)
    model = EndpointModel(
        "t",
        base_url="https://models.invalid/v1",
        model="m",
        key_variable="MY_KEY",
        headers={"X-S": "$MY_HEADER"},
        client=client,
        timeout=5.0,
    )
    request = Request(({"role": "user", "content": PROMPT},), Task("other", Problem.root(question=PROMPT)))
    async with listening, model:
        with pytest.raises(ModelError) as caught:
            await model.complete(request)
    assert "proxy-password" not in str(caught.value)
    (head,) = heads
    assert head.startswith(b"CONNECT models.invalid:443 HTTP/1.1\r\n")
    assert (b"proxy-authorization: basic" in head.lower()) == bool(login)
    for secret in (KEY, HEADER, PROMPT):
        assert secret.encode() not in head


@pytest.mark.parametrize("kind", ["direct", "official"])
async def test_this_machine_is_not_asked_for_through_a_proxy(hosts: tuple[Seen, Seen], kind: str, monkeypatch):
    """A server on loopback is spoken to directly, whatever proxy the environment names: a proxy may be another machine."""
    named, proxy = hosts
    named.there = ""
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "")
    async with opened(kind, named, monkeypatch) as transport:
        assert (await transport.post("/chat/completions", {"q": PROMPT})).status == 200
    assert len(named) == 1
    assert list(proxy) == []

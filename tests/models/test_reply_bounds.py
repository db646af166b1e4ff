"""Replies of any size and depth, on every transport: a failure in words, with bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model
from support import serve

from synth.errors import ModelError
from synth.models import Reply, Request, Task, Unreadable, batch_interface, read_structured
from synth.models.batch import BatchModel, BatchSettings
from synth.models.check import check_model
from synth.models.endpoint import EndpointModel
from synth.models.official import OfficialTransport
from synth.models.reading import read_reply
from synth.models.stream import MOST_LINES, assembled
from synth.models.transport import HttpReply, HttpTransport, Transport
from synth.models.unpacking import MOST_BYTES, Unpacker
from synth.records import Problem

BLOCK = b" " * 2**20


async def _endless(request: web.Request) -> web.StreamResponse:
    """A reply that does not end, as a piece of JSON or of a stream, plain or packed; it stops when nobody listens."""
    how = request.path.rpartition("/")[2]
    packing = {"gzip": 31, "deflate": 15, "bare": -15}.get(how)
    named = {"Content-Type": "text/event-stream" if how == "stream" else "application/json"}
    if packing is not None:
        named["Content-Encoding"] = "gzip" if how == "gzip" else "deflate"
    response = web.StreamResponse(status=500 if how == "error" else 200, headers=named)
    packer = None if packing is None else zlib.compressobj(9, wbits=packing)
    await response.prepare(request)
    block = b"data: {}\n\n" * 2**16 if how == "stream" else BLOCK
    try:
        while True:
            sent = block if packer is None else packer.compress(BLOCK * 16) + packer.flush(zlib.Z_SYNC_FLUSH)
            await response.write(sent)
    except (ConnectionError, asyncio.CancelledError):
        pass
    return response


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    app = web.Application()
    app.router.add_route("*", "/v1/{how}", _endless)
    app.router.add_route("*", "/v1/files/{id}/content", _endless)
    # A proxy is asked for the whole address.
    app.router.add_route("*", "/{tail:.*}", _endless)
    with serve(app) as url:
        yield url


@asynccontextmanager
async def opened(kind: str, url: str, seconds: float = 60.0) -> AsyncIterator[Transport]:
    with pytest.MonkeyPatch.context() as patch:
        if kind == "proxied":
            patch.setenv("http_proxy", url.removesuffix("/v1"))
            patch.setenv("no_proxy", "")
            url = "http://models.invalid/v1"
        make = OfficialTransport if kind == "official" else HttpTransport
        transport = make(url, None, timeout=seconds)
    try:
        yield transport
    finally:
        await transport.close()


@pytest.mark.parametrize("how", ["plain", "error", "stream", "gzip", "deflate", "bare"])
@pytest.mark.parametrize("kind", ["direct", "proxied", "official"])
@pytest.mark.parametrize("method", ["post", "get"])
async def test_a_reply_without_end_ends(kind: str, how: str, method: str, server, monkeypatch: pytest.MonkeyPatch):
    """Posting and getting (as for `/models`): no more than the bound is read, nor unpacked, whatever the status."""
    most = 2**21
    monkeypatch.setattr("synth.models.unpacking.MOST_BYTES", most)
    async with opened(kind, server) as transport:
        tracemalloc.start()
        with pytest.raises(ModelError, match="its reply has more than 2 MiB") as caught:
            await (transport.post(f"/{how}", {}) if method == "post" else transport.get(f"/{how}"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert caught.value.cause == "malformed"
    assert not caught.value.retriable
    assert peak < 80 * 2**20  # of this process, which is the server too: it makes 16 MiB at once


@pytest.mark.parametrize("kind", ["direct", "proxied", "official"])
async def test_a_reply_that_drips_ends_in_time(kind: str):
    """A byte now and then is no reply: the time limit is one of the whole."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            return response

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", drip)
    with serve(app) as url:
        async with opened(kind, url, seconds=1.0) as transport:
            with pytest.raises(ModelError, match="no reply within 1 s"):
                await transport.post("/x", {})


@pytest.mark.parametrize("kind", ["direct", "proxied", "official"])
@pytest.mark.parametrize("how", ["", "gzip", "deflate", "bare", "br", "torn"])
async def test_packed_replies_are_read_by_one_unpacker(kind: str, how: str):
    """Every transport reads the same packings, and says of the same others that they cannot be unpacked."""
    body = json.dumps({"a": "b" * 5000}).encode()
    packers = {"bare": -15, "deflate": 15}

    async def answer(_request: web.Request) -> web.Response:
        named = {"Content-Encoding": {"bare": "deflate", "torn": "gzip"}.get(how, how)} if how else {}
        packed = body
        if how in packers:
            packer = zlib.compressobj(wbits=packers[how])
            packed = packer.compress(body) + packer.flush()
        elif how in {"gzip", "torn"}:
            packed = gzip.compress(body)[: -9 if how == "torn" else None]
        return web.Response(body=packed, headers=named)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    with serve(app) as url:
        async with opened(kind, url) as transport:
            if how in {"br", "torn"}:
                with pytest.raises(ModelError, match="cannot be unpacked"):
                    await transport.post("/x", {})
            else:
                assert (await transport.post("/x", {})).body == body


@given(st.binary(max_size=3000), st.integers(1, 50), st.sampled_from([None, "identity", "gzip", "deflate", "bare"]))
def test_unpacking_in_pieces_is_unpacking(body: bytes, size: int, how: str | None):
    """However a body is cut, it comes out as it was."""
    packed = body
    if how in {"gzip", "deflate", "bare"}:
        packer = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "bare": -15}[how])
        packed = packer.compress(body) + packer.flush()
    unpacker = Unpacker("deflate" if how == "bare" else how)
    found = b"".join(p for i in range(0, len(packed), size) for p in unpacker.feed(packed[i : i + size]))
    unpacker.finish()
    assert found == body


async def test_a_model_whose_list_has_no_end_is_reported(server):
    """`synth models` says what is wrong with an endpoint that sends without end, and ends."""
    report = await check_model(EndpointModel("t", base_url=server, model="m", timeout=60.0))
    assert report.problem is not None
    assert "64 MiB" in str(report.problem)


@pytest.mark.parametrize(
    ("most", "said"), [(2**20, "the file f has more than 1 MiB"), (2**30, "a line of the file f has")]
)
async def test_a_file_of_results_without_end_ends(most: int, said: str, server, monkeypatch: pytest.MonkeyPatch):
    """The results of a batch are read line by line, a line within the bound of a reply, all within one by their number."""
    monkeypatch.setattr(batch_interface, "MOST_BYTES_OF_REPLY", 2**21)
    model = BatchModel("t", base_url=server, model="m", batch=BatchSettings())
    model._transport = model._connect(server, None, {})
    try:
        tracemalloc.start()
        with pytest.raises(ModelError, match=said) as caught:
            await model._endpoint.read_lines("f", most, lambda _line: None)
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
        tracemalloc.stop()
        assert not caught.value.retriable
    finally:
        await model.stop()


DEEP = {depth: "[" * depth + "]" * depth for depth in (150, 300, 900, 5000, 200_000)}


@pytest.mark.parametrize("depth", DEEP)
@pytest.mark.parametrize(
    "place", ["content", "error", "message of an error", "detail", "usage", "choices", "model", "whole"]
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_deep_reply_is_a_failure(depth: int, place: str, status: int):
    """Wherever in a reply the depth is: a ModelError with a cause, never another error."""
    deep = DEEP[depth]
    message = '{"message": {"role": "assistant", "content": %s}, "finish_reason": "stop"}'
    body = {
        "content": f'{{"choices": [{message % deep}]}}',
        "error": f'{{"error": {deep}}}',
        "message of an error": f'{{"error": {{"message": {deep}, "code": 500}}}}',
        "detail": f'{{"detail": {deep}}}',
        "usage": f'{{"choices": [{message % chr(34) * 2}], "usage": {deep}}}',
        "choices": f'{{"choices": {deep}}}',
        "model": f'{{"choices": [], "model": {deep}}}',
        "whole": deep,
    }[place]
    for text in (body, f"data: {body}\n\ndata: [DONE]\n\n", body.replace("[]", "[NaN]")):
        with pytest.raises(ModelError) as caught:
            read_reply(HttpReply(status, {}, text.encode()), "http://x/v1", model="m")
        assert caught.value.cause


SHAPE = create_model("Shape", __base__=Reply, answer=(str, ...))


@pytest.mark.parametrize(
    "text",
    [
        *(f'{{"answer": "5", "more": {deep}}}' for deep in DEEP.values()),
        '{"answer": "5", "more": ' + "9" * 10_000 + "}",
        '```json\n{"answer": ' + "9" * 5000 + "}\n```",
    ],
)
def test_a_reply_held_to_a_schema_is_bounded(text: str):
    """JSON in a reply that is too deep, or holds a number of any length, is unreadable and asked for again."""
    with pytest.raises(Unreadable):
        read_structured(text, SHAPE)
    assert read_structured(text + '\n{"answer": "6"}', SHAPE).answer == "6"


def chunk(delta: object, **more: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, **more}]}).encode() + b"\n\n"


STREAMS: dict[str, Callable[[], bytes]] = {
    "text": lambda: chunk({"content": "ab"}),
    "thoughts": lambda: chunk({"reasoning_content": "ab"}),
    "parts": lambda: chunk({"content": [{"type": "text", "text": "ab"}]}),
    "log-probabilities": lambda: chunk({"content": "a"}, logprobs={"content": [{"token": "a", "logprob": -1.0}]}),
    "completions": lambda: b'data: {"choices": [{"index": 0, "text": "ab"}]}\n\n',
    "events of nothing": lambda: b"data: {}\n\n",
    "lines of nothing": lambda: b"\n",
}


@cache
def seconds(name: str, events: int) -> float:
    body = STREAMS[name]() * events
    best = 9e9
    for _ in range(2):
        began = time.process_time()
        assembled(body)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("name", STREAMS)
def test_the_time_of_a_stream_grows_with_its_length(name: str):
    """Eight times the events take about eight times as long, not 64 times."""
    assert seconds(name, 40_000) < 24 * max(seconds(name, 5_000), 0.005)


def test_a_stream_of_too_many_lines_is_none():
    """What has more lines than any model writes is not read."""
    assert assembled(b"\n" * (MOST_LINES + 1)) is None
    assert len(b"data: {}\n\n") * MOST_LINES < MOST_BYTES


def test_pieces_are_put_together():
    """Texts, thoughts, parts and log-probabilities come out whole, in order."""
    body = b"".join(STREAMS[name]() * 3 for name in ("text", "thoughts", "log-probabilities", "parts"))
    ((choice),) = assembled(body + b"data: [DONE]\n\n")["choices"]
    assert choice["message"]["reasoning_content"] == "ababab"
    assert choice["message"]["content"] == [{"type": "text", "text": "ababab" + "aaa" + "ababab"}]
    assert [t["token"] for t in choice["logprobs"]["content"]] == ["a"] * 3


async def test_a_call_ends_as_a_failure_in_words(server):
    """Through the whole model: the error names the endpoint, its cause is stable, and it is not asked again."""
    request = Request(({"role": "user", "content": "?"},), Task("other", Problem.root(question="?")))
    async with EndpointModel("t", base_url=server, model="m", timeout=60.0) as model:
        with pytest.raises(ModelError, match=r"http://127.*: its reply has more than 64 MiB"):
            await model.complete(request)


def test_no_library_reads_a_reply_by_itself():
    """All that comes over HTTP from an endpoint goes through the bounded readers: no transport calls `read()`."""
    folder = Path(__file__).parents[2] / "synth" / "models"
    for name in (
        "transport.py",
        "official.py",
        "endpoint.py",
        "batch.py",
        "batch_interface.py",
        "check.py",
        "probe.py",
    ):
        text = (folder / name).read_text()
        for unbounded in (".read()", ".bytes()", ".json()", ".text()", ".build()", "files.content("):
            assert unbounded not in text.replace("(builder).build()", ""), name

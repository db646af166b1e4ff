"""Replies that come as streams are what they would have been as one, or a failure that says what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from support import endpoint, reply

from synth.calls import Caller, Ledger
from synth.errors import ModelError
from synth.models import Completion, Request, Task
from synth.models.endpoint import EndpointModel
from synth.models.reading import read_reply
from synth.models.transport import HttpReply
from synth.records import Problem
from synth.store.journal import Journal

QUESTION = Problem.root(question="2 + 2?", answer="4", answer_kind="number")
REQUEST = Request(({"role": "user", "content": QUESTION.question},), Task("solve", QUESTION), step="s")
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 3}}
THOUGHT, RESPONSE = "I add 2 and 2.", "Two und zwei: vier, ½ of 8. 😀\nThe answer is 4."


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": choices, **fields}


def events(*chunks: Any, end: str = "\n", done: bool = True) -> bytes:
    lines = [f"data: {c if isinstance(c, str) else json.dumps(c, ensure_ascii=False)}{end}{end}" for c in chunks]
    return ("".join(lines) + (f"data: [DONE]{end}{end}" if done else "")).encode()


def read(body: bytes, content_type: str = "text/event-stream") -> Completion:
    return read_reply(HttpReply(200, {"content-type": content_type}, body), "http://nowhere/v1", model="m")


def pieces(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(0, len(text), n)]


WHOLE = [
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"reasoning_content": p}) for p in pieces(THOUGHT, 3)),
    *(chunk({"content": p}) for p in pieces(RESPONSE, 2)),
    chunk({}, "stop"),
    chunk(usage=USAGE),
]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("client", [None, "openai"])
async def test_a_stream_is_read_whether_it_was_asked_for_or_not(tmp_path: Path, asked: bool, client: Any):
    async def answer(request, body):
        assert (body.get("stream") is True) == asked
        assert body.get("stream_options") == ({"include_usage": True} if asked else None)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        body = b": keep-alive\n\n" + events(*WHOLE)
        for i in range(0, len(body), 7):  # which splits signs of more than one byte
            await response.write(body[i : i + 7])
        await response.write_eof()
        return response

    journal = Journal(tmp_path / "journal")
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", stream=asked, client=client) as model:
            ledger = Ledger(journal)
            got = await Caller(ledger).ask(model, REQUEST, unit="u")
            await Caller(ledger).ask(model, REQUEST, unit="u")
    journal.close()
    assert (got.text, got.thought, got.thought_from, got.finish) == (RESPONSE, THOUGHT, "reasoning_content", "stop")
    assert (got.prompt_tokens, got.completion_tokens, got.reasoning_tokens) == (11, 7, 3)
    assert len(seen) == 1


async def test_an_endpoint_that_answers_whole_though_a_stream_was_asked_for_is_read(tmp_path: Path):
    async def answer(_request, _body):
        return reply(RESPONSE)

    journal = Journal(tmp_path / "journal")
    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m", stream=True) as model:
            assert (await Caller(Ledger(journal)).ask(model, REQUEST, unit="u")).text == RESPONSE
    journal.close()


@pytest.mark.parametrize(
    "body",
    [
        events(*WHOLE),
        events(*WHOLE, end="\r\n"),
        events(*WHOLE, end="\r"),
        events(*WHOLE, done=False),  # the end of the choice has come
        events(*WHOLE[:-2], WHOLE[-1]),  # the end of the stream has come
        b"\xef\xbb\xbf" + events(*WHOLE),
        b": OPENROUTER PROCESSING\n\n: and again\n\n" + events(*WHOLE),
        events(*WHOLE).replace(b"data: ", b"data:"),
        events(*WHOLE).replace(b"data: {", b"event: message\nid: 7\nretry: 10\ndata: {"),
        events(*WHOLE).replace(b'"choices": ', b'\ndata: "choices": '),  # the data of one event on two lines
        events(*WHOLE)[:-2],  # without the last line end
        events(*WHOLE, "7", "[]", '"x"', chunk({}, usage=None)),
    ],
)
@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "application/json"])
def test_events_are_read_as_the_standard_has_them(body: bytes, content_type: str):
    got = read(body, content_type)
    assert (got.text, got.thought, got.status) == (RESPONSE, THOUGHT, "ok")


FORMS = {
    "reasoning": [chunk({"reasoning": p}) for p in pieces(THOUGHT, 4)],
    "thinking": [chunk({"thinking": p}) for p in pieces(THOUGHT, 4)],
    "reasoning_details": [
        chunk({"reasoning": p, "reasoning_details": [{"type": "reasoning.text", "text": p, "index": 0}]})
        for p in pieces(THOUGHT, 4)
    ],
    "parts": [
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": p}]}]})
        for p in pieces(THOUGHT, 4)
    ],
    "tags": [chunk({"content": p}) for p in pieces(f"<think>{THOUGHT}</think>\n", 4)],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_thought_comes_in_pieces_of_every_form(form: str):
    got = read(events(*FORMS[form], *(chunk({"content": p}) for p in pieces(RESPONSE, 5)), chunk({}, "stop")))
    assert (got.text, got.thought, got.thought_kind) == (RESPONSE, THOUGHT, "raw")


def test_a_sign_in_two_pieces_is_put_together():
    halves = [b'data: {"choices": [{"index": 0, "delta": {"content": "a\\ud83d"}}]}\n\n',
              b'data: {"choices": [{"index": 0, "delta": {"content": "\\ude00 b"}, "finish_reason": "stop"}]}\n\n']  # fmt: skip
    assert read(b"".join(halves)).text == "a\U0001f600 b"
    assert read(halves[0] + events(chunk({}, "stop"))).text == "a\ufffd"


@pytest.mark.parametrize("odd", ["1" + "0" * 40, "NaN", "-Infinity", "[" * 5000 + "]" * 5000])
def test_numbers_and_nests_that_no_reply_has_do_not_spoil_it(odd: str):
    whole = chunk({"content": RESPONSE}, "stop")
    got = read(f'data: {{"usage": {{"completion_tokens": {odd}}}, "choices": []}}\n\n'.encode() + events(whole))
    assert (got.text, got.completion_tokens) == (RESPONSE, None)


def test_a_whole_reply_under_the_name_of_a_stream_is_read():
    body = orjson.dumps({"choices": [{"index": 0, "message": {"content": RESPONSE}, "finish_reason": "stop"}]})
    assert read(body).text == RESPONSE


def test_other_contents_of_a_stream_are_kept():
    logprobs = [{"content": [{"token": t, "logprob": -0.5}]} for t in ("a", "b")]
    chunks = [chunk({"content": t}) for t in ("a", "b")]
    for c, listed in zip(chunks, logprobs, strict=True):
        c["choices"][0]["logprobs"] = listed
    got = read(events(*chunks, chunk({}, "stop")))
    assert [t.token for t in got.token_logprobs] == ["a", "b"]
    assert read(events(chunk({"refusal": "I "}), chunk({"refusal": "cannot"}), chunk({}, "stop"))).refusal == "I cannot"
    text = [{"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in (("a", None), ("b", "stop"))]
    assert read(events(*text)).text == "ab"
    whole = {"choices": [{"index": 0, "message": {"content": RESPONSE}, "finish_reason": "stop"}]}
    assert read(events(whole)).text == RESPONSE


@pytest.mark.parametrize(
    "body",
    [
        events(*WHOLE[:-4], done=False),
        events(*WHOLE[:-4], done=False) + b'data: {"choices": [{"ind',
        events(*WHOLE[:-4], {"error": {"message": "overloaded", "code": 529}}),
        events(*WHOLE[:-4], {"error": {"message": "overloaded", "code": 529}}, done=False),
        events(*WHOLE[:-4], done=False) + b'event: error\ndata: {"error": "overloaded"}\n\n',
    ],
)
def test_a_stream_that_breaks_off_is_a_failure_and_what_came_is_kept(body: bytes):
    got = read(body)
    assert got.status == "server"
    assert got.text
    assert RESPONSE.startswith(got.text)
    assert got.thought == THOUGHT
    assert "broke off" in (got.refusal or "") or "overloaded" in (got.refusal or "")


@pytest.mark.parametrize(
    ("body", "cause", "says"),
    [
        (events({"error": {"message": "overloaded", "code": 529}}), "server", "(529): overloaded"),
        (events({"error": {"message": "no key", "code": 401}}, done=False), "auth", "no key"),
        (events({"object": "error", "message": "too long", "code": 400}), "bad_request", "too long"),
        (b"data: not JSON\n\n", "malformed", "stream of events"),
        (b": keep-alive\n\n", "malformed", "stream of events"),
        (b"", "malformed", "stream of events"),
        (events(), "malformed", "no choices"),
    ],
)
def test_a_stream_without_a_reply_is_an_error(body: bytes, cause: str, says: str):
    with pytest.raises(ModelError) as caught:
        read(body)
    assert caught.value.cause == cause
    assert says in caught.value.what


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=10),
            st.builds(
                orjson.dumps,
                st.fixed_dictionaries(
                    {},
                    optional={
                        "choices": st.lists(
                            st.fixed_dictionaries(
                                {},
                                optional={
                                    "index": st.sampled_from([0, 1, "0", None]),
                                    "delta": st.sampled_from(
                                        [{}, None, 7, {"content": "a"}, {"content": ["a", {"type": "text", "text": "b"}]},
                                         {"content": 7}, {"reasoning_content": ["x"]}, {"reasoning_details": [7, {}]},
                                         {"reasoning_content": "r"}, {"tool_calls": [{}]}]
                                    ),
                                    "text": st.sampled_from(["t", 7, None]),
                                    "logprobs": st.sampled_from([None, {"content": [7]}, {"tokens": ["a"]}, [1]]),
                                    "finish_reason": st.sampled_from(["stop", "length", None, 7]),
                                },
                            )
                            | st.integers(0, 3),
                            max_size=2,
                        ),
                        "error": st.sampled_from([None, "e", {"message": "e"}, {"code": 429}]),
                        "usage": st.sampled_from([None, {"completion_tokens": 3}, 7]),
                    },
                ),
            ).map(bytes.decode),
        ),
        max_size=6,
    ),
    st.booleans(),
)  # fmt: skip
def test_whatever_a_stream_holds_gives_a_completion_or_an_error_of_ours(chunks: list[str], done: bool):
    try:
        got = read(events(*(c.replace("\n", " ").replace("\r", " ") for c in chunks), done=done))
    except ModelError:
        return
    assert isinstance(got.text, str)
    assert isinstance(got.status, str)

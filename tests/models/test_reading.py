"""What comes of whatever a server may send."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import ask, manifest

from synth.calls import Caller, Ledger
from synth.calls.limits import Turn
from synth.errors import ModelError
from synth.models import Completion, Price, Request, Task
from synth.models.base import Model
from synth.models.reading import MOST_TOKENS, read_reply
from synth.models.transport import HttpReply
from synth.records import Problem
from synth.store.journal import Journal
from synth.store.materialize import materialize

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
COUNT = st.sampled_from([0, 7, -1_000_000, 10**19, 2**63, 2.5, 3.0, "12", "many", None, [], {}])
FINISH = st.sampled_from(["stop", None, "eos", "length", "MAX_TOKENS", "abort", "tool_calls", "content_filter"])


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object as it should be, but for whatever stands in some of its fields, or is missing."""
    some = st.fixed_dictionaries({}, optional=fields)
    return some | some | some | ANY


def often(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return right | right | ANY


LOGPROBS = objects(
    content=st.lists(objects(token=often(st.text()), logprob=often(st.floats(-9, 0)), top_logprobs=ANY), max_size=2) | ANY,
    tokens=st.lists(often(st.text()), max_size=2),
    token_logprobs=st.lists(often(st.floats(-9, 0)), max_size=2),
    text_offset=ANY,
)  # fmt: skip
MESSAGE = objects(
    content=often(st.text()), reasoning=ANY, reasoning_content=ANY, refusal=ANY, role=st.just("assistant"), tool_calls=ANY
)  # fmt: skip
CHOICE = objects(
    index=ANY, message=MESSAGE, text=ANY, finish_reason=often(FINISH), logprobs=LOGPROBS, error=ANY, prompt_logprobs=ANY
)  # fmt: skip
REPLY = objects(
    choices=st.lists(CHOICE, max_size=2) | ANY,
    usage=objects(prompt_tokens=COUNT | ANY, completion_tokens=COUNT | ANY),
    model=ANY,
    error=objects(code=ANY, type=ANY, message=ANY) | st.none(),
    prompt_logprobs=ANY,
)
STATUS = st.sampled_from([200, 200, 200, 201, 301, 400, 401, 402, 403, 404, 418, 429, 500, 503])


class Says(Model):
    """Says what it was last told to, as a server would."""

    name, model_id, endpoint = "t", "m", "http://nowhere/v1"
    price = Price(input=1, output=1)
    reply: HttpReply

    async def complete(self, request: Request) -> Completion:
        return read_reply(self.reply, self.endpoint, model=self.model_id, scored=request.score)


def request(sample: int = 0, **more: Any) -> Request:
    return Request(({"role": "user", "content": "1 + 1?"},), Task("solve", QUESTION), {}, sample, step="s", **more)


def test_whatever_a_server_says_is_a_reply_or_a_failed_call_and_a_row(tmp_path: Path):
    manifest(tmp_path)
    journal = Journal(tmp_path / "journal")
    ledger, model = Ledger(journal), Says()
    loop = asyncio.new_event_loop()
    caller = Caller(ledger)
    sample = 0

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @example({"choices": [{"message": {"content": "two"}}], "usage": {"prompt_tokens": 10**19}}, 200, {}, None)
    @example({"choices": [{"message": {"content": "two"}}], "usage": {"prompt_tokens": -(10**6)}}, 200, {}, None)
    @example({"choices": [{"text": "two"}], "usage": {"prompt_tokens": "7", "completion_tokens": 3.0}}, 200, {}, None)
    @example({"choices": [{"message": {"content": "two"}, "finish_reason": {"a": 1}}], "model": 7}, 200, {}, None)
    @example({"choices": [{"message": {"content": "two", "refusal": ["no"], "reasoning": [1]}}]}, 200, {}, None)
    @example({"error": {"code": ["a"], "type": {"b": 1}}}, 429, {}, None)
    @example({"choices": [{"message": {"content": "\0"}, "logprobs": {"content": [[[[[[1]]]]]]}}]}, 200, {}, None)
    @given(
        REPLY,
        STATUS,
        st.dictionaries(
            st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"]),
            st.sampled_from(["0", "1", "nan", "inf", "-5", "1e9", "1e400", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "6m0s"]),
        ),
        st.none() | st.just("two"),
    )  # fmt: skip
    def say(body: Any, status: int, headers: dict[str, str], score: str | None) -> None:
        nonlocal sample
        sample += 1
        model.reply = HttpReply(status, headers, orjson.dumps(body))
        before = ledger.calls
        caller._limits.clear()  # nobody waits in this test
        try:
            got = loop.run_until_complete(
                caller._attempt(model, request(sample, score=score), f"k{sample}", "u", Turn())
            )
            assert got.text.strip() or score is not None
            assert isinstance(got.token_logprobs, tuple)
        except ModelError as error:
            pause = error.retry_after
            assert pause is None or 0 <= pause < float("inf")
        assert ledger.calls == before + 1

    say()
    loop.close()
    journal.close()
    assert materialize(tmp_path)
    rows = ask(tmp_path, "SELECT count(*), min(price), min(prompt_tokens), max(prompt_tokens) FROM calls")
    assert rows[0][0] == ledger.calls > 200
    assert rows[0][1] >= 0
    assert rows[0][2] >= 0
    assert rows[0][3] <= MOST_TOKENS


def read(choice: dict[str, Any], **fields: Any) -> Completion:
    body = {"choices": [choice], **fields}
    return read_reply(HttpReply(200, {}, orjson.dumps(body)), "http://nowhere/v1", model="m")


@pytest.mark.parametrize(
    ("finish", "status"),
    [
        *((word, "ok") for word in ("stop", "STOP", "eos", "eos_token", "stop_sequence", "end_turn", None, "")),
        *((word, "truncated") for word in ("length", "max_tokens", "MAX_TOKENS", "model_length")),
        *((word, "refused") for word in ("content_filter", "SAFETY", "refusal", "content_filter: PROHIBITED_CONTENT")),
        *((word, "server") for word in ("error", "abort", "insufficient_system_resource", "no such word")),
        ("tool_calls", "malformed"),
    ],
)  # fmt: skip
def test_only_a_reply_that_is_said_to_be_whole_is_taken(finish: str | None, status: str):
    assert read({"finish_reason": finish, "message": {"content": "two"}}).status == status


def test_half_replies_are_distinguished():
    broken = read({"finish_reason": "stop", "error": {"code": 502}, "message": {"content": "tw"}})
    assert (broken.status, broken.refusal) == ("server", '{"code":502}')
    assert read({"finish_reason": "stop", "message": {"content": "<think>hm"}}).status == "thought_cut"
    assert read({"finish_reason": "stop", "message": {"content": "<think>hm</think>two"}}).status == "ok"
    two = {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]}
    assert read_reply(HttpReply(200, {}, orjson.dumps(two)), "u", model="m").text == "a"


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"choices": [{"message": {"content": "two"}}]}',
        b'{"choices": [{"message": {"content": "two"}, "logprobs": NaN}], "score": -Infinity}',
    ],
)
def test_json_is_read_tolerantly(body: bytes):
    assert read_reply(HttpReply(201, {}, body), "u", model="m").text == "two"


def test_half_a_pair_of_surrogates_is_replaced():
    body = b'{"choices": [{"message": {"content": "tw\\ud83do \\ud83d\\ude00"}}]}'
    assert read_reply(HttpReply(200, {}, body), "u", model="m").text == "tw\ufffdo \U0001f600"

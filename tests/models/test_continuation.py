"""Going on from a given beginning, and scoring a given text."""

from __future__ import annotations

import math
from pathlib import Path

import hypothesis.strategies as st
import pytest
from aiohttp import web
from hypothesis import given
from support import endpoint, reply

from synth.calls import Caller, Ledger
from synth.errors import ModelError
from synth.models import Request, Task
from synth.models.continuation import Restarted, strip_prefix
from synth.models.endpoint import EndpointModel
from synth.records import Problem
from synth.store.journal import Journal

GIVEN = "First we count the apples: 3 + 4 = 7.\nThen we take"
QUESTION = Problem.root(question="How many?")


def asked(**more) -> Request:
    return Request(({"role": "user", "content": "How many?"},), Task("solve", QUESTION), **more)


@pytest.mark.parametrize(
    ("said", "added"),
    [
        (" two away.", " two away."),
        (GIVEN + " two away.", " two away."),
        ("\n" + GIVEN + " two away.", " two away."),
        ("4 = 7.\nThen we take two away.", " two away."),
        ("Then we take two away.", " two away."),
        ("First two, then three.", "First two, then three."),
        ("", ""),
    ],
)
def test_what_is_repeated_is_cut_off(said: str, added: str):
    assert strip_prefix(GIVEN, said) == added


@pytest.mark.parametrize(
    "said", ["First we count the apples: 3 + 4 = 7.\nNow 8.", "First we count the apples: 3 + 4 = 7. So 8."]
)
def test_a_new_beginning_is_no_continuation(said: str):
    with pytest.raises(Restarted):
        strip_prefix(GIVEN, said)


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ("The number of apples in the first basket is 5.\n", "The number of apples in the second basket is 6."),
        ("We multiply the number of boxes by 3. ", "We multiply the number of bags by 4."),
        (GIVEN, "First we count the apples and pears."),
    ],
)
def test_a_step_that_begins_like_the_first_one_is_a_step(begun: str, said: str):
    assert strip_prefix(begun, said) == said


@given(st.text(min_size=1), st.text())
def test_a_whole_repetition_is_always_cut_off(prefix: str, more: str):
    prefix = "It is given that " + prefix.strip()
    assert strip_prefix(prefix, prefix + "|" + more) == "|" + more


USER = {"role": "user", "content": "How many?"}
SO = {"role": "assistant", "content": "So"}
VLLM = {"add_generation_prompt": False, "continue_final_message": True}


@pytest.mark.parametrize(
    ("continuation", "path", "posted"),
    [
        ("prefill", "chat", {"messages": [USER, SO]}),
        ("prefix", "chat", {"messages": [USER, {**SO, "prefix": True}]}),
        ("vllm", "chat", {"messages": [USER, SO], **VLLM}),
        ("completions", "text", {"prompt": "How many?\n\nSo"}),
    ],
)
async def test_the_beginning_travels_as_the_endpoint_takes_it(continuation, path, posted):
    paths = []

    async def answer(request, body):
        paths.append(request.path)
        if path == "text":
            return web.json_response({"model": "m", "choices": [{"text": " it is 5.", "finish_reason": "stop"}]})
        return reply(" it is 5.")

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", continuation=continuation) as model:
            got = await model.complete(asked(continue_from="So"))
    assert seen == [{"model": "m", **posted}]
    assert paths == ["/v1/completions" if path == "text" else "/v1/chat/completions"]
    assert got.text == " it is 5."
    plain = EndpointModel("t", base_url=url, model="m", continuation=continuation)
    assert plain.key(asked(continue_from="So")) != plain.key(asked())
    elsewhere = EndpointModel("t", base_url=url, model="m", continuation="prefill" if path == "text" else "completions")
    assert plain.key(asked(continue_from="So")) != elsewhere.key(asked(continue_from="So"))


LOGPROBS = {"The": None, " answer": -1.0, " is": -0.5, " five": -2.0, ".": -0.25, "EXTRA": -9.0}


async def _echo(_request, body):
    tokens = list(LOGPROBS)
    offsets = [len("".join(tokens[:i])) for i in range(len(tokens))]
    assert (body["echo"], body["max_tokens"]) == (True, 1)
    assert "temperature" not in body
    logprobs = {"tokens": tokens, "token_logprobs": list(LOGPROBS.values()), "text_offset": offsets}
    choice = {"text": "".join(tokens), "logprobs": logprobs, "finish_reason": "length"}
    return web.json_response({"model": "m", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 1}})


async def _vllm(_request, body):
    assert (body["prompt_logprobs"], body["continue_final_message"]) == (0, True)
    listed = [
        {"17": {"logprob": v, "rank": 1, "decoded_token": t}} if v is not None else None
        for t, v in LOGPROBS.items()
        if t != "EXTRA"
    ]
    return reply("x", prompt_logprobs=listed)


@pytest.mark.parametrize(("continuation", "answer"), [("completions", _echo), ("vllm", _vllm)])
async def test_a_given_text_is_scored_token_by_token(tmp_path: Path, continuation, answer):
    journal = Journal(tmp_path / "j")
    ledger = Ledger(journal)
    with endpoint(answer) as (url, seen):
        model = EndpointModel("t", base_url=url, model="m", continuation=continuation, parameters={"temperature": 0.7})
        async with model:
            for _ in range(2):  # the second is replayed
                got = await Caller(ledger).ask(model, asked(score=" five."), unit="u")
                assert got.text == " five."
                assert [(t.token, t.logprob) for t in got.token_logprobs] == [(" five", -2.0), (".", -0.25)]
                assert math.isclose(sum(t.logprob for t in got.token_logprobs), -2.25)
            assert len(seen) == 1
            for unscored in (" six.", "The answer is five."):  # not there; the first token of all has no probability
                with pytest.raises(ModelError, match="no log-probabilities"):
                    await model.complete(asked(score=unscored))
    journal.close()

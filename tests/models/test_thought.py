"""What endpoints send as reasoning is read, wherever they put it, and asked for as profiles say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from support import endpoint, reply

from synth.calls import Caller, Ledger
from synth.errors import ModelError, SetupError
from synth.models import Completion, Price, Profile, Request, Task, make_model, probe
from synth.models.base import THINKING_TOKENS, asks_to_think
from synth.models.endpoint import EndpointModel
from synth.models.reading import read_reply
from synth.models.transport import HttpReply
from synth.records import Failure, Problem
from synth.redact import keep_secret
from synth.steps import Unit
from synth.store.journal import Journal, read_entries

QUESTION = Problem.root(question="2 + 2?", answer="4", answer_kind="number")
THOUGHT = "First I add 2 and 2. That could be 5, no, it is 4."
RESPONSE = "Two and two make four.\nThe answer is 4."
MORE = "And once more: 2 and 2 are 4."
HARMONY = "<|channel|>analysis<|message|>{t}<|end|><|start|>assistant<|channel|>final<|message|>{r}"


@pytest.fixture
def ledger(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    yield Ledger(journal)
    journal.close()


def rows(ledger: Ledger) -> list[dict[str, Any]]:
    ledger._journal.flush()
    return [orjson.loads(line)["body"] for _, line in read_entries(ledger._journal.folder) if b'"messages"' in line]


def request(**more: Any) -> Request:
    messages = ({"role": "user", "content": QUESTION.question},)
    return Request(messages, Task("solve", QUESTION), step="s", **more)


def choice(message: Mapping[str, Any], finish: str | None = "stop") -> dict[str, Any]:
    return {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}


def read(message: Mapping[str, Any], finish: str | None = "stop", usage: Any = None, **options: Any) -> Completion:
    body = {"choices": [choice(message, finish)], "usage": usage}
    return read_reply(HttpReply(200, {}, orjson.dumps(body)), "http://nowhere/v1", model="m", **options)


def think(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


# How endpoints deliver it: who does so, the message, and where the thought is then said to come from.
DELIVERED: dict[str, tuple[dict[str, Any], str]] = {
    "DeepSeek, SGLang, llama.cpp": ({"content": RESPONSE, "reasoning_content": THOUGHT}, "reasoning_content"),
    "vLLM, Together, Cerebras": ({"content": RESPONSE, "reasoning": THOUGHT}, "reasoning"),
    "Ollama": ({"content": RESPONSE, "thinking": THOUGHT}, "thinking"),
    "thinking as a list": ({"content": RESPONSE, "thinking": think(THOUGHT)}, "thinking"),
    "thinking as an object": ({"content": RESPONSE, "thinking": {"type": "thinking", "thinking": THOUGHT}}, "thinking"),
    "OpenRouter": (
        {
            "content": RESPONSE,
            "reasoning": THOUGHT,
            "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT, "index": 0}],
        },
        "reasoning",
    ),
    "MiniMax": (
        {"content": RESPONSE, "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]},
        "reasoning_details",
    ),
    "Mistral": (
        {"content": [{"type": "thinking", "thinking": think(THOUGHT)}, *think(RESPONSE)]},
        "parts",
    ),
    "Anthropic": (
        {"content": [{"type": "thinking", "thinking": THOUGHT, "signature": "abc"}, *think(RESPONSE)]},
        "parts",
    ),
    "reasoning parts": ({"content": [{"type": "reasoning", "text": THOUGHT}, *think(RESPONSE)]}, "parts"),
    "Groq, raw": ({"content": f"<think>{THOUGHT}</think>\n{RESPONSE}"}, "think"),
    "without the opening tag": ({"content": f"{THOUGHT}\n</think>\n\n{RESPONSE}"}, "think"),
    "Gemini": ({"content": f"<thought>{THOUGHT}</thought>{RESPONSE}"}, "thought"),
    "gpt-oss without a parser": ({"content": HARMONY.format(t=THOUGHT, r=RESPONSE)}, "harmony"),
    "tags in a part": ({"content": think(f"[THINK]{THOUGHT}[/THINK]{RESPONSE}")}, "[THINK]"),
    "both, the same": (
        {"content": f"<think>\n{THOUGHT}\n</think>\n{RESPONSE}", "reasoning_content": THOUGHT},
        "reasoning_content",
    ),
    "both, and again in the content": ({"content": f"{THOUGHT}\n\n{RESPONSE}", "reasoning": THOUGHT}, "reasoning"),
    "two fields, the same": ({"content": RESPONSE, "reasoning": THOUGHT, "reasoning_content": THOUGHT}, "reasoning_content"),
    "an empty field beside": ({"content": RESPONSE, "reasoning": THOUGHT, "reasoning_content": ""}, "reasoning"),
}  # fmt: skip


@pytest.mark.parametrize("client", [None, "openai"])
@pytest.mark.parametrize("who", DELIVERED)
async def test_a_thought_is_read_wherever_it_stands(ledger: Ledger, who: str, client: Any):
    message, source = DELIVERED[who]

    async def answer(_request, _body):
        return reply(choices=[choice(message)])

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", client=client) as model:
            got = await Caller(ledger).ask(model, request(), unit="u")
            again = await Caller(ledger).ask(model, request(), unit="u")
    assert (got.text, got.thought, got.thought_kind, got.thought_from) == (RESPONSE, THOUGHT, "raw", source)
    assert again._replace(notes=()) == got._replace(notes=(), pause=None)
    assert len(seen) == 1
    (row,) = rows(ledger)
    assert (row["reply"], row["thought"], row["thought_kind"], row["thought_from"]) == (
        RESPONSE,
        THOUGHT,
        "raw",
        source,
    )


@pytest.mark.parametrize(
    ("message", "options", "kind", "thought"),
    [
        ({"content": RESPONSE, "reasoning_details": [{"type": "reasoning.summary", "summary": "It adds."}]}, {}, "summary", "It adds."),
        (
            {"content": RESPONSE, "reasoning": "It adds.", "reasoning_details": [{"type": "reasoning.summary", "summary": "It adds."}]},
            {},
            "summary",
            "It adds.",
        ),
        (
            {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
                         {"type": "output_text", "text": RESPONSE}]},
            {},
            "summary",
            "a\n\nb",
        ),
        ({"content": RESPONSE, "reasoning": "It adds."}, {"summarised": True}, "summary", "It adds."),
        ({"content": f"<thought>It adds.</thought>{RESPONSE}"}, {"summarised": True}, "summary", "It adds."),
        ({"content": RESPONSE, "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA"}]}, {}, "hidden", None),
        ({"content": [{"type": "redacted_thinking", "data": "x"}, *think(RESPONSE)]}, {}, "hidden", None),
        ({"content": [{"type": "thinking", "thinking": "", "signature": "x"}, *think(RESPONSE)]}, {}, "hidden", None),
        ({"content": RESPONSE}, {"usage": {"completion_tokens_details": {"reasoning_tokens": 64}}}, "hidden", None),
        ({"content": RESPONSE}, {"usage": {"completion_tokens_details": {"reasoning_tokens": 0}}}, None, None),
        ({"content": RESPONSE}, {}, None, None),
        ({"content": f"<think>\n\n</think>\n\n{RESPONSE}"}, {}, None, None),
        ({"content": RESPONSE, "reasoning_content": " \n"}, {}, None, None),
    ],
)  # fmt: skip
def test_a_summary_and_a_hidden_thought_are_named_so(message, options, kind: str | None, thought: str | None):
    got = read(message, **options)
    assert (got.text, got.thought, got.thought_kind) == (RESPONSE, thought, kind)


def test_interleaved_parts_are_joined():
    content = [
        {"type": "thinking", "thinking": THOUGHT},
        *think("Two and two "),
        {"type": "thinking", "thinking": MORE},
        *think("make four."),
    ]
    got = read({"content": content})
    assert (got.text, got.thought) == ("Two and two make four.", f"{THOUGHT}\n\n{MORE}")


def test_of_two_thoughts_none_is_lost_and_none_stands_twice():
    tagged = read({"content": f"<think>{MORE}</think>{RESPONSE}", "reasoning_content": THOUGHT})
    assert (tagged.text, tagged.thought) == (RESPONSE, f"{THOUGHT}\n\n{MORE}")
    longer = read({"content": f"<think>{MORE}</think>{RESPONSE}", "reasoning_content": f"{THOUGHT}\n{MORE}"})
    assert (longer.text, longer.thought) == (RESPONSE, f"{THOUGHT}\n{MORE}")
    fields = read({"content": RESPONSE, "reasoning_content": THOUGHT, "reasoning": "Short."})
    assert fields.thought == THOUGHT
    assert "another in reasoning" in fields.notes[0]
    twice = read({"content": RESPONSE, "reasoning_content": RESPONSE})
    assert (twice.text, twice.thought, twice.thought_kind) == (RESPONSE, None, None)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["text", "thinking", THOUGHT]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "thinking", "summary", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(ODD, st.sampled_from(["reasoning_content", "reasoning", "thinking", "reasoning_details"]))
def test_reasoning_of_the_wrong_type_loses_no_reply(value: Any, field: str):
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = 7
    got = read({"content": RESPONSE, field: json.loads(json.dumps(value))}) if _small(value) else None
    if got is not None:
        assert got.text == RESPONSE
        assert got.status == "ok"
        assert got.thought is None or isinstance(got.thought, str)


@settings(deadline=None)
@given(ODD, ODD)
def test_odd_parts_of_a_content_lose_no_reply(before: Any, after: Any):
    content = [
        {"type": before, "text": "odd"},
        {"type": "thinking", "thinking": before},
        *think(RESPONSE),
        {"type": "image", "x": after},
    ]
    if _small(content):
        got = read({"content": content})
        assert got.status == "ok"
        assert got.text.endswith(RESPONSE)


def _small(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # a number of more than 64 bits
        return False
    return True


@pytest.mark.parametrize("value", [7, True, [7], {"effort": "low"}, [{"type": "image"}]])
def test_what_is_passed_over_is_reported(value: Any):
    got = read({"content": RESPONSE, "reasoning": value})
    assert got.thought is None
    assert "reasoning of the reply is no text" in got.notes[0]


async def test_notes_are_reported_once_a_model(ledger: Ledger):
    async def answer(_request, _body):
        return reply(f"{RESPONSE}<|im_end|>")

    notes: list[str] = []
    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="served-model") as model:
            caller = Caller(ledger, on_note=notes.append)
            for i in range(3):
                assert (await caller.ask(model, request(sample=i), unit="u")).text == RESPONSE
    assert notes == ["model t: <|im_end|> was taken off the end of the reply"]


@pytest.mark.parametrize(
    ("usage", "written", "reasoning"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60, "completion_tokens_details": {"reasoning_tokens": 40}}, 50, 40),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 55, "completion_tokens_details": {"reasoning_tokens": 40}}, 45, 40),
        ({"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 100, "reasoning_tokens": 40}, 90, 40),
        ({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 40}, 45, 40),
        ({"prompt_tokens": 10, "completion_tokens": 50, "reasoning_tokens": 40}, 50, 40),
        ({"prompt_tokens": 10, "completion_tokens": 50}, 50, None),
        ({"prompt_tokens": 10, "completion_tokens": 50, "completion_tokens_details": None}, 50, None),
        ({"prompt_tokens": 10, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": "many"}}, 50, None),
        ({"prompt_tokens": 10, "completion_tokens": 50, "reasoning_tokens": -4}, 50, None),
    ],
)  # fmt: skip
async def test_tokens_of_reasoning_are_counted_and_paid_for_once(ledger: Ledger, usage, written: int, reasoning):
    """Most providers count them within the tokens written, xAI beside them."""

    async def answer(_request, _body):
        return reply(RESPONSE, usage=usage)

    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m", price=Price(input=1, output=2)) as model:
            await Caller(ledger).ask(model, request(), unit="u")
    (row,) = rows(ledger)
    assert (row["completion_tokens"], row.get("reasoning_tokens")) == (written, reasoning)
    assert row["price"] == pytest.approx((10 * 1 + written * 2) / 1e6)


# What can be wrong with a thought.

HIDDEN = {"content": None, "reasoning_details": [{"type": "reasoning.encrypted"}]}


@pytest.mark.parametrize(
    ("message", "finish", "cause", "says"),
    [
        ({"content": None, "reasoning_content": RESPONSE}, "stop", "only_thought", "came as reasoning (reasoning_content)"),
        ({"content": "", "reasoning": RESPONSE}, "stop", "only_thought", "came as reasoning (reasoning)"),
        ({"content": " \n", "thinking": RESPONSE}, None, "only_thought", "came as reasoning (thinking)"),
        ({"content": [{"type": "thinking", "thinking": RESPONSE}]}, "stop", "only_thought", "came as reasoning (parts)"),
        ({"content": f"<think>{RESPONSE}</think>\n"}, "stop", "only_thought", "a thought (think) and no response"),
        ({"content": f"<think>{THOUGHT}"}, "length", "thought_cut", "(max_tokens: 64): there is no response"),
        ({"content": f"<think>{THOUGHT}"}, "stop", "thought_cut", "does not end"),
        ({"content": None, "reasoning_content": THOUGHT}, "length", "thought_cut", "(max_tokens: 64)"),
        (HIDDEN, "length", "thought_cut", "(max_tokens: 64)"),
        ({"content": "Two and"}, "length", "truncated", "(max_tokens: 64)"),
        ({"content": "Two and", "reasoning_content": THOUGHT}, "length", "truncated", "(max_tokens: 64)"),
    ],
)  # fmt: skip
async def test_a_reply_without_a_response_has_its_own_cause_and_is_paid_for_once(
    ledger: Ledger, message, finish, cause, says
):
    async def answer(_request, _body):
        return reply(choices=[choice(message, finish)])

    unit = Unit(QUESTION, Caller(ledger), {})
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", reasoning=False) as model:
            assert await unit.ask(model, request(parameters={"max_tokens": 64}), QUESTION) is None
    assert len(seen) == 1
    (failure,) = [r for r in unit.records if isinstance(r, Failure)]
    assert failure.cause == cause
    assert says in failure.message
    assert "→" in failure.message
    assert failure.retriable  # by `synth retry`, when the server or the limit is another
    assert failure.raw or message == HIDDEN
    (row,) = rows(ledger)
    assert row["status"] == cause
    assert (row.get("thought") or row.get("thought_kind")) or cause == "truncated"
    assert ledger.unpriced == 1  # it was answered


async def test_a_thought_that_is_cut_off_is_given_room_once_where_nobody_said_that_the_model_thinks(ledger: Ledger):
    """Also in a later session, in which nothing is paid again."""

    async def answer(_request, body):
        if body["max_tokens"] < 1000:
            return reply(choices=[choice({"content": None, "reasoning_content": THOUGHT}, "length")])
        return reply(choices=[choice({"content": RESPONSE, "reasoning_content": THOUGHT})])

    notes: list[str] = []
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="served-model") as model:
            for _ in range(2):
                unit = Unit(QUESTION, Caller(ledger, on_note=notes.append), {})
                got = await unit.ask(model, request(parameters={"max_tokens": 64}), QUESTION)
                assert got is not None
                assert got.text == RESPONSE
    assert [body["max_tokens"] for body in seen] == [64, 64 + THINKING_TOKENS]
    assert "reasoning: true in its profile" in notes[0]


@pytest.mark.parametrize("if_cut", [None, 128])
async def test_a_thought_that_ends_by_itself_is_given_no_more_room(ledger: Ledger, if_cut: int | None):
    async def answer(_request, _body):
        return reply(f"<think>{THOUGHT} The answer is 4.")

    unit = Unit(QUESTION, Caller(ledger), {})
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            asked = request(parameters={"max_tokens": 64}, max_tokens_on_truncation=if_cut)
            assert await unit.ask(model, asked, QUESTION) is None
    assert len(seen) == 1
    assert [r.cause for r in unit.records if isinstance(r, Failure)] == ["thought_cut"]


async def test_where_so_large_a_limit_is_not_taken_the_thought_was_cut(ledger: Ledger):
    async def answer(_request, body):
        if body["max_tokens"] < 1000:
            return reply(choices=[choice({"content": f"<think>{THOUGHT}"}, "length")])
        said = "max_tokens is too large: 16448. This model supports at most 4096 completion tokens"
        return web.json_response({"error": {"message": said, "param": "max_tokens"}}, status=400)

    unit = Unit(QUESTION, Caller(ledger), {})
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            assert await unit.ask(model, request(parameters={"max_tokens": 64}), QUESTION) is None
    assert len(seen) == 2
    assert [r.cause for r in unit.records if isinstance(r, Failure)] == ["thought_cut"]


@pytest.mark.parametrize("reasoning", [False, True, None])
async def test_max_tokens_if_cut_holds_for_thoughts_too(ledger: Ledger, reasoning: bool | None):
    async def answer(_request, body):
        whole = body["max_tokens"] in {128, 128 + THINKING_TOKENS}
        message = {"content": RESPONSE if whole else "", "reasoning_content": THOUGHT}
        return reply(choices=[choice(message, "stop" if whole else "length")])

    unit = Unit(QUESTION, Caller(ledger), {})
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", reasoning=reasoning) as model:
            asked = request(parameters={"max_tokens": 64}, max_tokens_on_truncation=128)
            got = await unit.ask(model, asked, QUESTION)
    assert got is not None
    assert len(seen) == 2


async def test_a_limit_of_the_profile_goes_before_and_is_not_tried_twice(ledger: Ledger):
    async def answer(_request, _body):
        return reply(
            choices=[choice({"content": ""}, "length")], usage={"completion_tokens_details": {"reasoning_tokens": 99}}
        )

    unit = Unit(QUESTION, Caller(ledger), {})
    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m", parameters={"max_completion_tokens": 99}) as model:
            asked = request(parameters={"max_tokens": 64}, max_tokens_on_truncation=128)
            assert await unit.ask(model, asked, QUESTION) is None
    assert [(b.get("max_tokens"), b["max_completion_tokens"]) for b in seen] == [(None, 99)]
    (failure,) = [r for r in unit.records if isinstance(r, Failure)]
    assert failure.cause == "thought_cut"
    assert "(max_completion_tokens: 99)" in failure.message
    assert "raise max_completion_tokens in the profile" in failure.message


# Asking.


def sent(profile: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    """The parameters that go over the wire, and of which the key is made."""
    given = Profile.model_validate({"models": {"t": {"base_url": "http://nowhere/v1", "model": "m", **profile}}})
    model = make_model("t", given)
    return model.wire_parameters(request(parameters=parameters))


STEP = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 1024}


@pytest.mark.parametrize(
    ("profile", "wire"),
    [
        ({}, STEP),
        ({"parameters": {"max_tokens": None}}, {"temperature": 0.7, "top_p": 0.9}),
        ({"parameters": {"max_tokens": None, "temperature": None, "top_p": None}}, {}),
        (
            {"parameters": {"max_completion_tokens": 8192, "temperature": None, "reasoning_effort": "medium"}},
            {"top_p": 0.9, "max_completion_tokens": 8192, "reasoning_effort": "medium"},
        ),
        (
            {"parameters": {"chat_template_kwargs": {"enable_thinking": False}, "seed": None}},
            {**STEP, "chat_template_kwargs": {"enable_thinking": False}},
        ),
        ({"reasoning": True}, {**STEP, "max_tokens": 1024 + THINKING_TOKENS}),
        ({"reasoning": 500}, {**STEP, "max_tokens": 1524}),
        ({"reasoning": False, "parameters": {"reasoning_effort": "high"}}, {**STEP, "reasoning_effort": "high"}),
        (
            {"parameters": {"thinking": {"type": "enabled", "budget_tokens": 4000}}},
            {**STEP, "max_tokens": 5024, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        ),
        (
            {"parameters": {"reasoning_effort": "low"}},
            {**STEP, "max_tokens": 1024 + THINKING_TOKENS, "reasoning_effort": "low"},
        ),
        ({"stream": True}, {**STEP, "stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": True, "parameters": {"stream_options": None}}, {**STEP, "stream": True}),
    ],
)
def test_a_profile_adds_parameters_and_takes_them_away(profile: Mapping[str, Any], wire: Mapping[str, Any]):
    assert sent(profile, **STEP) == wire


def test_what_a_profile_takes_away_is_taken_from_its_own_capabilities_too():
    profile = {"capabilities": ["seed", "json_schema"], "parameters": {"seed": None}}
    assert "seed" not in sent(profile)
    assert "seed" in sent({"capabilities": ["seed"]})


def test_a_stop_would_end_a_thought():
    assert "stop" not in sent({"reasoning": True}, stop=["\n"])
    assert sent({}, stop=["\n"])["stop"] == ["\n"]
    assert sent({"reasoning": True, "parameters": {"stop": ["END"]}})["stop"] == ["END"]


@pytest.mark.parametrize(
    ("parameters", "thinks"),
    [
        ({}, None),
        ({"temperature": 1}, None),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": None}, None),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"chat_template_kwargs": {"thinking": False}}, False),
        ({"enable_thinking": False}, False),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"reasoning": {"max_tokens": 2000}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"thinking_budget": 100}, True),
        ({"thinking_token_budget": 0}, None),
    ],
)
def test_whether_parameters_switch_thinking_on(parameters: Mapping[str, Any], thinks: bool | None):
    assert asks_to_think(parameters) is thinks


def test_other_parameters_are_another_question_and_the_same_are_the_same():
    def key(profile: Mapping[str, Any]) -> str:
        given = Profile.model_validate({"models": {"t": {"base_url": "http://nowhere/v1", "model": "m", **profile}}})
        return make_model("t", given).key(request(parameters=STEP))

    assert key({}) != key({"parameters": {"max_tokens": None}})
    assert key({"reasoning": True}) != key({})
    assert key({"reasoning": False}) == key({})
    assert key({"thoughts": "summary", "thought_marks": [{"close": "</plan>"}]}) == key({})


def test_marks_of_the_profile_are_read():
    own = [{"open": "<plan>", "close": "</plan>"}, {"close": "###"}]
    given = Profile.model_validate(
        {"models": {"t": {"base_url": "http://nowhere/v1", "model": "m", "thought_marks": own, "thoughts": "summary"}}}
    )
    model = make_model("t", given)
    assert isinstance(model, EndpointModel)
    for content in (
        f"<plan>{THOUGHT}</plan>{RESPONSE}",
        f"{THOUGHT}###{RESPONSE}",
        f"<think>{THOUGHT}</think>{RESPONSE}",
    ):
        body = orjson.dumps({"choices": [choice({"content": content})]})
        got = model.read(HttpReply(200, {}, body), request())
        assert (got.text, got.thought, got.thought_kind) == (RESPONSE, THOUGHT, "summary")


@pytest.mark.parametrize(
    "wrong",
    [{"reasoning": -5}, {"reasoning": "some"}, {"thoughts": "some"}, {"thought_marks": [{"open": "<a>"}]},
     {"thought_marks": [{"close": " "}]}, {"stream": True, "batch": True}],
)  # fmt: skip
def test_a_profile_that_says_something_else_is_refused(wrong: Mapping[str, Any]):
    with pytest.raises(ValueError, match=r"reasoning|thoughts|close|stream"):
        Profile.model_validate({"models": {"t": {"base_url": "http://nowhere/v1", "model": "m", **wrong}}})


# Refusals that a profile can avoid.


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (
            400,
            {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
             "param": "max_tokens", "code": "unsupported_parameter"},
            "parameters: {max_tokens: null}",
        ),
        (
            400,
            {"message": "Unsupported value: 'temperature' does not support 0.7 with this model.", "param": "temperature",
             "code": "unsupported_value"},
            "parameters: {temperature: null}",
        ),
        (400, {"message": "`temperature` is deprecated for this model."}, "parameters: {temperature: null}"),
        (400, {"message": "Unrecognized request argument supplied: top_p"}, "parameters: {top_p: null}"),
        (422, {"message": "Extra inputs are not permitted: ['body', 'max_tokens']"}, "parameters: {max_tokens: null}"),
        (400, {"message": "parameter.enable_thinking must be set to false for non-streaming calls"}, "stream: true in the profile"),
        (400, {"message": "This model only supports streaming. Set stream=true."}, "stream: true in the profile"),
    ],
)  # fmt: skip
async def test_a_parameter_that_is_not_taken_is_named_with_what_to_write(ledger: Ledger, status: int, error, says: str):
    """After one call: every other would be refused as well."""

    async def answer(_request, _body):
        return web.json_response({"error": error}, status=status)

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            with pytest.raises(SetupError) as caught:
                await Caller(ledger).ask(model, request(parameters=STEP), unit="u")
    assert says in str(caught.value)
    assert error["message"] in str(caught.value)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model.", "param": "messages[0].role",
         "code": "unsupported_value"},
        {"message": "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."},
        {"message": "Your question is not supported."},
        {"message": "Invalid request: your prompt and max_tokens exceed the context window.", "code": "context_length_exceeded"},
        {"message": "Invalid prompt. The top_p of 0.9 was fine."},
    ],
)  # fmt: skip
async def test_what_is_about_the_prompt_is_no_parameter(ledger: Ledger, error):
    async def answer(_request, _body):
        return web.json_response({"error": error}, status=400)

    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m") as model:
            with pytest.raises(ModelError) as caught:
                await Caller(ledger).ask(model, request(parameters=STEP), unit="u")
    assert caught.value.parameter is None


@pytest.mark.parametrize(
    ("body", "says", "cause"),
    [
        ({"object": "error", "message": "maximum context length is 4096", "code": 400}, "an error (400): maximum context", "bad_request"),
        ({"object": "error", "message": "slow down", "code": "429"}, "an error (429): slow down", "rate_limit"),
        ({"detail": "Rate limit exceeded"}, "200, with an error: Rate limit exceeded", "server"),
        ({"detail": [{"loc": ["body"], "msg": "wrong"}]}, "wrong", "server"),
        ({"message": "no such route", "status": 404}, "an error (404): no such route", "not_found"),
        ({"error": "overloaded"}, "200, with an error: overloaded", "server"),
        ({"error": {"message": "overloaded", "code": 529}}, "an error (529): overloaded", "server"),
        ([{"error": {"message": "quota", "code": 429}}], "an error (429): quota", "rate_limit"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "an error: Overloaded", "server"),
    ],
)  # fmt: skip
def test_an_error_with_status_200_is_reported_in_the_words_of_the_server(body, says: str, cause: str):
    with pytest.raises(ModelError) as caught:
        read_reply(HttpReply(200, {}, orjson.dumps(body)), "http://nowhere/v1", model="m")
    assert says in caught.value.what
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    "given",
    [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": RESPONSE}, "finish_reason": "stop"}]},
        {"choices": [{"text": RESPONSE, "finish_reason": "stop"}]},
    ],
)
def test_a_choice_without_a_message_is_read(given: Mapping[str, Any]):
    assert read_reply(HttpReply(200, {}, orjson.dumps(given)), "http://nowhere/v1", model="m").text == RESPONSE


# Finding out.


async def test_a_probe_notes_on_the_way_that_a_model_thinks(ledger: Ledger):
    async def answer(_request, body):
        message = {
            "content": '{"colour": "blue"}' if "response_format" in body else "yes",
            "reasoning_content": THOUGHT,
        }
        return reply(choices=[choice(message)])

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            caller = Caller(ledger)

            async def ask(one, asked):
                return await caller.ask(one, asked, unit="probe")

            await probe(model, frozenset({"json_schema"}), ask)
            assert model.reasoning is True
            assert model.wire_parameters(request(parameters=STEP))["max_tokens"] == 1024 + THINKING_TOKENS
    assert len(seen) == 1


# Secrets.


@pytest.mark.parametrize("way", ["reasoning_content", "details", "parts", "tags", "stream"])
async def test_a_secret_is_scrubbed_from_thoughts_too(ledger: Ledger, way: str):
    """Also where a stream brings it in two pieces."""
    secret = "marked-9f0e1d2c3b"
    keep_secret(secret)
    said = f"My key is {secret}."
    messages = {
        "reasoning_content": {"content": RESPONSE, "reasoning_content": said},
        "details": {"content": RESPONSE, "reasoning_details": [{"type": "reasoning.text", "text": said}]},
        "parts": {"content": [{"type": "thinking", "thinking": said}, *think(RESPONSE)]},
        "tags": {"content": f"<think>{said}</think>{RESPONSE}"},
    }

    async def answer(_request, _body):
        if way != "stream":
            return reply(choices=[choice(messages[way])])
        pieces = [{"reasoning_content": said[:18]}, {"reasoning_content": said[18:]}, {"content": RESPONSE}]
        chunks = [{"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in pieces]
        text = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m") as model:
            got = await Caller(ledger).ask(model, request(), unit="u")
    assert got.thought == "My key is [secret]."
    assert secret not in json.dumps(rows(ledger))

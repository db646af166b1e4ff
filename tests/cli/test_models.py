"""`synth models`, against real servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from aiohttp import web
from support import endpoint, reply, serve, synth


async def _plain(_request, body):
    """Passes over all it does not know."""
    if body["messages"][-1]["role"] == "assistant":
        return reply("One, two, three, four, five, six.")
    return reply("42")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "MY_KEY": "verysecretvalue", "SYNTH_MODELS": str(tmp_path / "models.yaml")}


def test_a_model_is_as_the_check_finds_it(tmp_path: Path, env):
    with endpoint(_plain) as (url, seen):
        (tmp_path / "models.yaml").write_text(
            f"models: {{a: {{base_url: '{url}', model: served-model, key: MY_KEY}}}}\nroles: {{judge: a}}\n"
        )
        listed = synth("models", cwd=tmp_path, env=env, check=0).stdout
        assert "MY_KEY" in listed
        assert "judge" in listed
        assert not seen
        done = synth("models", "--check", cwd=tmp_path, env=env, check=0)
    assert "said: 42" in done.stdout
    assert "cannot: json_schema, logprobs, prefill, prompt_logprobs, images" in done.stdout
    assert "the endpoint lists no models" in done.stdout
    assert 5 <= len(seen) <= 8  # with the question that takes a thought
    assert "verysecretvalue" not in done.stdout + done.stderr


def test_a_profile_that_promises_too_much_is_reported(tmp_path: Path, env):
    with endpoint(_plain) as (url, _):
        (tmp_path / "models.yaml").write_text(
            f"models: {{a: {{base_url: '{url}', model: m, capabilities: [json_schema, seed]}}}}\n"
        )
        done = synth("models", "--check", "a", cwd=tmp_path, env=env, check=1)
    assert "the profile says it has json_schema, and it does not" in done.stdout


def test_one_that_does_not_answer_is_reported_and_the_others_are_checked(tmp_path: Path, env):
    async def refuse(_request, _body):
        return web.json_response({"error": {"message": "bad key verysecretvalue"}}, status=401)

    with endpoint(refuse) as (bad, _), endpoint(_plain) as (good, _):
        (tmp_path / "models.yaml").write_text(
            f"models:\n  a: {{base_url: '{bad}', model: m, key: MY_KEY}}\n  b: {{base_url: '{good}', model: m, key: NOT_SET}}\n"
            f"  c: {{base_url: '{good}', model: m}}\n"
        )
        done = synth("models", "--check", cwd=tmp_path, env=env, check=1)
    assert "check the key in MY_KEY" in done.stdout
    assert "NOT_SET is not set" in done.stdout
    assert "said: 42" in done.stdout
    assert "verysecretvalue" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("message", "said", "shows"),
    [
        ({"content": "42", "reasoning_content": "17 and 25."}, "", "thinks: yes, in reasoning_content, 9 tokens"),
        (
            {"content": "<think>17 and 25.</think>42"},
            ", reasoning: true",
            "thinks: yes, in think, 9 tokens in a small question\n",
        ),
        ({"content": "42", "reasoning": "17."}, ", thoughts: summary", "thinks: yes, in reasoning as a summary"),
        ({"content": "42"}, "", "thinks: yes, hidden: the endpoint sends no text of it"),
    ],
)
def test_a_check_says_whether_a_model_thinks_and_where(tmp_path: Path, env, message, said: str, shows: str):
    usage = {"prompt_tokens": 9, "completion_tokens": 19, "completion_tokens_details": {"reasoning_tokens": 9}}

    async def answer(_request, _body):
        return reply(choices=[{"index": 0, "finish_reason": "stop", "message": message}], usage=usage)

    with endpoint(answer) as (url, _):
        (tmp_path / "models.yaml").write_text(f"models: {{a: {{base_url: '{url}', model: m{said}}}}}\n")
        done = synth("models", "--check", "a", cwd=tmp_path, env=env, check=0)
    assert shows in done.stdout
    assert ("reasoning: true in the profile" in done.stdout) == ("reasoning" not in said)


def test_one_more_question_is_asked_where_no_reply_shows_a_thought(tmp_path: Path, env):
    async def answer(_request, body):
        hard = "bat and a ball" in str(body["messages"])
        message = {"content": "0.28", "reasoning_content": "A ball costs 0.05."} if hard else {"content": "42"}
        return reply(choices=[{"index": 0, "finish_reason": "stop", "message": message}])

    with endpoint(answer) as (url, seen):
        profile = tmp_path / "models.yaml"
        profile.write_text(f"models: {{a: {{base_url: '{url}', model: m}}}}\n")
        done = synth("models", "--check", "a", cwd=tmp_path, env=env, check=0)
        assert "thinks: yes, in reasoning_content" in done.stdout
        asked = len(seen)
        profile.write_text(f"models: {{a: {{base_url: '{url}', model: m, reasoning: false}}}}\n")
        done = synth("models", "--check", "a", cwd=tmp_path, env=env, check=0)
        assert "thinks: no sign of it" in done.stdout
    assert len(seen) == 2 * asked - 1


def test_without_a_profile_it_says_how_to_write_one(tmp_path: Path):
    done = synth("models", cwd=tmp_path, check=2)
    assert "docs/endpoints.md" in done.stderr


def test_what_could_not_be_found_out_is_distinguished_from_what_is_lacking(tmp_path: Path, env):
    async def thinks(_request, body):
        if {"max_tokens", "temperature"} & body.keys():
            return web.json_response({"error": {"message": "Unsupported parameter"}}, status=400)
        if "response_format" in body:
            return reply(choices=[{"index": 0, "finish_reason": "length", "message": {"content": ""}}])
        return reply("42")

    with endpoint(thinks) as (url, _):
        (tmp_path / "models.yaml").write_text(
            f"models: {{a: {{base_url: '{url}', model: m, capabilities: [json_schema],"
            " parameters: {max_completion_tokens: 99}}}\n"
        )
        done = synth("models", "--check", "a", cwd=tmp_path, env=env, check=0)
    assert "whether it can json_schema could not be found out: the reply was truncated" in done.stdout
    assert "the profile says it has" not in done.stdout


@pytest.mark.parametrize("shape", [list, lambda models: {"object": "list", "data": models}])
def test_models_are_listed_as_a_bare_list_too(tmp_path: Path, env, shape):
    async def chat(request):
        return await _plain(request, await request.json())

    async def models(_request):
        return web.json_response(shape([{"id": "m"}]))

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    with serve(app) as url:
        for model, said in (("m", "model: listed"), ("n", "NOT listed")):
            (tmp_path / "models.yaml").write_text(f"models: {{a: {{base_url: '{url}', model: {model}}}}}\n")
            assert said in synth("models", "--check", "a", cwd=tmp_path, env=env, check=0).stdout

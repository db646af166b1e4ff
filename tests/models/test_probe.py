"""What an endpoint can do is found out by asking, and only where a step has use for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from support import ask, endpoint, reply, run, sums, yaml_file

from synth.errors import PipelineError, SetupError
from synth.models import ScriptedModel, World
from synth.models.endpoint import EndpointModel
from synth.models.probe import PROBES, probe
from synth.pipeline.load import read_pipeline

PIPELINE = """
    pipeline: my/probe
    roles: {teacher: writes}
    steps:
      - {step: generate, format: json, examples: none}
"""


def able(schema: str):
    """A server that obeys, passes over, or refuses `response_format`."""

    async def answer(_request, body):
        if "response_format" not in body:
            return reply("The answer is 5.")
        if schema == "refuses":
            return web.json_response({"error": {"message": "response_format is not supported"}}, status=400)
        if "colour" in str(body["response_format"]):
            return reply('{"colour": "blue"}' if schema == "obeys" else "The sky is blue.")
        return reply('{"steps": ["a"], "answer": "5"}')

    return answer


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return yaml_file(tmp_path / "p.yaml", PIPELINE)


async def test_an_endpoint_that_obeys_is_held_to_schemas_and_asked_about_it_once(tmp_path: Path, pipeline: Path):
    rows = sums(tmp_path / "in.jsonl", 3)
    with endpoint(able("obeys")) as (url, seen):
        for _ in range(2):
            await run(pipeline, rows, tmp_path / "run", EndpointModel("t", base_url=url, model="m"))
        assert len(seen) == 4
        await run(
            pipeline, rows, tmp_path / "run", EndpointModel("t", base_url=url, model="m"), limit=2, replace_input=True
        )
        assert len(seen) == 4
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'probe'") == [(1,)]
    assert ask(tmp_path / "run", "SELECT replies, plain_json, sent_back FROM reply_shapes WHERE step <> 'probe'") == [
        (3, 3, 0)
    ]


@pytest.mark.parametrize("schema", ["passes over", "refuses"])
async def test_one_that_does_not_is_asked_for_json_and_read_with_tolerance(tmp_path: Path, pipeline: Path, schema: str):
    plain = able(schema)

    async def answer(request, body):
        if len(body["messages"]) > 2 or "response_format" in body:  # sent back once, or the probe
            return await plain(request, body) if "response_format" in body else reply('{"steps": ["b"], "answer": "5"}')
        if "JSON object" in body["messages"][0]["content"]:
            torn = "Case 1:" in str(body)
            return reply('{"steps": ["a"' if torn else 'Here it is:\n```json\n{"steps": ["a"], "answer": "5"}\n```')
        return reply("yes")

    with endpoint(answer) as (url, _):
        model = EndpointModel("t", base_url=url, model="m")
        await run(pipeline, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT text FROM rationales ORDER BY text") == [("a",), ("a",), ("b",)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM failures") == [(0,)]


NEEDS = """
    pipeline: my/probe
    roles: {teacher: writes}
    steps:
      - {step: generate, examples: none}
      - {step: review, by: teacher, mode: probability, exclude_author: false}
"""


async def test_one_that_lacks_what_a_step_needs_is_reported_before_anything_else_is_asked(tmp_path: Path):
    async def answer(_request, _body):
        return reply("yes")

    rows = sums(tmp_path / "in.jsonl", 3)
    with endpoint(answer) as (url, seen):
        model, pipeline = EndpointModel("t", base_url=url, model="m"), yaml_file(tmp_path / "p.yaml", NEEDS)
        with pytest.raises(SetupError, match="needs logprobs") as caught:
            await run(pipeline, rows, tmp_path / "run", model)
        assert len(seen) == 1
    assert "--model teacher=NAME" in caught.value.fix


def _cut(_body):
    return reply(choices=[{"index": 0, "finish_reason": "length", "message": {"content": "I think"}}])


def _empty(_body):
    return reply("")


def _refusing(body):
    if {"temperature", "max_tokens"} & body.keys():
        return web.json_response({"error": {"message": "Unsupported parameter: 'max_tokens'"}}, status=400)
    return reply("I would not know")


def _busy(_body):
    return web.json_response({"error": {"message": "busy"}}, status=503)


@pytest.mark.parametrize("kind", [_cut, _empty, _refusing, _busy])
async def test_what_could_not_be_found_out_is_not_lacking(kind):
    async def answer(_request, body):
        return kind(body)

    async def once(model, request):
        return await model.complete(request)

    with endpoint(answer) as (url, _):
        async with EndpointModel("t", base_url=url, model="m") as model:
            unclear = await probe(model, frozenset(PROBES), once)
            assert set(unclear) == set(PROBES) - {"prompt_logprobs"} or set(unclear) == set(PROBES)
            assert all(unclear.values())
            assert set(unclear) <= model.unknown
            assert model.capabilities == {"chat"}


async def test_what_an_endpoint_refuses_while_it_answers_plain_questions_it_lacks():
    async def answer(_request, body):
        if isinstance(body["messages"][-1]["content"], list):
            return web.json_response({"error": {"message": "No endpoints found that support image input"}}, status=404)
        if "response_format" in body:
            return web.json_response({"error": {"message": "no"}}, status=400)
        return reply("yes")

    async def once(model, request):
        return await model.complete(request)

    with endpoint(answer) as (url, seen):
        async with EndpointModel("t", base_url=url, model="m") as model:
            assert await probe(model, frozenset({"images", "json_schema"}), once) == {}
            assert not model.unknown & {"images", "json_schema"}
            assert model.capabilities == {"chat"}
    assert len(seen) == 4


async def test_a_model_with_a_limit_of_its_own_is_probed_under_it():
    async def answer(_request, body):
        assert not {"temperature", "max_tokens"} & body.keys()
        assert body["max_completion_tokens"] == 8192
        return reply('{"colour": "blue"}')

    async def once(model, request):
        return await model.complete(request)

    with endpoint(answer) as (url, _):
        given = {"max_completion_tokens": 8192}
        async with EndpointModel("t", base_url=url, model="m", parameters=given) as model:
            assert await probe(model, frozenset({"json_schema"}), once) == {}
    assert "json_schema" in model.capabilities


async def test_a_step_that_needs_what_could_not_be_found_out_says_so(tmp_path: Path):
    async def answer(_request, body):
        return _cut(body)

    rows = sums(tmp_path / "in.jsonl", 3)
    with endpoint(answer) as (url, _):
        model, pipeline = EndpointModel("t", base_url=url, model="m"), yaml_file(tmp_path / "p.yaml", NEEDS)
        with pytest.raises(SetupError, match="logprobs could not be found out") as caught:
            await run(pipeline, rows, tmp_path / "run", model)
    assert "capabilities: [logprobs]" in caught.value.fix


async def test_nothing_is_probed_that_no_step_has_use_for(tmp_path: Path):
    plain = yaml_file(tmp_path / "q.yaml", PIPELINE.replace("format: json, ", ""))
    with endpoint(able("refuses")) as (url, seen):
        await run(plain, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", EndpointModel("t", base_url=url, model="m"))
        assert len(seen) == 3


def test_what_the_profile_rules_out_is_refused_by_the_static_check(tmp_path: Path):
    draft = read_pipeline(str(yaml_file(tmp_path / "p.yaml", NEEDS)))
    lacking = EndpointModel("t", base_url="http://x/v1", model="m", capabilities=frozenset({"chat"}))
    draft.check_models({"teacher": [lacking, ScriptedModel(World())]})
    with pytest.raises(PipelineError, match="needs logprobs, which model t does not have"):
        draft.checked()

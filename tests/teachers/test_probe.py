"""What an endpoint can do is found out by asking, and only where a step has use for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from support import ask, endpoint, reply, run, sums, yaml_file

from synth.errors import PipelineError, SetupError
from synth.pipeline.load import read_pipeline
from synth.teachers import ScriptedTeacher, World
from synth.teachers.endpoint import EndpointTeacher

PIPELINE = """
    pipeline: my/probe
    roles: {teacher: writes}
    steps:
      - {step: rationalize, format: json, examples: none}
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
            await run(pipeline, rows, tmp_path / "run", EndpointTeacher("t", base_url=url, model="m"))
        assert len(seen) == 4
        await run(pipeline, rows, tmp_path / "run", EndpointTeacher("t", base_url=url, model="m"), limit=2)
        assert len(seen) == 4
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'probe'") == [(1,)]
    assert ask(tmp_path / "run", "SELECT replies, plain_json, sent_back FROM reply_shapes WHERE step <> 'probe'") == [
        (3, 3, 0)
    ]


@pytest.mark.parametrize("schema", ["passes over", "refuses"])
async def test_one_that_does_not_is_told_before_anything_else_is_asked(tmp_path: Path, pipeline: Path, schema: str):
    with endpoint(able(schema)) as (url, seen):
        with pytest.raises(SetupError, match="needs json_schema") as caught:
            await run(
                pipeline,
                sums(tmp_path / "in.jsonl", 3),
                tmp_path / "run",
                EndpointTeacher("t", base_url=url, model="m"),
            )
        assert len(seen) == 1
    assert "--teacher teacher=NAME" in caught.value.remedy


async def test_nothing_is_probed_that_no_step_has_use_for(tmp_path: Path):
    plain = yaml_file(tmp_path / "q.yaml", PIPELINE.replace("format: json, ", ""))
    with endpoint(able("refuses")) as (url, seen):
        await run(
            plain, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", EndpointTeacher("t", base_url=url, model="m")
        )
        assert len(seen) == 3


def test_what_the_profile_rules_out_is_refused_by_the_static_check(pipeline: Path):
    draft = read_pipeline(str(pipeline))
    lacking = EndpointTeacher("t", base_url="http://x/v1", model="m", capabilities=frozenset({"chat"}))
    draft.check_teachers({"teacher": [lacking, ScriptedTeacher(World())]})
    with pytest.raises(PipelineError, match="needs json_schema, which teacher t does not have"):
        draft.checked()

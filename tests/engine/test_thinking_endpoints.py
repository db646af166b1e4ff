"""Models that think, through a whole run: what the ledger holds, what it costs, and what a run says that got nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import ask, endpoint, reply, sums, synth, write_rows, yaml_file

THOUGHT = "There are 3, and 2 come. That could be 6, no, it is 5."
PIPELINE = """
    pipeline: my/one
    roles: {teacher: writes}
    steps:
      - {step: generate, name: sample, by: teacher, samples: 1, max_tokens: 64}
      - {step: verify_answer}
"""


def message(way: str, answer: str) -> dict[str, Any]:
    response = f"It comes to {answer}.\nThe answer is {answer}."
    return {
        "reasoning_content": {"content": response, "reasoning_content": THOUGHT},
        "tags": {"content": f"<think>\n{THOUGHT}\n</think>\n\n{response}"},
        "only the closing tag": {"content": f"{THOUGHT}\n</think>\n\n{response}"},
    }[way]


@pytest.mark.parametrize("way", ["reasoning_content", "tags", "only the closing tag"])
def test_three_endpoints_give_the_same_rows(tmp_path: Path, way: str):
    rows = sums(tmp_path / "in.jsonl", 6)

    async def answer(_request, body):
        case = int(body["messages"][-1]["content"].rsplit("Case ", 1)[1].split(":")[0])
        return reply(choices=[{"index": 0, "finish_reason": "stop", "message": message(way, str(case * 10 + 5))}])

    pipeline = yaml_file(tmp_path / "p.yaml", PIPELINE)
    with endpoint(answer) as (url, _):
        synth("run", pipeline, "--input", rows, "--model", f"{url}#served-model", "--run", tmp_path / "run", check=0)
    calls = ask(tmp_path / "run", "SELECT reply, thought, thought_kind, status FROM calls ORDER BY reply")
    assert len(calls) == 6
    assert {(t, k, s) for _, t, k, s in calls} == {(THOUGHT, "raw", "ok")}
    assert all(said.startswith("It comes to ") and "think" not in said for said, *_ in calls)
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'correct' AND label = 'right'") == [(6,)]


def test_a_rehearsal_in_which_the_model_thinks(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 40)
    synth("rehearse", "fine-tune-cot", "--input", rows, "--thinking", "--run", tmp_path / "run", check=0)
    ((calls, thoughts, cut),) = ask(
        tmp_path / "run",
        "SELECT count(*), count(thought), count(*) FILTER (status = 'thought_cut') FROM calls WHERE step = 'sample'",
    )
    assert calls == thoughts > 0
    assert 0 < cut < calls * 0.15  # one in twenty
    assert ask(tmp_path / "run", "SELECT DISTINCT thought_from, thought_kind FROM calls") == [
        ("reasoning_content", "raw")
    ]
    said = ask(tmp_path / "run", "SELECT DISTINCT regexp_replace(reply, '[0-9-]+', 'N') FROM calls WHERE reply <> ''")
    assert {"The answer is N.", "I would rather talk about something else"} == {text for (text,) in said}


@pytest.mark.parametrize(
    ("status", "said", "says"),
    [
        (400, {"error": {"message": "Unsupported value: 'temperature'", "param": "temperature", "code": "unsupported_value"}},
         "parameters: {temperature: null}"),
        (400, {"error": {"message": "This model's maximum context length is 16 tokens"}}, "maximum context length is 16"),
        (200, {"choices": [{"finish_reason": "length", "message": {"content": "<think>hm"}}]}, "raise max_tokens"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("problems", [1, 3])
def test_a_run_of_which_every_call_failed_says_why_and_does_not_end_as_if_it_were_well(
    tmp_path: Path, status: int, said, says: str, problems: int
):
    async def answer(_request, _body):
        return web.json_response(said, status=status)

    rows = write_rows(tmp_path / "in.jsonl", [{"question": f"{i} + 2?", "answer": str(i + 2)} for i in range(problems)])
    pipeline = yaml_file(tmp_path / "p.yaml", PIPELINE.replace("max_tokens", "temperature: 0.5, max_tokens"))
    with endpoint(answer) as (url, _):
        done = synth("run", pipeline, "--input", rows, "--model", f"{url}#m", "--run", tmp_path / "run", check=2)
    assert says in " ".join(done.stderr[-900:].split())


def test_a_plan_counts_the_thoughts_of_a_model_that_thinks(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 4)
    profile = tmp_path / "t.yaml"
    said = []
    for reasoning in ("false", "true", "300"):
        profile.write_text(f"models: {{a: {{base_url: 'http://nowhere/v1', model: m, reasoning: {reasoning}}}}}\n")
        said.append(
            synth("plan", "fine-tune-cot", "--input", rows, "--model", "a", "--profile", profile, check=0).stdout
        )
    assert "a thought of a" not in said[0]
    assert "2,000 tokens a thought of a" in said[1]
    assert "300 tokens a thought of a" in said[2]


def test_the_documented_profile_of_a_model_that_takes_neither_limit_nor_temperature(tmp_path: Path):
    async def answer(_request, body):
        for name in ("max_tokens", "temperature"):
            if name in body:
                error = {"message": f"Unsupported parameter: '{name}'", "param": name, "code": "unsupported_parameter"}
                return web.json_response({"error": error}, status=400)
        return reply(
            "Two.\nThe answer is 5.",
            usage={"prompt_tokens": 9, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 64}},
        )

    rows = sums(tmp_path / "in.jsonl", 4)
    profile = tmp_path / "t.yaml"
    with endpoint(answer) as (url, _):
        profile.write_text(
            f"models: {{thinking: {{base_url: '{url}', model: served-model, capabilities: [],"
            " parameters: {max_completion_tokens: 16384, temperature: null, reasoning_effort: medium}}}\n"
        )
        words = ("run", "fine-tune-cot", "--input", rows, "--model", "thinking", "--profile", profile)
        synth(*words, "--run", tmp_path / "run", check=0)
    found = "SELECT DISTINCT status, thought_kind, reasoning_tokens, completion_tokens FROM calls"
    assert ask(tmp_path / "run", found) == [("ok", "hidden", 64, 90)]

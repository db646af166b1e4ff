"""`--json`: one JSON value, the same as the text, with the keys that docs/json.md names."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from support import ROOT, ask, endpoint, reply, sums, synth, yaml_file

from synth.cli import calls, models, pipelines, plan, run_status
from synth.cli.as_json import plain
from synth.pipeline import catalogue
from synth.redact import keep_secret

ENV = {**os.environ, "MY_KEY": "verysecretvalue"}
DOC = (ROOT / "docs" / "json.md").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a price that is known, one that is not, a call that failed, and rejected records."""
    folder = tmp_path_factory.mktemp("json")
    sums(folder / "in.jsonl", 6)
    yaml_file(
        folder / "p.yaml",
        """
        pipeline: my/p
        roles: {teacher: writes}
        steps:
          - {step: generate, samples: 1}
          - {step: verify_answer}
          - {step: filter, keep: score.correct}
        """,
    )

    async def answer(_request: Any, body: Any) -> Any:
        if "Case 3:" in body["messages"][-1]["content"]:
            return reply("", usage=None)
        right = "Case 1:" in body["messages"][-1]["content"]
        return reply(
            f"It is.\nThe answer is {15 if right else 0}.", usage={"prompt_tokens": 10, "completion_tokens": 5}
        )

    with endpoint(answer) as (url, _):
        (folder / "models.yaml").write_text(
            f"models:\n  a: {{base_url: '{url}', model: m, key: MY_KEY, price: {{input: 1, output: 2}}}}\n"
            "  b: {local: tiny}\nroles: {teacher: a}\n"
        )
        synth(
            *("run", "p.yaml", "--input", "in.jsonl", "--run", "run", "--profile", "models.yaml", "--yes"),
            cwd=folder,
            env=ENV,
            check=0,
        )
    return folder


def _json(folder: Path, *words: str) -> tuple[Any, str]:
    """What a command says as JSON, and as text."""
    done = synth(*words, "--json", cwd=folder, env=ENV, check=0)
    assert "verysecretvalue" not in done.stdout
    return json.loads(done.stdout), synth(*words, cwd=folder, env=ENV, check=0).stdout


def _keys(kind: Any) -> Iterator[tuple[str, str]]:
    """Every key of an object as it is written, with the objects in it."""
    for field in fields(kind):
        hint = get_type_hints(kind)[field.name]
        yield kind.__name__, field.name
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner):
                yield from _keys(inner)


OBJECTS = [
    run_status.Status,
    plan.PlanFound,
    models.ModelFound,
    models.ModelChecked,
    models.ApprovalFound,
    pipelines.PipelineFound,
    pipelines.StepFound,
    calls.CallFound,
    calls.CallGroup,
]


def _check(found: Any, kind: Any) -> None:
    """Raise unless an object has the keys of its type, all of them, and times as ISO 8601 in UTC."""
    assert list(found) == [field.name for field in fields(kind)]
    for field in fields(kind):
        hint = get_type_hints(kind)[field.name]
        value = found[field.name]
        if hint in {datetime, datetime | None} and value is not None:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), value
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and value is not None:
                for one in value if isinstance(value, list) else [value]:
                    _check(one, inner)


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.__name__)
def test_the_document_names_every_key(kind: Any):
    """docs/json.md has a table for each object, with a row for each of its keys, and no others."""
    for name in dict.fromkeys(name for name, _ in _keys(kind)):
        section = DOC.split(f"<!-- {name} -->")[1].split("\n\n")[0]
        named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert named == [key for of, key in _keys(kind) if of == name], name


def test_status(made: Path):
    """The numbers of the text and of the tables; what is not known is null."""
    found, text = _json(made, "status", "run")
    _check(found, run_status.Status)
    assert {f["stage"]: f["n"] for f in found["funnel"]} == dict(ask(made / "run", "SELECT stage, n FROM funnel"))
    assert (
        found["total"]["calls"] == found["models"][0]["calls"] == ask(made / "run", "SELECT count(*) FROM calls")[0][0]
    )
    assert found["total"]["cost_usd"] == pytest.approx(ask(made / "run", "SELECT sum(price) FROM calls")[0][0])
    assert found["total"]["unpriced_calls"] == ask(made / "run", "SELECT sum(unpriced) FROM models")[0][0] > 0
    assert (found["state"]["running"], found["state"]["activity"]) == (False, "finished")
    assert found["session"]["problems"] == found["done"] == found["problems"] == 6
    assert found["rejections"] == [{"step": "filter", "rule": "score.correct", "table": "rationales", "n": 4}]
    for said in (
        "not running: the last session finished",
        f"{found['total']['calls']} calls",
        "score.correct",
        "6 of 6 problems",
    ):
        assert said in text
    for line in text.splitlines():
        assert not ("session:" in line and "all sessions" in line)


def test_plan(made: Path):
    """A price that the profile does not have is null."""
    words = ("plan", "p.yaml", "--input", "in.jsonl", "--profile", "models.yaml")
    found, text = _json(made, *words, "--run", "run")
    _check(found, plan.PlanFound)
    assert (found["pipeline"], found["problems"], found["measured_in"], found["rehearsed"]) == ("my/p", 6, "run", False)
    assert found["steps"][0]["cost_usd"] == found["cost_usd"] > 0
    assert f"{found['cost_usd']:,.4f}" in text
    assert all(assumption in " ".join(text.split()) for assumption in found["assumptions"])
    unknown, text = _json(made, *words[:-2], "--model", "http://localhost:1/v1#m")
    assert unknown["cost_usd"] is None
    assert "unknown" in text


def test_models(made: Path):
    """The name of the key, never the key."""
    (a, b), text = _json(made, "models", "--profile", "models.yaml")
    _check(a, models.ModelFound)
    assert (a["model"], a["key"], a["price_input_usd"], a["roles"], a["local"]) == (
        "a",
        "MY_KEY",
        1.0,
        ["teacher"],
        False,
    )
    assert (b["model"], b["key"], b["price_input_usd"], b["local"]) == ("b", None, 0.0, True)
    assert "1/2" in text
    assert "this machine" in text


def test_a_check_of_models(tmp_path: Path):
    """One object for each, also where one does not answer; the exit code is that of the text."""

    async def answer(_request: Any, _body: Any) -> Any:
        return reply("42")

    with endpoint(answer) as (url, _):
        (tmp_path / "t.yaml").write_text(
            f"models:\n  a: {{base_url: '{url}', model: m}}\n  b: {{base_url: '{url}', model: m, key: NOT_SET}}\n"
        )
        done = synth("models", "--check", "--profile", "t.yaml", "--json", cwd=tmp_path, check=1)
    good, bad = json.loads(done.stdout)
    _check(good, models.ModelChecked)
    assert (good["good"], good["problem"], good["reply"]) == (True, None, "42")
    assert (bad["good"], bad["reply"], bad["latency_s"]) == (False, None, None)
    assert "NOT_SET is not set" in bad["problem"]


def test_pipelines_and_steps(made: Path):
    """The catalogue, one of it, and the steps."""
    found, text = _json(made, "pipelines")
    assert [p["pipeline"] for p in found] == list(catalogue())
    one, shown = _json(made, "pipelines", "star")
    _check(one, pipelines.PipelineFound)
    assert one in found
    assert one["file"] in shown
    assert one["readme"] in shown
    assert list(one["advice"]) == ["Cost", "When to use it", "When not"]
    steps, _ = _json(made, "pipelines", "--steps")
    step, told = _json(made, "pipelines", "--step", "generate")
    _check(step, pipelines.StepFound)
    assert step in steps
    for option in step["options"]:
        assert f"  {option['option']} (" in told
    assert all(p["title"].split()[0] in text for p in found)


def test_calls(made: Path):
    """Tokens, price and latency as numbers, times as times; a price that is not known is null, and never 0."""
    found, text = _json(made, "calls", "run")
    for call in found:
        _check(call, calls.CallFound)
    rows = ask(made / "run", "SELECT id, price, latency, epoch(started) FROM calls ORDER BY started DESC, id")
    assert [(c["id"], c["price_usd"], c["latency_s"]) for c in found] == [row[:3] for row in rows]
    for call, (*_, started) in zip(found, rows, strict=True):
        assert datetime.fromisoformat(call["started"]).timestamp() == pytest.approx(started)
        assert abs(time.time() - started) < 3600
        assert call["started"][:10] in text
    empty = [c for c in found if c["status"] == "empty"]
    assert empty
    assert {(c["price_usd"], c["replied"]) for c in empty} == {(None, True)}
    assert [c["price_usd"] for c in found if c["status"] == "ok"] == [0.00002] * 5
    assert "0.000020" in text
    assert "?" in text
    groups, text = _json(made, "calls", "run", "--by", "status")
    _check(groups[0], calls.CallGroup)
    assert {g["value"]: g["calls"] for g in groups} == dict(
        ask(made / "run", "SELECT status, count(*) FROM calls GROUP BY 1")
    )
    days, _ = _json(made, "calls", "run", "--by", "day")
    assert {g["value"] for g in days} == {c["started"][:10] for c in found}
    one, _ = _json(made, "calls", "run", found[0]["id"])
    assert one["messages"][-1]["role"] == "user"
    assert one["started"] == found[0]["started"]


def test_an_error_leaves_nothing_on_standard_output(tmp_path: Path):
    """It is told on standard error, with the exit code of the text."""
    for words in (
        ["status", "nothing"],
        ["calls", "nothing"],
        ["plan", "nothing"],
        ["pipelines", "nothing"],
        ["models"],
    ):
        done = synth(*words, "--json", cwd=tmp_path, check=2)
        assert done.stdout == ""
        assert "error: " in done.stderr


def test_values_are_plain():
    """Secrets are out wherever they stand, what is no number is null, and times are in UTC."""
    keep_secret("a-secret-of-mine")
    assert plain({"k": ["says a-secret-of-mine", float("nan"), float("inf"), 0.5, True, None]}) == {
        "k": ["says [secret]", None, None, 0.5, True, None]
    }
    assert plain(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"

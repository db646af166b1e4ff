"""Pass rates: by author, by model, in bands."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ask, run, sums, yaml_file

from synth.errors import PipelineError
from synth.models import ScriptedModel
from synth.pipeline import load_pipeline


def solver(name: str, right: int) -> ScriptedModel:
    """A model of which the first `right` samples are right."""

    def script(request, rng):
        gold = int(request.task.problem.answer)
        return f"I am {name}.\nThe answer is {gold if request.sample < right else gold + 1}."

    return ScriptedModel(script, name=name)


STEPS = """
    pipeline: my/rates
    title: Pass rates
    roles: {teacher: solves, policy: is trained}
    steps:
      - {step: generate, name: one, by: teacher, samples: 4, temperature: 1}
      - {step: generate, name: two, by: policy, author: student, samples: 8, temperature: 1}
      - {step: verify_answer, of: [one, two]}
      - {step: pass_rate, name: all, of: input}
      - {step: pass_rate, name: teacher, of: input, author: teacher, rate: teacher_rate}
      - {step: pass_rate, name: policy, of: input, author: student, rate: policy_rate, bands: {unsolved: 0, hard: 0.25, medium: 0.75, easy: 1}}
      - {step: pass_rate, name: each, of: input, by: model, rate: model_rate}
      - {step: score, of: input, each: problem, score: models, value: judgements.model_rate | length}
      - {step: score, of: input, each: problem, name: mean, score: mean, value: score.model_rate}
"""


async def test_rates_by_author_by_model_and_in_bands(tmp_path: Path):
    """4 of 4 and 2 of 8 right: 0.5 of all, 1 and 0.25 by author, 0.625 as the mean of the models."""
    path = yaml_file(tmp_path / "p.yaml", STEPS)
    models = {"teacher": [solver("a", 4)], "policy": [solver("b", 2)]}
    await run(path, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", models)
    found = ask(
        tmp_path / "run",
        "SELECT step, name, value, label, judge, reason FROM scores s WHERE target IN (SELECT id FROM problems) ORDER BY ALL",
    )
    assert [row[:4] for row in found] == [
        ("all", "pass_rate", 0.5, None),
        ("each", "model_rate", 0.25, None),
        ("each", "model_rate", 1.0, None),
        ("mean", "mean", 0.625, None),
        ("policy", "policy_rate", 0.25, "hard"),
        ("score", "models", 2.0, None),
        ("teacher", "teacher_rate", 1.0, None),
    ]
    assert {row[4:] for row in found if row[0] == "each"} == {("pass_rate/1 a", "4 of 4"), ("pass_rate/1 b", "2 of 8")}


def test_bands_rise_to_one(tmp_path: Path):
    """Bands that leave a rate without a name are a mistake before anything is asked."""
    for bands in ("{easy: 1, hard: 0.5}", "{hard: 0.5}", "{hard: 0.5, again: 0.5, easy: 1}"):
        path = yaml_file(tmp_path / "p.yaml", STEPS.replace("{unsolved: 0, hard: 0.25, medium: 0.75, easy: 1}", bands))
        with pytest.raises(PipelineError, match="bounds of bands rise to 1"):
            load_pipeline(str(path))

"""The published schemas are the models, and say the same as the static check."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml
from support import ROOT

from synth.pipeline import catalogue
from synth.pipeline.schemas import all_schemas, write_schemas
from synth.records import Problem


def test_the_files_are_what_the_models_say(tmp_path):
    write_schemas(tmp_path)
    shipped = {p.relative_to(ROOT / "schemas").as_posix(): p.read_text() for p in (ROOT / "schemas").rglob("*.json")}
    fresh = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.json")}
    assert shipped == fresh, "run: synth schemas"


@pytest.mark.parametrize("name", sorted(all_schemas()))
def test_they_are_schemas_and_describe_every_field(name: str):
    schema = all_schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    for prop, what in schema["properties"].items():
        assert what.get("description") or "$ref" in what, prop


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_shipped_pipelines_satisfy_the_schema(name: str):
    jsonschema.validate(yaml.safe_load(catalogue()[name].read_text()), all_schemas()["pipeline.json"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"pipeline": "my/p", "steps": [{"step": "generat"}]},
        {"pipeline": "my/p", "steps": [{"step": "generate", "sampels": 3}]},
        {"pipeline": "my/p", "steps": [{"step": "generate", "samples": 0}]},
        {"pipeline": "my/p", "titel": "x"},
        {"steps": []},
    ],
)
def test_the_schema_refuses_what_the_check_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, all_schemas()["pipeline.json"])


def test_a_record_satisfies_its_schema():
    record = Problem.root(question="?", choices=("a", "b"), answer="A", answer_kind="choice", source="f:1")
    jsonschema.validate(json.loads(record.model_dump_json()), all_schemas()["records/problem.json"])
    print(sorted(all_schemas()))

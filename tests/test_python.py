"""The surface for Python: docs/python.md, and what it promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from engines import Engines
from support import ROOT, ask, endpoint, reply, write_rows
from support import synth as command

import synth
from synth.errors import InputError, PipelineError, RunFolderError, UserError


def run_document(name: str) -> dict[str, Any]:
    """The names that the blocks of a document leave behind, run one after another."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(), re.DOTALL):
        exec(compile(block, f"docs/{name}", "exec"), names)
    return names


def test_the_document_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names = run_document("python.md")
    assert dict(names["done"].funnel)["problems"] == 20
    assert names["frame"].columns == names["data"].column_names == ["question", "gold", "text"]
    assert names["rows"].num_rows == names["frame"].height == dict(names["done"].funnel)["kept"] > 0
    assert set(synth.export_dataset("runs/short", "sft")) <= {"train", "test"}


CALLS = """
    SELECT model, model_id, count(*), any_value(finish), any_value(thought), min(prompt_tokens), round(sum(price), 4)
    FROM calls WHERE status = 'ok' AND endpoint LIKE 'function:%' GROUP BY ALL
"""


def test_the_recipes_for_engines_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    engines = Engines(monkeypatch)
    names = run_document("python-models.md")
    assert dict(names["done"].funnel)["kept"] == 6
    calls = {
        name: ask(tmp_path / "runs" / name, CALLS) for name in ("double", "claude", "qwen", "piped", "qwen8", "chat")
    }
    n, letters, small, large = 6, 41, "Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"
    assert calls == {
        "double": [("double", "double", n, None, None, None, None)],
        "claude": [("claude", "anthropic/claude-sonnet-4-5", n, "stop", "Twice.", 10, round(n * 330e-6, 4))],
        "qwen": [("qwen", small, n, "stop", None, letters, None)],
        "piped": [("piped", small, n, None, None, None, None)],
        "qwen8": [("qwen8", large, n, "stop", None, letters, None)],
        "chat": [("chat", large, n, "stop", None, letters, None)],
    }
    assert len(engines.litellm) == n
    assert len(engines.transformers) == len(engines.vllm) == 2 * n
    assert 1 < engines.most_at_once <= 256
    assert {asked.seed for asked in engines.vllm} == {0}
    cut = names["qwen"]([{"role": "user", "content": "What is 3 + 3?"}], temperature=0, max_tokens=5)
    assert cut["choices"] == [{"message": {"content": "3 + 3"}, "finish_reason": "length"}]
    assert engines.transformers[-1] == {"max_new_tokens": 5, "do_sample": False}


PROBLEMS = [{"question": f"What is {n} + {n}?", "answer": str(2 * n), "level": n} for n in range(3, 9)]


def frames():
    import pandas as pd
    import polars as pl
    from datasets import Dataset

    return {
        "dictionaries": PROBLEMS,
        "a generator": (row for row in PROBLEMS),
        "problems": [synth.Problem.root(question=r["question"], answer=r["answer"], answer_kind="number", meta={"level": r["level"]}) for r in PROBLEMS],
        "polars": pl.DataFrame(PROBLEMS),
        "pandas": pd.DataFrame(PROBLEMS),
        "datasets": Dataset.from_list(PROBLEMS),
    }  # fmt: skip


@pytest.mark.parametrize("kind", frames())
def test_rows_in_memory_are_the_problems_a_file_of_them_gives(tmp_path: Path, kind: str):
    synth.run("star", write_rows(tmp_path / "in.jsonl", PROBLEMS), tmp_path / "file", models="scripted")
    done = synth.run("star", frames()[kind], tmp_path / "run", models="scripted")
    seen = "SELECT id, question, answer, answer_kind, meta FROM problems ORDER BY id"
    assert ask(done.run, seen) == ask(tmp_path / "file", seen)
    assert len(ask(done.run, seen)) == len(PROBLEMS)


def test_a_run_of_rows_and_a_mapping_can_be_taken_up_by_the_command_line(tmp_path: Path, monkeypatch):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "ask.j2").write_text(
        "{#- version: 1\npurpose: asks -#}\n{% call user() %}{{ problem.question }} End with: The answer is X.{% endcall %}"
    )
    monkeypatch.chdir(tmp_path)
    made = {"pipeline": "my/own", "steps": [{"step": "generate", "prompt": "prompts/ask.j2"}]}
    tried: list[str] = []

    async def is_mute_on_the_first(request, body):
        tried.append(body["messages"][-1]["content"])
        return reply("" if "3 + 3" in tried[-1] and not mended else "The answer is 6.")

    mended: list[bool] = []
    with endpoint(is_mute_on_the_first) as (url, _):
        done = synth.run(made, PROBLEMS[:3], "runs/own", models=f"{url}#m")
        assert dict(done.funnel)["kept"] == 2
        assert min(tried).startswith("What is 3 + 3? End")
        mended.append(True)
        monkeypatch.chdir(tmp_path / "runs")  # where the prompt lies is remembered
        command("retry", "own", "--all", check=0)
    assert ask(tmp_path / "runs" / "own", "SELECT count(*) FROM kept_rationales") == [(3,)]


def test_what_failed_is_asked_again_by_the_same_call_and_never_of_another_model(tmp_path: Path):
    mended: list[bool] = []

    def is_mute_at_first(request, rng):
        return "The answer is 6." if mended else ""

    for again in (False, False, True):
        mended += [True] * again
        model = synth.ScriptedModel(is_mute_at_first, name="mine")
        done = synth.run("star", PROBLEMS[:3], tmp_path / "run", models=model, again=again)
        assert (dict(done.funnel)["parsed"] > 0) is again
        told = command("retry", tmp_path / "run", "--all")
        assert ("nothing to retry" if again else "was made in Python") in told.stdout + told.stderr


def test_mistakes_in_rows_and_mappings_are_reported_with_their_place(tmp_path: Path):
    run = tmp_path / "run"
    with pytest.raises(InputError, match=r"(?s)input.jsonl: 1 of 2 rows is not usable:.*line 2: 'question' is empty"):
        synth.run("star", [PROBLEMS[0], {"question": " ", "answer": "3"}], run, models="scripted")
    with pytest.raises(InputError, match="row 2 is a str"):
        synth.run("star", [PROBLEMS[0], "What is 1 + 1?"], run, models="scripted")
    with pytest.raises(InputError, match="row 1 holds what JSON cannot"):
        synth.run("star", [{"question": "?", "answer": object()}], run, models="scripted")
    with pytest.raises(InputError, match="the problems are a dict, not rows"):
        synth.run("star", PROBLEMS[0], run, models="scripted")
    with pytest.raises(InputError, match="the input is empty"):
        synth.run("star", [], run, models="scripted")
    assert synth.run("star", PROBLEMS, run, models="scripted").progress.done == len(
        PROBLEMS
    )  # none of it stands in the way
    wrong = {
        "pipeline": "my/own",
        "steps": [{"step": "generate", "sampels": 2}, {"step": "filter", "keep": "score.rigth"}],
    }
    with pytest.raises(PipelineError) as told:
        synth.load_pipeline(wrong)
    assert "steps[0].sampels: step generate: unknown option 'sampels'" in str(told.value)
    assert "steps[1].keep: step filter" in str(told.value)
    with pytest.raises(PipelineError, match=r"override\.generat: .*no step 'generat'"):
        synth.load_pipeline({"pipeline": "my/own", "extends": "star", "override": {"generat": {"samples": 1}}})
    with pytest.raises(PipelineError, match="the pipeline: the pipeline has no steps"):
        synth.load_pipeline({"pipeline": "my/own"})
    with pytest.raises(PipelineError, match="holds something that a pipeline file could not"):
        synth.load_pipeline({"pipeline": "my/own", "steps": [{"step": "filter", "keep": lambda r: True}]})


def test_a_mapping_is_the_file_it_would_be(tmp_path: Path):
    import yaml

    given = {"pipeline": "my/one", "extends": "fine-tune-cot", "override": {"sample": {"samples": 1}}}
    file = tmp_path / "one.yaml"
    file.write_text(yaml.safe_dump(given))
    assert synth.load_pipeline(given).described() == synth.load_pipeline(file).described()
    assert synth.load_pipeline(given).fingerprint() == synth.load_pipeline(str(file)).fingerprint()


def test_records_are_those_of_the_tables(tmp_path: Path):
    done = synth.run("fine-tune-cot", PROBLEMS, tmp_path / "run", models="scripted")
    kinds = (synth.Problem, synth.Rationale, synth.Score, synth.Pair, synth.Rejection, synth.Call)
    with done.open() as store:
        for kind in kinds:
            found = list(store.records(kind))
            assert [r.id for r in found] == [i for (i,) in ask(done.run, f"SELECT id FROM {kind.table} ORDER BY id")]
            assert all(isinstance(r, kind) for r in found)
        for kind in (synth.Problem, synth.Rationale, synth.Pair):
            kept = {r.id for r in store.records(kind, kept=True)}
            assert kept == {i for (i,) in ask(done.run, f"SELECT id FROM kept_{kind.table}")}
        assert next(store.records(synth.Problem, where="answer = '6'")).meta == {"level": 3}
        assert list(store.records(synth.Rationale, where="text = '' -- none")) == []
        with pytest.raises(ValueError, match="calls are neither kept"):
            next(store.records(synth.Call, kept=True))
        with pytest.raises(duckdb.Error):
            next(store.records(synth.Problem, where="true); DROP TABLE problems; --"))
        # A store that stays open is the run as it was; the run goes on all the same.
        more = synth.run(
            "fine-tune-cot", [*PROBLEMS, {"question": "And 9?", "answer": "9"}], done.run, models="scripted"
        )
        assert len(list(store.records(synth.Problem))) == len(PROBLEMS)
    with more.open() as store:
        assert len(list(store.records(synth.Problem))) == len(PROBLEMS) + 1


def test_a_data_set_is_what_the_export_writes(tmp_path: Path):
    done = synth.run("fine-tune-cot", PROBLEMS, tmp_path / "run", models="scripted")
    options = synth.ExportOptions(layout="plain")
    made = synth.export_run(done.run, "sft", tmp_path / "out", options)
    import orjson

    written = [orjson.loads(line) for line in made.path.read_bytes().splitlines()]
    assert synth.export_dataset(done.run, "sft", options).to_list() == written
    with pytest.raises(UserError, match="of several tables"):
        synth.export_dataset(done.run, "parquet")


def test_a_notebook_shows_the_funnel_and_no_markup_of_others(tmp_path: Path):
    done = synth.run("star", PROBLEMS, tmp_path / "<b>run", models="scripted")
    shown = done._repr_html_()
    assert f"<td>problems</td><td>{len(PROBLEMS)}</td>" in shown
    assert "<b>run" not in shown


def test_a_bar_is_shown_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    synth.run("star", PROBLEMS, tmp_path / "run", models="scripted", progress=True)
    told = capsys.readouterr().err
    assert f"{len(PROBLEMS)}/{len(PROBLEMS)}" in told
    assert "kept=" in told
    synth.run("star", PROBLEMS, tmp_path / "other", models="scripted")
    assert capsys.readouterr().err == ""


def test_two_processes_do_not_write_rows_into_one_run(tmp_path: Path):
    from synth.store.run_folder import hold

    lock = hold(tmp_path / "run")
    with pytest.raises(RunFolderError, match="another process"):
        synth.run("star", PROBLEMS, tmp_path / "run", models="scripted")
    lock.release()

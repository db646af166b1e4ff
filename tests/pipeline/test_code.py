"""Python that a pipeline brings: allowed first, known by its content, reported by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, ask, run, sums, synth, yaml_file

import synth as library
from synth.approvals import approvals, approve
from synth.errors import PipelineError, StepError, UserError
from synth.models import ScriptedModel, World
from synth.pipeline import allow_code, load_pipeline

PARTS = """
from typing import ClassVar, Literal

import synth


class Verdict(synth.Reply):
    why: str
    \"\"\"In one sentence.\"\"\"
    grade: int
    fits: bool


class Shout(synth.Step):
    \"\"\"Score the length of a rationale.\"\"\"

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Score,)
    step: Literal["shout"] = "shout"

    def gives_scores(self):
        return ("shout",)

    async def run(self, records, unit):
        for rationale in records:
            length = len(rationale.text) / ONE
            yield_score = self.derive(
                synth.Score, [rationale], target=rationale.id, name="shout", value=length, judge="shout/1"
            )
            MADE.append(yield_score)
        return list(MADE[-len(records):])


ONE = 1
MADE = []


@synth.simulates("judge")
def judge(request, rng):
    return {"why": "so", "grade": 7, "fits": True}
"""
PIPELINE = """
    pipeline: my/code
    code: [parts.py]
    sample: arithmetic.jsonl
    roles: {m: solves and judges}
    steps:
      - {step: generate, by: m}
      - {step: shout}
      - step: ask
        name: judge
        by: m
        prompt: p.j2
        reply: Verdict
        make: [{score: grade, value: reply.grade, when: reply.fits}]
"""
PROMPT = (
    "{#- version: 1\n    purpose: a test\n-#}\n{% call user() %}{{ rationale.text }} {{ reply_format }}{% endcall %}\n"
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of this test's own, and nothing allowed yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("synth.approvals._code_of_session", set())
    return tmp_path / "config"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "parts.py").write_text(PARTS)
    (folder / "p.j2").write_text(PROMPT)
    return yaml_file(folder / "pipeline.yaml", PIPELINE)


def test_code_does_not_run_before_it_is_allowed(file: Path, tmp_path: Path):
    """Reading, planning and describing a pipeline runs nothing of it; the finding says which file and how to allow it."""
    spy = tmp_path / "ran"
    (file.parent / "parts.py").write_text(f"import pathlib\npathlib.Path({str(spy)!r}).touch()\n{PARTS}")
    with pytest.raises(PipelineError) as error:
        load_pipeline(file)
    text = str(error.value)
    assert "parts.py holds Python" in text
    assert "--allow-code" in text
    assert re.search(r"pipeline\.yaml:2", text)
    assert text.count("→") == 1  # no step of it is then called unknown
    for words in (("plan", file), ("pipelines", file), ("run", file, "--model", "scripted"), ("rehearse", file)):
        done = synth(*words, check=2)
        assert "not allowed yet" in done.stderr
    assert not spy.exists()
    allow_code(file)
    assert not spy.exists()  # to allow is not to run
    load_pipeline(file)
    assert spy.exists()


def test_a_function_simulates_several_steps():
    @library.simulates("a", "a_2")
    @library.simulates("b")
    def reply(request, rng):
        return "yes"

    assert reply.simulates == ("b", "a", "a_2")


async def test_steps_replies_and_simulators_of_a_pipeline(file: Path, tmp_path: Path):
    allow_code(file)
    pipeline = load_pipeline(file)
    model = ScriptedModel(World(), name="m").knowing(pipeline.simulators)
    await run(pipeline, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT name, count(*), max(value) = 7 FROM scores GROUP BY name ORDER BY name") == [
        ("grade", 3, True),
        ("shout", 3, False),
    ]
    ((message,),) = ask(
        tmp_path / "run",
        "SELECT DISTINCT messages->0->>'content' LIKE '%In one sentence.%' FROM calls WHERE step = 'judge'",
    )
    assert message == "true" or message is True


def test_what_is_allowed_is_the_content(file: Path):
    """It is remembered for the next process; a changed file is asked for again; keys that were approved stay."""
    approve([])
    synth("rehearse", file, "--allow-code", "--limit", "2", "--run", file.parent / "run", check=0)
    synth("plan", file, check=0)
    before = approvals()
    parts = file.parent / "parts.py"
    parts.write_text(parts.read_text() + "\n# another line\n")
    assert "not allowed yet" in synth("plan", file, check=2).stderr
    synth("pipelines", file, "--allow-code", check=0)
    synth("plan", file, check=0)
    assert approvals() == before


def test_another_code_is_another_pipeline(file: Path):
    allow_code(file)
    first = load_pipeline(file).fingerprint()
    parts = file.parent / "parts.py"
    parts.write_text(parts.read_text().replace("ONE = 1", "ONE = 2"))
    allow_code(file)
    assert load_pipeline(file).fingerprint() != first


def test_code_of_what_is_extended_is_asked_for_too(file: Path, tmp_path: Path):
    preset = yaml_file(file.parent / "preset.yaml", "pipeline: my/preset\nextends: pipeline.yaml\n")
    with pytest.raises(PipelineError, match="not allowed yet"):
        load_pipeline(preset)
    assert [p.name for p in allow_code(preset)] == ["parts.py"]
    assert load_pipeline(preset).steps[1].step == "shout"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import nowhere", "line 1: ModuleNotFoundError"),
        ("x = (", "line 1: '(' was never closed"),
        ("\n1 / 0", "line 2: ZeroDivisionError"),
        ("raise SystemExit(0)", "line 1: SystemExit"),
        (
            "import synth\nfrom typing import Literal\nclass V(synth.Step):\n    step: Literal['vote'] = 'vote'\n    async def run(self, records, unit): ...",
            "the step 'vote' is defined already",
        ),
        ("from pydantic import BaseModel\nclass Verdict(BaseModel):\n    x: int", "Verdict is no class of replies"),
    ],
)  # fmt: skip
def test_code_that_cannot_be_used_is_a_finding_with_its_line(file: Path, code: str, what: str):
    (file.parent / "parts.py").write_text(code)
    allow_code(file)
    with pytest.raises(PipelineError) as error:
        load_pipeline(file)
    assert what in str(error.value)
    assert "pipeline.yaml:2" in str(error.value)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("gone.py", "there is no such file"),
        ("../out.py", "lies outside"),
        ("p.j2", "this is not Python"),
        ("/etc/hosts.py", "lies outside"),
    ],
)
def test_code_that_is_not_there(file: Path, name: str, what: str):
    (file.parent.parent / "out.py").write_text("")
    file.write_text(file.read_text().replace("parts.py", name))
    with pytest.raises(UserError, match=what):
        allow_code(file)
    with pytest.raises(PipelineError, match=what):
        load_pipeline(file)


async def test_a_step_that_raises_is_reported_with_its_line_and_keeps_what_was_paid_for(file: Path, tmp_path: Path):
    parts = file.parent / "parts.py"
    parts.write_text(parts.read_text().replace("ONE = 1", "ONE = 0"))
    allow_code(file)
    line = next(i for i, text in enumerate(parts.read_text().splitlines(), 1) if "/ ONE" in text)
    rows = sums(tmp_path / "in.jsonl", 1)
    with pytest.raises(
        StepError, match=rf"step shout, problem in.jsonl:1, .*parts.py:{line}: it raised ZeroDivisionError"
    ):
        await run(load_pipeline(file), rows, tmp_path / "run", ScriptedModel(World(), name="m"))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE status = 'ok'") == [(1,)]
    done = synth("run", file, "--input", rows, "--run", tmp_path / "other", "--model", "scripted", check=2)
    assert "ZeroDivisionError" in done.stderr


def test_a_new_step_passes_its_test_and_runs(tmp_path: Path):
    """What `synth new --step` writes passes the test it writes, and runs in a pipeline."""
    synth("new", "parts.py", "--step", "capitals", cwd=tmp_path, check=0)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parts.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    file = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        code: [parts.py]
        steps: [{step: generate}, {step: capitals}, {step: filter, keep: score.capitals < 0.5}]
    """,
    )
    allow_code(file)
    done = library.run(file, [{"question": "1 + 1?", "answer": "2"}], tmp_path / "run", models=ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT name, value < 0.5 FROM scores") == [("capitals", True)]
    assert done.stopped is None


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("parts.yaml", "--step", "x"), "a step is written in Python"),
        (("parts.py", "--step", "vote"), "there is a step of this name"),
        (("parts.py", "--step", "No such"), "not the name of a step"),
        (("parts.py", "--step", "x", "--extends", "star"), "write different files"),
    ],
)
def test_a_new_step_that_cannot_be(tmp_path: Path, words: tuple[str, ...], what: str):
    assert what in synth("new", *words, cwd=tmp_path, check=2).stderr
    assert list(tmp_path.glob("*.py")) == []


def test_the_python_of_the_document_answers(tmp_path: Path):
    """The blocks of docs/pipelines.md on `code` and `ask` work together."""
    page = (ROOT / "docs" / "pipelines.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    prompt, *_ = re.findall(r"```jinja\n(.*?)```", page, re.DOTALL)
    (example,) = re.findall(r"```yaml\n# ask.yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "parts.py").write_text(code)
    (tmp_path / "listen.j2").write_text(prompt)
    (tmp_path / "ask.yaml").write_text(example + "code: [parts.py]\n")
    synth("rehearse", "ask.yaml", "--allow-code", "--run", "run", cwd=tmp_path, check=0)
    replies = ask(tmp_path / "run", "SELECT reply FROM calls WHERE step = 'listen'")
    assert {json.loads(reply)["unclear"] for (reply,) in replies} == {None}


def test_files_of_one_name_are_both_known(file: Path):
    """A preset and its base may both bring parts.py: each is hashed, and each change is another pipeline."""
    folder = file.parent / "sub"
    folder.mkdir()
    base = yaml_file(
        folder / "base.yaml", "pipeline: my/base\ncode: [parts.py]\nsteps: [{step: generate}, {step: one}]\n"
    )
    step = (
        "import synth\nfrom typing import Literal\nclass One(synth.Step):\n    takes = synth.Rationale\n    step: Literal['%s'] = '%s'\n"
        "    async def run(self, records, unit):\n        return []\n"
    )
    (folder / "parts.py").write_text(step % ("one", "one"))
    (file.parent / "parts.py").write_text(step % ("two", "two"))
    preset = yaml_file(
        file.parent / "preset.yaml",
        "pipeline: my/p\ncode: [parts.py]\nextends: sub/base.yaml\ninsert: [{after: one, steps: [{step: two}]}]\n",
    )
    assert len(allow_code(preset)) == 2
    made = load_pipeline(preset)
    assert len(made.code_digests) == 2
    (folder / "parts.py").write_text((step % ("one", "one")) + "\n# changed\n")
    allow_code(preset)
    assert load_pipeline(preset).fingerprint() != made.fingerprint()
    assert base.exists()


OWN = """
from typing import ClassVar, Literal

import synth
from synth.models import Task


class Again(synth.ModelStep):
    takes: ClassVar = synth.Problem
    gives: ClassVar = (synth.Rationale,)
    step: Literal["again"] = "again"
    prompt: str = "rationale/solve"
    like: str | None = None
    names_steps: ClassVar = ("of", "like")

    def named_by(self, option):
        return synth.Rationale if option == "like" else synth.Problem

    def prompt_variables(self):
        return dict.fromkeys(("problem", "hint", "format", "examples"))

    async def run(self, records, unit):
        made = []
        for problem in records:
            for model in unit.models(self.by):
                shown = {"problem": problem, "hint": None, "format": "text", "examples": []}
                request = self.request(self.load(), shown, Task("solve", problem))
                reply = await unit.ask(model, request, problem)
                if reply is not None:
                    made.append(self.derive(synth.Rationale, [problem], replies=[reply.key], problem=problem.id, author="teacher", response=reply.text))
        return made
"""


async def test_a_step_of_ones_own_in_a_repeat_asks_each_time(tmp_path: Path):
    """It is known before the steps are written out: its iterations ask for samples of their own, its options follow a prefix."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "parts.py").write_text(OWN)
    yaml_file(folder / "block.yaml", "steps:\n  - {step: generate, name: g}\n  - {step: again, of: input, like: g}\n")
    file = yaml_file(
        folder / "p.yaml",
        "pipeline: my/p\ncode: [parts.py]\nsteps:\n"
        "  - repeat: {until: 'false', at_most: 3, steps: [{step: again, of: input}]}\n  - {use: block.yaml, name: pre}\n",
    )
    allow_code(file)
    pipeline = load_pipeline(file)
    await run(pipeline, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(World(steps=6), name="m"))
    assert ask(tmp_path / "run", "SELECT count(DISTINCT response) FROM rationales WHERE step LIKE 'again%'") == [(3,)]
    assert pipeline.steps[-1].like == "pre_g"


def test_a_pipeline_in_python_and_files_elsewhere_are_allowed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "parts.py").write_text(OWN)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = yaml_file(tmp_path / "here" / "p.yaml", "pipeline: my/p\ncode: [parts.py]\nsteps: [{step: again}]\n")
    synth("plan", file, "--media-from", elsewhere, "--allow-code", "--input", sums(tmp_path / "in.jsonl", 2), check=0)
    (tmp_path / "here" / "parts.py").write_text(OWN + "# mine\n")
    mapping = {"pipeline": "my/p", "code": ["parts.py"], "steps": [{"step": "again"}]}
    with pytest.raises(PipelineError, match="not allowed yet"):
        load_pipeline(mapping)
    allow_code(mapping)
    assert load_pipeline(mapping).steps[0].step == "again"
    assert "name the pipeline" in synth("pipelines", "--allow-code", check=2).stderr

"""The static check: every mistake at once, each with file, line, what and fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import yaml_file

from synth.errors import PipelineError
from synth.models import ScriptedModel, World
from synth.pipeline import catalogue, find_pipeline, load_pipeline, read_pipeline


def findings(path: Path, text: str) -> dict[int, tuple[str, str]]:
    draft = read_pipeline(str(yaml_file(path / "p.yaml", text)))
    assert draft.pipeline is None or not draft.findings
    assert {Path(f.file).name for f in draft.findings} <= {"p.yaml"}
    return {f.line: (f.what, f.fix) for f in draft.findings}


def test_every_mistake_at_once_with_its_line_and_fix(tmp_path: Path):
    found = findings(
        tmp_path,
        """
        pipeline: my/wrong
        titel: misspelt
        roles: {teacher: writes}
        steps:
          - step: generat
          - step: generate
            name: write
            sampels: 4
          - step: generate
            by: techer
            samples: 0
          - step: generate
            name: ask
            by: techer
            prompt: rationale/slove
          - step: verify_answer
            of: asks
          - step: verify_answer
            name: check
            of: ask
          - step: filter
            keep: score.corect
          - step: filter
            name: other
            keep: "score.correct and ("
          - step: filter
            name: nodes
            target: node
            keep: "true"
          - step: pair
            score: reviw
          - step: select
        corpus:
          - step: near_duplicate
        """,
    )
    assert {line: what for line, (what, _) in found.items()} == {
        2: "unknown key 'titel'",
        5: "there is no step 'generat'",
        8: "step write: unknown option 'sampels'",
        10: "step generate: the pipeline has no role 'techer'",
        11: "step generate: samples: Input should be greater than or equal to 1",
        14: "step ask: the pipeline has no role 'techer'",
        15: "step ask: no such prompt: rationale/slove",
        17: "step verify_answer: there is no earlier step 'asks'",
        22: "step filter: 'score.corect': no earlier step makes the score 'corect'",
        25: "step other: the expression 'score.correct and (' does not compile: unexpected 'end of template'",
        26: "step nodes: it works on a node, and no earlier step makes one",
        31: "step pair: no earlier step makes the score 'reviw'",
        32: "step select: keep is missing",
        34: "there is no step 'near_duplicate'",
    }
    fixes = {line: fix for line, (_, fix) in found.items()}
    assert fixes[2] == "did you mean 'title'?"
    assert fixes[5] == "did you mean 'generate'?"
    assert fixes[8] == "did you mean 'samples'?"
    assert fixes[14] == "did you mean 'teacher'?"
    assert fixes[15] == "did you mean 'rationale/solve'?"
    assert fixes[17] == "did you mean 'ask'?"
    assert fixes[22] == "did you mean 'correct'?"
    assert fixes[34] == "did you mean 'near_duplicates'?"
    assert all(fixes.values())


def test_a_step_that_is_like_no_other_is_the_only_mistake(tmp_path: Path):
    """Its options are not held against those of a step that is a little like it."""
    path = yaml_file(
        tmp_path / "p.yaml", "pipeline: my/p\nroles: {t: x}\nsteps:\n  - {step: rationalize, samples: 2, by: t}\n"
    )
    with pytest.raises(PipelineError, match=r"\A1 mistake in the pipeline") as caught:
        load_pipeline(str(path))
    assert "there is no step 'rationalize'" in str(caught.value)


def test_the_error_reports_them_all_and_that_nothing_was_spent(tmp_path: Path):
    path = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps:\n  - step: a\n  - step: b\n")
    with pytest.raises(PipelineError) as caught:
        load_pipeline(str(path))
    text = str(caught.value)
    assert text.startswith("2 mistakes in the pipeline; nothing was asked, nothing was spent")
    assert "p.yaml:3: there is no step 'a'" in text
    assert "p.yaml:4: there is no step 'b'" in text


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("pipeline: my/p\nsteps:\n  - step: [", 3, "this is not YAML"),
        ("- a\n- b\n", 1, "the file holds no pipeline"),
        ("", 1, "the file holds no pipeline"),
        ("pipeline: my/p\n", 1, "the pipeline has no steps"),
        ("pipeline: My Pipeline\nsteps: [{step: generate}]\n", 1, "pipeline: String should match pattern"),
        ("steps: [{step: generate}]\n", 1, "pipeline is missing"),
        ("pipeline: my/p\nsteps: generate\n", 2, "steps is not a list of steps"),
        ("pipeline: my/p\npipeline: my/q\nsteps: [{step: generate}]\n", 2, "'pipeline' is given twice"),
        (
            "pipeline: my/p\nsteps:\n  - {step: generate}\n  - {step: generate}\n",
            4,
            "the name 'generate' is taken",
        ),
        ("pipeline: my/p\nsteps:\n  - {step: generate, where: problm.answer}\n", 3, "unknown name 'problm'"),
        ("pipeline: my/p\nsteps:\n  - {step: generate, where: problem.colour}\n", 3, "problem has no 'colour'"),
        ("pipeline: my/p\nsteps:\n  - {step: generate, where: unit.rationale}\n", 3, "unit has no 'rationale'"),
        ("pipeline: my/p\nsteps:\n  - {step: generate, examples: none.jsonl}\n", 3, "no such file of examples"),
        ("pipeline: my/p\noverride: {a: {b: 1}}\nsteps: [{step: generate}]\n", 2, "override without extends"),
    ],
)
def test_single_mistakes(tmp_path: Path, text: str, line: int, what: str):
    draft = read_pipeline(str(yaml_file(tmp_path / "p.yaml", text)))
    if not draft.findings:
        draft.check_models({"teacher": [ScriptedModel(World())]})
    assert any(f.line == line and what in f.what for f in draft.findings), draft.findings


@pytest.mark.parametrize("text", ["Solve {{ problem.question }}", "Be brief.\n{% call user() %}Why?{% endcall %}"])
def test_words_that_no_model_would_see_are_found(tmp_path: Path, text: str):
    (tmp_path / "mine.j2").write_text(f"{{#- version: 1\npurpose: ask -#}}\n{text}\n")
    ((what, _),) = findings(tmp_path, "pipeline: my/p\nsteps:\n  - step: generate\n    prompt: mine.j2\n").values()
    assert "mine.j2, line 3: " in what
    assert "stands outside of every message" in what


def test_an_undefined_variable_of_a_prompt_is_found(tmp_path: Path):
    (tmp_path / "mine.j2").write_text("{#- version: 1 -#}\n{% call user() %}\n{{ question }}{% endcall %}")
    found = findings(tmp_path, "pipeline: my/p\nsteps:\n  - step: generate\n    prompt: mine.j2\n")
    assert found[4][0] == "step generate: mine.j2, line 3: unknown variable 'question'"
    (tmp_path / "mine.j2").write_text("{#- version: 1 -#}\n{% call user() %}{{ problem.question }")
    found = findings(tmp_path, "pipeline: my/p\nsteps:\n  - step: generate\n    prompt: mine.j2\n")
    assert "does not compile (line 2)" in found[4][0]


def test_what_the_models_lack_is_found(tmp_path: Path):
    text = """
        pipeline: my/p
        roles: {teacher: writes}
        steps:
          - step: generate
            by: teacher
            samples: 3
            temperature: 0
          - step: review
            by: teacher
            mode: probability
        """
    draft = read_pipeline(str(yaml_file(tmp_path / "p.yaml", text)))
    draft.check_models({"teacher": [ScriptedModel(World(), name="plain", capabilities=frozenset({"chat"}))]})
    assert [(f.line, f.what) for f in draft.findings] == [
        (6, "step generate: 3 samples at temperature 0 are 3 times the same reply"),
        (9, "step review: needs logprobs, which model plain does not have"),
        (9, "step review: plain is the only reviewer, and may not review what is its own"),
    ]
    draft = read_pipeline(str(tmp_path / "p.yaml"))
    draft.check_models({})
    assert "nobody plays the role 'teacher'" in draft.findings[0].what


def test_a_preset_changes_and_removes_steps_of_its_base(tmp_path: Path):
    yaml_file(
        tmp_path / "base.yaml",
        """
        pipeline: my/base
        title: Base
        roles: {teacher: writes}
        steps:
          - {step: generate, samples: 4, temperature: 0.7}
          - {step: verify_answer}
          - {step: select, keep: 2}
        corpus:
          - {step: near_duplicates, threshold: 0.8}
        """,
    )
    made = load_pipeline(
        str(
            yaml_file(
                tmp_path / "preset.yaml",
                """
                pipeline: my/preset
                extends: base.yaml
                override:
                  generate: {samples: 2}
                  select: null
                  near_duplicates: {threshold: 0.9}
                """,
            )
        )
    )
    assert (made.pipeline, made.title, [s.name for s in made.steps]) == (
        "my/preset",
        "Base",
        ["generate", "verify_answer"],
    )
    assert (made.steps[0].samples, made.steps[0].temperature, made.corpus[0].threshold) == (2, 0.7, 0.9)
    text = "pipeline: my/p\nextends: base.yaml\noverride:\n  generat: {samples: 2}\n  generate:\n    sampels: 3\n"
    found = findings(tmp_path, text)
    assert found[4] == ("base.yaml has no step 'generat'", "did you mean 'generate'?")
    assert found[6] == ("step generate: unknown option 'sampels'", "did you mean 'samples'?")
    yaml_file(tmp_path / "a.yaml", "pipeline: my/a\nextends: b.yaml\n")
    yaml_file(tmp_path / "b.yaml", "pipeline: my/b\nextends: a.yaml\n")
    with pytest.raises(PipelineError, match="in a circle"):
        load_pipeline(str(tmp_path / "a.yaml"))
    assert findings(tmp_path, "pipeline: my/p\nextends: my/unknown\n")[2][0] == "there is no pipeline 'my/unknown'"


def test_words_that_old_yaml_takes_for_booleans_are_words(tmp_path: Path):
    text = "pipeline: my/p\nsteps:\n  - {step: generate, name: yes}\n  - {step: filter, name: no, target: problem, keep: 'true'}\n"
    made = load_pipeline(str(yaml_file(tmp_path / "p.yaml", text)))
    assert [s.name for s in made.steps] == ["yes", "no"]


def test_pipelines_are_found_by_name_and_path(tmp_path: Path):
    assert find_pipeline("fine-tune-cot") == find_pipeline("distil/fine-tune-cot")
    with pytest.raises(PipelineError, match=r"did you mean '(distil/)?fine-tune-cot'"):
        find_pipeline("fine-tune-cott")
    with pytest.raises(PipelineError, match="no such pipeline file"):
        find_pipeline(str(tmp_path / "none.yaml"))


OWN = "pipeline: my/own\nroles: {teacher: writes}\nsteps:\n  - {step: generate, prompt: prompt.j2}\n"
PROMPT = "{#- version: 1 -#}\n{% call user() %}{{ problem.question }}{% endcall %}\n"


def own_folder(folder: Path) -> Path:
    """A method of the user's: a pipeline file, and a prompt beside it."""
    folder.mkdir(parents=True)
    (folder / "prompt.j2").write_text(PROMPT)
    return yaml_file(folder / "pipeline.yaml", OWN).parent


def test_every_name_of_the_catalogue_finds_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Whole and short, and before a folder of the same name, which is reached with `./`."""
    for name, path in catalogue().items():
        assert path.parts[-3:] == (*name.split("/"), "pipeline.yaml")
        assert find_pipeline(name) == find_pipeline(name.rsplit("/", 1)[-1]) == path
    monkeypatch.chdir(tmp_path)
    own_folder(tmp_path / "star")
    assert find_pipeline("star") == catalogue()["self_training/star"]
    assert find_pipeline("./star") == Path("star/pipeline.yaml")


def test_a_folder_is_a_pipeline_by_the_file_in_it(tmp_path: Path):
    """The folder and its file are the same pipeline, and the files that it names lie beside it."""
    folder = own_folder(tmp_path / "mine" / "method")
    assert find_pipeline(str(folder)) == find_pipeline(f"{folder}/") == folder / "pipeline.yaml"
    by_folder, by_file = load_pipeline(folder), load_pipeline(folder / "pipeline.yaml")
    assert by_folder.fingerprint() == by_file.fingerprint()
    assert by_folder.origin == str(folder / "pipeline.yaml")
    with pytest.raises(PipelineError, match=r"this folder holds no pipeline\.yaml"):
        find_pipeline(str(tmp_path / "mine"))


@pytest.mark.parametrize("name", ["", "\0", "a" * 999, "no/such/folder"])
def test_what_is_no_folder_is_no_pipeline(name: str):
    """Also a name that no file can have, and the empty one."""
    with pytest.raises(PipelineError, match="there is no pipeline"):
        find_pipeline(name)


def test_a_preset_extends_a_folder_below_its_own(tmp_path: Path):
    """A folder elsewhere is refused, and so is one whose pipeline file is a link to elsewhere."""
    own_folder(tmp_path / "mine" / "base")
    preset = yaml_file(tmp_path / "mine" / "p.yaml", "pipeline: my/p\nextends: base\n")
    assert [s.name for s in load_pipeline(preset).steps] == ["generate"]
    own_folder(tmp_path / "other")
    yaml_file(preset, "pipeline: my/p\nextends: ../other\n")
    with pytest.raises(PipelineError, match="outside"):
        load_pipeline(preset)
    assert load_pipeline(preset, media_from=[tmp_path / "other"]).steps
    (tmp_path / "mine" / "base" / "pipeline.yaml").unlink()
    (tmp_path / "mine" / "base" / "pipeline.yaml").symlink_to(tmp_path / "other" / "pipeline.yaml")
    yaml_file(preset, "pipeline: my/p\nextends: base\n")
    with pytest.raises(PipelineError, match="outside"):
        load_pipeline(preset)

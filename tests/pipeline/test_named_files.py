"""A pipeline may come from a stranger: the files it names lie in its own folder, or where the user allows."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support import synth, write_rows, yaml_file

from synth.engine import open_session
from synth.errors import PipelineError
from synth.models import ScriptedModel, World
from synth.pipeline import Draft, load_pipeline, read_pipeline
from synth.pipeline.spec import pipeline_schema

PROMPT = "{#- version: 1 -#}\n{% call user() %}{{ problem.question }}{% endcall %}\n"
EXAMPLE = {"question": "What is 1 + 1?", "steps": ["1 + 1 = 2."], "answer": "2"}
ITEMS = [{"question": f"Which of the {n} boats in the old harbour has a red sail?"} for n in range(3)]
FILES = {
    "prompt.j2": PROMPT,
    "examples.jsonl": json.dumps(EXAMPLE) + "\n",
    "items.jsonl": "".join(json.dumps(item) + "\n" for item in ITEMS),
    "leniency.json": json.dumps({"scripted": {"mean": 3.0, "std": 1.0}, "scripted:1": {"mean": 3.0, "std": 1.0}}),
    "block.yaml": "steps:\n  - {step: generate, prompt: PLACE/prompt.j2}\n",
    "base.yaml": "pipeline: my/base\nroles: {teacher: writes}\nsteps:\n  - {step: generate, prompt: PLACE/prompt.j2}\n",
}
WRITES = "  - {step: generate}\n"
NAMING = {
    "prompt": "steps:\n  - {step: generate, prompt: PLACE/prompt.j2}\n",
    "propose_prompt": "steps:\n  - {step: search, by: teacher, propose_prompt: PLACE/prompt.j2}\n",
    "examples": "steps:\n  - {step: generate, examples: PLACE/examples.jsonl}\n",
    "prompts": f"steps:\n{WRITES}  - {{step: text_stats, measures: [prompt_in_reply], prompts: [PLACE/prompt.j2]}}\n",
    "calibration": f"steps:\n{WRITES}  - {{step: review, by: teacher, calibration: PLACE/leniency.json, exclude_author: false}}\n",
    "against of a step": f"steps:\n{WRITES}  - {{step: contamination, by: teacher, against: [PLACE/items.jsonl]}}\n",
    "against": f"steps:\n{WRITES}corpus:\n  - {{step: decontaminate, against: [PLACE/items.jsonl]}}\n",
    "index": f"steps:\n{WRITES}corpus:\n  - {{step: near_duplicates, index: PLACE/index}}\n",
    "extends": "extends: PLACE/base.yaml\n",
    "use": "steps:\n  - {use: PLACE/block.yaml}\n",
    "insert": "extends: fine-tune-cot\ninsert:\n  - {after: sample, steps: [{step: generate, prompt: PLACE/prompt.j2}]}\n",
    "replace": "extends: fine-tune-cot\nreplace:\n  sample: {step: generate, prompt: PLACE/prompt.j2}\n",
    "override": "extends: fine-tune-cot\noverride:\n  sample: {prompt: PLACE/prompt.j2}\n",
}


def findings(path: Path, **options) -> list[str]:
    draft: Draft = read_pipeline(str(path), **options)
    draft.check_models({"teacher": [ScriptedModel(World()), ScriptedModel(World(), name="scripted:1")]})
    return [str(f) for f in draft.findings]


def laid(folder: Path, place: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("PLACE", place))
    (folder / "index").mkdir(exist_ok=True)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a pipeline, with its files below, and a folder beside it with the same files."""
    laid(tmp_path / "mine" / "parts", "parts")
    laid(tmp_path / "private", str(tmp_path / "private"))
    return tmp_path / "mine", tmp_path / "private"


@pytest.mark.parametrize("option", NAMING)
def test_each_option_stays_in_the_folder(option: str, folders: tuple[Path, Path]):
    """Below the pipeline's folder a file is read; beside it, absolute, or behind a link, it is a mistake with its line."""
    mine, private = folders
    for name in ("base.yaml", "block.yaml"):  # which name files from beside themselves
        (mine / "parts" / name).write_text(FILES[name].replace("PLACE/", ""))
    head = "pipeline: my/p\nroles: {teacher: writes}\n"
    path = yaml_file(mine / "p.yaml", head + NAMING[option].replace("PLACE", "parts"))
    assert findings(path) == []
    (mine / "linked").symlink_to(private)
    for place in ("../private", str(private), "linked", "parts/../../private"):
        yaml_file(path, head + NAMING[option].replace("PLACE", place))
        told = findings(path)
        assert any("lies outside" in one and "--media-from DIR" in one for one in told), (place, told)
        assert all(f"{Path('p.yaml')}:" in one for one in told)
        assert findings(path, media_from=[private]) == []


def test_no_option_names_a_file_beside_these():
    """The options that are checked are all whose description speaks of a file: a new one belongs into the table above."""
    steps = [d for d in pipeline_schema()["$defs"].values() if "step" in d.get("properties", {})]
    told = {name for step in steps for name, option in step["properties"].items() if _FILES.search(option.get("description", ""))}  # fmt: skip
    label = {"per", "by"}  # which tell records apart by their input file
    assert told - label == {"prompt", "propose_prompt", "prompts", "examples", "calibration", "against", "index"}


_FILES = re.compile(r"\bfiles?\b|\bfolder\b|\.j2", re.IGNORECASE)


@pytest.mark.parametrize("sample", ["/etc/passwd", "../samples/arithmetic.jsonl", "private.jsonl", "gym:leg_counting"])
def test_a_sample_is_a_shipped_one(sample: str, tmp_path: Path):
    """A pipeline names a shipped sample, and no file of the user, nor one of its own folder."""
    write_rows(tmp_path / "private.jsonl", [{"question": "What is 1 + 1?", "answer": "2"}])
    path = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nextends: fine-tune-cot\nsample: {sample}\n")
    with pytest.raises(PipelineError, match=r"p\.yaml:3: there is no sample"):
        load_pipeline(path)
    yaml_file(path, "pipeline: my/p\nextends: fine-tune-cot\nsample: logic.jsonl\n")
    assert load_pipeline(path).sample == "logic.jsonl"


def test_a_sample_may_be_made_by_a_generator(tmp_path: Path):
    """Problems of a generator are a sample; a wrong option of it is found as the pipeline is loaded."""
    path = yaml_file(
        tmp_path / "p.yaml", "pipeline: my/p\nextends: fine-tune-cot\nsample: make:knights?people=3-4&size=3\n"
    )
    assert load_pipeline(path).sample == "make:knights?people=3-4&size=3"
    yaml_file(path, "pipeline: my/p\nextends: fine-tune-cot\nsample: make:knights?poeple=3\n")
    with pytest.raises(PipelineError, match=r"p\.yaml:3: unknown option 'poeple'\n.*did you mean people\?"):
        load_pipeline(path)


@pytest.mark.parametrize("name", ["../errors", "../../README", "rationale/../rationale/solve", "/etc/passwd"])
def test_a_shipped_prompt_is_one_of_the_list(name: str, tmp_path: Path):
    """A prompt without `.j2` is a name of the shipped ones, and no path."""
    path = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nsteps:\n  - {{step: generate, prompt: {name}}}\n")
    assert any(f"no such prompt: {name}" in one for one in findings(path))


def test_the_folder_is_the_loaders_to_say(tmp_path: Path):
    """A file cannot widen what it may name: `folder` is no option, in a step or in an override."""
    wide = "folder: {folder: /, allowed: null}"
    path = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nextends: fine-tune-cot\noverride:\n  sample: {{{wide}}}\n")
    assert any("sample" in one and "folder" in one for one in findings(path))
    yaml_file(path, f"pipeline: my/p\nsteps:\n  - {{step: generate, prompt: /etc/passwd.j2, {wide}}}\n")
    assert any("lies outside" in one for one in findings(path))


@pytest.mark.parametrize("option", ["prompt", "against", "calibration"])
def test_a_pipe_is_not_opened(option: str, folders: tuple[Path, Path]):
    """A named pipe in the folder is no file: the check ends at once."""
    mine, _ = folders
    for name in FILES:
        (mine / "parts" / name).unlink()
        os.mkfifo(mine / "parts" / name)
    path = yaml_file(mine / "p.yaml", "pipeline: my/p\n" + NAMING[option].replace("PLACE", "parts"))
    assert findings(path)
    with pytest.raises(PipelineError, match="no such pipeline file"):
        load_pipeline(mine / "parts" / "base.yaml")


def test_a_mapping_of_the_user_names_any_file(folders: tuple[Path, Path]):
    """What is written in Python is the user's own word; where it comes back out of a run folder it is not."""
    _, private = folders
    given = {"pipeline": "my/p", "steps": [{"step": "generate", "prompt": str(private / "prompt.j2")}]}
    assert load_pipeline(given)
    with pytest.raises(PipelineError, match="lies outside"):
        read_pipeline(given, private.parent / "mine", []).checked()


def test_the_command_line_allows_a_folder(folders: tuple[Path, Path], tmp_path: Path):
    """`--media-from` lets a pipeline name what lies there, and the run remembers it for `retry`."""
    mine, private = folders
    path = yaml_file(mine / "p.yaml", "pipeline: my/p\n" + NAMING["prompt"].replace("PLACE", "../private"))
    rows = write_rows(tmp_path / "q.jsonl", [{"question": "What is 1 + 1?", "answer": "2"}])
    words = ["--input", rows, "--run", tmp_path / "run"]
    assert "lies outside" in synth("rehearse", path, *words, check=2).stderr
    synth("rehearse", path, *words, "--media-from", private, check=0)
    remembered = json.loads((tmp_path / "run" / "run.json").read_text())["words"]
    assert remembered["media_from"] == ["../private"]
    told = synth("rehearse", path, *words, "--media-from", tmp_path / "none", check=2).stderr
    assert "does not exist" in told


def test_a_session_takes_the_folders(folders: tuple[Path, Path]):
    """In Python `media_from` is the same option, and the words of the session hold it."""
    mine, private = folders
    path = yaml_file(
        mine / "p.yaml",
        "pipeline: my/p\nroles: {teacher: writes}\nsample: arithmetic.jsonl\n"
        + NAMING["prompt"].replace("PLACE", "../private"),
    )
    with pytest.raises(PipelineError, match="lies outside"):
        open_session(str(path), given=["scripted"])
    session = open_session(str(path), given=["scripted"], media_from=[str(private)])
    assert session.words["media_from"] == [private]

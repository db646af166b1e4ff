"""Every method of the catalogue: its folder holds what a method has, and it runs to its end on its own sample."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import ROOT, ask, synth

from synth.pipeline import catalogue, find_pipeline, load_pipeline
from synth.pipeline.readme import SECTIONS, readme_of, sections_of
from synth.pipeline.table import BEGIN, END, with_table

NAMES = sorted(catalogue())
FOLDERS = sorted(p.relative_to(ROOT / "pipelines").as_posix() for p in (ROOT / "pipelines").glob("*/*"))
LONGEST = 60
"""Lines of a README: a page."""


def test_every_folder_is_a_method():
    """Nothing lies beside the folders of methods, and each of them is in the catalogue."""
    assert FOLDERS == NAMES
    assert len({name.rsplit("/", 1)[-1] for name in NAMES}) == len(NAMES)  # so that the short names are enough


@pytest.mark.parametrize("name", NAMES)
def test_the_pipeline_passes_and_says_what_it_is(name: str):
    """The static check passes; the head is complete, and begins with the line that editors read."""
    path = find_pipeline(name)
    pipeline = load_pipeline(name)
    assert pipeline.pipeline == name
    assert pipeline.title
    assert pipeline.about
    assert pipeline.cites
    assert all(re.match(r"arXiv:\d{4}\.\d{4,5} \S", work) for work in pipeline.cites)
    assert pipeline.sample or pipeline.imports
    assert set(pipeline.roles) == set(pipeline.role_names)
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=../")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / "pipeline.json"


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_has_the_sections_of_all(name: str):
    """The title of the pipeline, the same headings in the same order, none of them empty, and the works it cites."""
    readme = readme_of(find_pipeline(name))
    assert readme is not None, "README.md is missing"
    pipeline, text = load_pipeline(name), readme.read_text()
    assert text.startswith(f"# {pipeline.title}\n")
    sections = sections_of(readme)
    assert tuple(sections) == SECTIONS
    assert all(sections.values())
    assert all(work.split()[0] in sections["Source"] for work in pipeline.cites)
    assert len(text.splitlines()) <= LONGEST
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (readme.parent / link).exists(), link


@pytest.mark.parametrize("name", [name for name in NAMES if load_pipeline(name).sample])
def test_it_is_rehearsed_on_its_sample(name: str, tmp_path: Path):
    """`synth rehearse NAME` ends with 0, leaves no failure but replies without an answer, and keeps rows."""
    synth("rehearse", name, "--run", tmp_path / "run", check=0)
    problems, calls, kept = (
        ask(tmp_path / "run", f"SELECT count(*) FROM {table}")[0][0]
        for table in ("problems", "calls", "kept_rationales")
    )
    called = any(load_pipeline(name).model_steps)
    assert calls >= problems > 0 if called else calls == 0 < problems
    assert kept > 0


def test_the_table_is_that_of_the_folders():
    """The table in pipelines/README.md is what `python -m synth.pipeline.table` writes."""
    text = (ROOT / "pipelines" / "README.md").read_text()
    assert with_table(text) == text, "run: python -m synth.pipeline.table"
    assert text.count("](") >= len(NAMES)


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"])
def test_a_table_has_one_place(text: str):
    """A file without the two markers, or with several, is left alone."""
    with pytest.raises(ValueError, match="once each"):
        with_table(text)

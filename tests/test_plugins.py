"""Steps, corpus steps, sources and rewards of other packages; what of them cannot be used is left out with a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

PACKAGE = '''
from collections.abc import Iterator, Sequence
from typing import Literal

import synth
from synth.corpus import CorpusStep
from synth.records import Rejection


class Shout(synth.Step):
    """Do nothing, loudly."""

    takes = synth.Rationale
    step: Literal["shout"] = "shout"

    async def run(self, records, unit):
        return []


class RejectShort(CorpusStep):
    """Reject short questions."""

    step: Literal["reject_short"] = "reject_short"
    shortest: int = 20

    def run(self, view) -> list[Rejection]:
        pairs = zip(view.kept("problem"), view.texts("problem"))
        return [self.reject(r, "short", len(text)) for r, text in pairs if len(text) < self.shortest]


def count(words: str):
    for number in range(1, int(words) + 1):
        yield number, {"question": "What is one and one?" + " indeed" * number, "answer": "2"}


def is_long(completions: Sequence[str], **columns) -> list[float]:
    return [float(len(c) > 3) for c in completions]


not_a_step = 3
'''
POINTS = """
[synth.steps]
shout = my_plugin:Shout
generate = my_plugin:Shout
other_name = my_plugin:Shout
broken = my_plugin:absent
[synth.corpus_steps]
reject_short = my_plugin:RejectShort
wrong = my_plugin:not_a_step
[synth.sources]
count = my_plugin:count
gym = my_plugin:count
[synth.rewards]
is_long = my_plugin:is_long
correct = my_plugin:is_long
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed package."""
    (tmp_path / "site" / "my_plugin-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "my_plugin.py").write_text(PACKAGE)
    info = tmp_path / "site" / "my_plugin-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return tmp_path / "site"


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=site, timeout=120)


def test_what_a_package_registers_is_used(site: Path):
    """A pipeline uses its source, its step and its corpus step in one run; its reward is a name of `synth.rewards`."""
    code = """
import synth
from synth.corpus import all_corpus_steps
from synth.rewards import all_rewards
from synth.sources import open_source
from synth.steps import all_steps
import synth.rewards

pipeline = {"pipeline": "my/p", "about": "x", "roles": {"teacher": "writes"},
            "steps": [{"step": "generate"}, {"step": "shout"}], "corpus": [{"step": "reject_short", "shortest": 30}]}
loaded = synth.load_pipeline(pipeline)
print([s.step for s in loaded.steps], loaded.corpus[0].shortest)
print(open_source("count:3").scan().good)
print(synth.rewards.is_long(["no", "a long one"]), {"correct", "is_long"} <= set(all_rewards()))
print(all_steps()["generate"].__name__, "other_name" in all_steps(), "wrong" in all_corpus_steps())
print(hasattr(synth.rewards, "is_short"))
"""
    done = python(site, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['generate', 'shout'] 30",
        "3",
        "[0.0, 1.0] True",
        "Generate False False",
        "False",
    ]
    for what in (
        "my-plugin (synth.steps: generate) is not used: the name is taken",
        'my-plugin (synth.steps: other_name) is not used: its option is not step: Literal["other_name"] = "other_name"',
        "my-plugin (synth.steps: broken) is not used: it cannot be loaded: AttributeError",
        "my-plugin (synth.corpus_steps: wrong) is not used: it is not a class derived from CorpusStep",
        "my-plugin (synth.sources: gym) is not used: the name is taken",
        "my-plugin (synth.rewards: correct) is not used: the name is taken",
    ):
        assert what in done.stderr, what


def test_every_entry_point_is_in_the_documents():
    """The groups that the code reads are those of docs/plugins.md."""
    text = (ROOT / "docs" / "plugins.md").read_text()
    listed = set(re.findall(r"^\| `(synth\.\w+)` \|", text, re.MULTILINE))
    read = re.compile(r'(?:plugins|functions|entry_points)\(\s*(?:group=)?"(synth\.\w+)"')
    assert listed == {group for path in (ROOT / "synth").rglob("*.py") for group in read.findall(path.read_text())}

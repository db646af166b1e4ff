"""Runs that all exports are made of, made once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from stepped_records import BAD, BAD_STEPS, GOOD, GOOD_STEPS, on_steps, preferred, solved
from support import run, stored, sums, yaml_file

from synth.models import ScriptedModel, World
from synth.records import Problem


def _made(folder: Path, pipeline: str | Path, n: int, **world: float) -> Path:
    model = ScriptedModel(World(**world))
    asyncio.run(run(pipeline, sums(folder / "in.jsonl", n), folder / "run", model))
    return folder / "run"


@pytest.fixture(scope="session")
def cot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Right and wrong rationales, and pairs of them."""
    return _made(tmp_path_factory.mktemp("cot"), "distil/fine-tune-cot", 30)


@pytest.fixture(scope="session")
def split_cot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in splits."""
    folder = tmp_path_factory.mktemp("split")
    pipeline = yaml_file(
        folder / "p.yaml",
        """
        pipeline: my/split
        extends: distil/fine-tune-cot
        corpus:
          - {step: split, shares: {train: 0.6, validation: 0.2, test: 0.2}, threshold: null}
        """,
    )
    return _made(folder, pipeline, 30)


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rationales with feedback on mistakes and spoken reviews."""
    folder = tmp_path_factory.mktemp("reviewed")
    models = [ScriptedModel(World(solve_rate=0.7, locate_rate=0.8), name=name) for name in "xy"]
    asked = {"student": [ScriptedModel(World(solve_rate=0.4), name="student")], "teachers": models}
    asyncio.run(run("peer_review/mapd", sums(folder / "in.jsonl", 40), folder / "run", asked))
    return folder / "run"


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trees of thoughts, whose paths are rationales with steps."""
    return _made(tmp_path_factory.mktemp("trees"), "trees/tree-of-thoughts", 6)


@pytest.fixture(scope="session")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six problems, each with a right solution and one that goes wrong at its second step; labels, values and weights of steps."""
    records: list[Any] = []
    for i in range(6):
        problem = Problem.root(question=f"What is 2 + 2 + 1, case {i}?", answer="5", answer_kind="number")
        good, bad = solved(problem, "good", GOOD, GOOD_STEPS), solved(problem, "bad", BAD, BAD_STEPS)
        records += [problem, good, bad, preferred(good, bad, 1)]
        records += on_steps(good, "step_correct", [1, 1, 1], reasons=["Sound.", "True.", "Right sum."])
        records += on_steps(bad, "step_correct", [1, 0, 0, None], reasons=["Sound.", "2 + 2 is 4.", "Follows.", "?"])
        records += on_steps(good, "step_value", [0.75, 0.875, 1.0]) + on_steps(
            bad, "step_value", [0.75, 0.125, 0.0, 0.0]
        )
        records += on_steps(good, "step_gain", [-0.25, 0.5, 1.0]) + on_steps(bad, "step_gain", [0.5, -1.0, 0.0, 0.0])
    folder = tmp_path_factory.mktemp("stepped") / "run"
    stored(folder, *records)
    return folder

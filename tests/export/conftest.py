"""Runs that all exports are made of, made once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support import run, sums, yaml_file

from synth.models import ScriptedModel, World


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

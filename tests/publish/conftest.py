"""A Hub on loopback, and runs to publish."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, FakeHub, fake_hub
from support import run, sums, yaml_file

from synth.teachers import ScriptedTeacher, World

PIPELINE = """
    pipeline: my/published
    extends: distil/fine-tune-cot
    corpus:
      - {step: split, shares: {train: 0.6, validation: 0.4}, threshold: null}
"""


@pytest.fixture(scope="session")
def run_in_splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rationales and pairs in two splits; nobody writes to it."""
    folder = tmp_path_factory.mktemp("published")
    teacher = ScriptedTeacher(World())
    asyncio.run(run(yaml_file(folder / "p.yaml", PIPELINE), sums(folder / "in.jsonl", 30), folder / "cot", teacher))
    return folder / "cot"


@pytest.fixture
def mine(run_in_splits: Path, tmp_path: Path) -> Path:
    """The same, to write to."""
    return Path(shutil.copytree(run_in_splits, tmp_path / "cot"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The Hub, and a login there; large files go the way of Git LFS, and nobody waits before a second try."""
    import huggingface_hub.constants
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    disable_progress_bars()
    with fake_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub
    enable_progress_bars()

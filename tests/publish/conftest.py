"""A Hub on loopback, and runs to publish."""

from __future__ import annotations

import asyncio
import importlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, FakeHub, fake_hub
from support import StandIn, run, sums, yaml_file

from synth.audit import run_audits
from synth.models import World
from synth.publish.bundle import make_bundle

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
    model = StandIn(World())
    asyncio.run(run(yaml_file(folder / "p.yaml", PIPELINE), sums(folder / "in.jsonl", 30), folder / "cot", model))
    return folder / "cot"


@pytest.fixture
def mine(run_in_splits: Path, tmp_path: Path) -> Path:
    """The same, to write to."""
    return Path(shutil.copytree(run_in_splits, tmp_path / "cot"))


@pytest.fixture(autouse=True)
def _made_once(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was made of a run once is copied where the same is made again: tests of the Hub need not wait for it."""
    push = importlib.import_module("synth.publish.push")

    def audits(run: Path, **settings: Any) -> Any:
        key = repr((run, _stamp(run), settings))
        if key not in _MADE:
            _MADE[key] = run_audits(run, **settings)
        return _MADE[key]

    def bundle(run: Path, folder: Path, *made_of: Any) -> Any:
        key = repr((run, _stamp(run), made_of))
        if key not in _MADE:
            kept = tmp_path_factory.mktemp("bundle")
            _MADE[key] = kept, make_bundle(run, kept, *made_of)
        kept, made = _MADE[key]
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        return replace(made, files=tuple(f._replace(file=folder / f.path) for f in made.files))

    monkeypatch.setattr(push, "run_audits", audits)
    monkeypatch.setattr(push, "make_bundle", bundle)


_MADE: dict[str, Any] = {}


def _stamp(run: Path) -> int:
    return sum(p.stat().st_size for p in run.rglob("*") if p.is_file())


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

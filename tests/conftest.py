"""What every test stands on: an empty folder to work in, and no settings of the person who runs the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("synth", deadline=None)  # a busy machine is no mistake
hypothesis.settings.load_profile("synth")

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings for what is made once for many tests: nothing is read from, or written to, those of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        yield


@pytest.fixture(autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path_factory.mktemp("settings")
    profile = settings / "models.yaml"
    profile.write_text("models: {}\n")
    monkeypatch.setenv("SYNTH_MODELS", str(profile))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(settings))  # what is approved, and the secret that signs run folders
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(settings)


@pytest.fixture(scope="session")
def data() -> Path:
    """Real data beside the checkout; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("SYNTH_DATA", HERE.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no data: set SYNTH_DATA")
    return folder

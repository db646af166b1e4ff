"""`synth push` as people give it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import TOKEN, FakeHub
from support import synth

from synth.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


Push = Callable[..., tuple[int, str]]


@pytest.fixture
def push(run_in_splits: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Push:
    """The command in this process: its exit code, and what it told (where it failed, on standard error)."""

    def given(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["synth", "push", str(run_in_splits), "me/cot", *words])
        try:
            main()
        except SystemExit as ended:
            return int(str(ended.code)), capsys.readouterr().err
        return 0, capsys.readouterr().out

    return given


def test_what_is_shown_is_what_is_done(hub: FakeHub, run_in_splits: Path, push: Push):
    words = ["--to", "sft", "--to", "dpo"]
    env = {**os.environ, "HF_HUB_DISABLE_XET": "1"}
    dry = synth("push", run_in_splits, "me/cot", *words, "--dry-run", env=env, check=0)
    shown = dry.stdout
    assert hub.writes == []
    assert shown.startswith("me/cot: private, new, branch main\n")
    would = r"^would send 9 files \([\d,]+ bytes\) and remove 0; nothing was written$"
    assert re.search(would, shown, re.MULTILINE)
    code, done = push(*words)
    assert code == 0
    files = hub.repos["me/cot"].files()
    for path, content in files.items():
        if path != ".gitattributes":
            line = rf"^new +{re.escape(path)} .*{len(content):,} bytes  sha256 [0-9a-f]{{64}}$"
            assert re.search(line, shown, re.MULTILINE)[0] == re.search(line, done, re.MULTILINE)[0], path
    assert done.splitlines()[-1].endswith(f"sent, 0 removed: {hub.url}/datasets/me/cot")
    assert TOKEN not in shown + dry.stderr + done


def test_exit_codes_and_what_is_reported(hub: FakeHub, push: Push, monkeypatch: pytest.MonkeyPatch):
    hub.make("me/cot", {"notes.txt": b"mine"})
    code, told = push("--to", "sft")
    assert code == 0
    assert "not from a push, and left as they are: notes.txt\n" in told
    assert "me/cot: private, branch main\n" in told
    code, told = push("--to", "sft")
    assert (code, told.splitlines()[-1]) == (0, f"nothing to send: {hub.url}/datasets/me/cot has all of it")
    code, told = push("--to", "dpo", "--dry-run")
    assert code == 0
    assert told.count("gone ") == 2
    code, told = push("--to", "sft", "--set", "kept_rows=1000000")
    assert (code, "--ignore-audits" in told) == (1, True)
    code, told = push("--to", "stf")
    assert (code, "did you mean sft?" in told) == (2, True)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "WrongOne0" * 5)
    code, told = push("--to", "sft")
    assert (code, "does not accept the token" in told, "WrongOne" in told) == (2, True, False)

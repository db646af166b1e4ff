"""What a run leaves in its folder for `synth status`: what it does while it lives, how it ended, and that it was killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from forks import MAIN, python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import endpoint, manifest, reply, sums, synth, yaml_file

from synth.calls import CallCounts, Waiting
from synth.cli.panel import Panel
from synth.engine import Progress
from synth.engine import state as module
from synth.engine.state import StateWriter
from synth.errors import RunFolderError
from synth.store.run_folder import hold
from synth.store.state import STATE, is_held, read_state, write_state

LIVE = {"asking", "starting"}


@pytest.fixture
def setting(tmp_path: Path) -> Path:
    """A folder with six problems and a pipeline that asks each once."""
    sums(tmp_path / "in.jsonl", 6)
    yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}, {step: verify_answer}]")
    return tmp_path


def _status(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(synth("status", "run", "--json", cwd=folder, check=0).stdout)
    return found


def _words(url: str) -> list[str]:
    return ["run", "p.yaml", "--input", "in.jsonl", "--run", "run", "--model", f"{url}#m"]


def test_a_run_says_that_it_runs_and_how_it_ended(setting: Path):
    """While a process holds the folder, `status` says so and what it does; then that it finished, or why it stopped."""
    seen: list[dict[str, Any]] = []
    looking: list[bool] = []

    async def answer(_request: Any, _body: Any) -> Any:
        if not looking:
            looking.append(True)
            seen.append(await asyncio.to_thread(_status, setting))
        return reply("It is.\nThe answer is 5.")

    with endpoint(answer) as (url, _):
        synth(*_words(url), "--max-calls", "4", cwd=setting, check=3)
        assert {s["state"]["running"] for s in seen} == {True}
        assert {s["state"]["activity"] for s in seen} <= LIVE
        stopped = _status(setting)
        assert (stopped["state"]["running"], stopped["state"]["activity"]) == (False, "stopped")
        assert "4 calls" in stopped["state"]["why"]
        assert (stopped["session"]["calls"], stopped["total"]["calls"]) == (4, 4)
        text = synth("status", "run", cwd=setting, check=0).stdout
        assert "not running: the last session stopped early" in text
        done = synth(*_words(url), cwd=setting, check=0)
    finished = _status(setting)
    assert finished["state"]["activity"] == "finished"
    assert finished["state"]["why"] is None
    assert (finished["session"]["calls"], finished["total"]["calls"]) == (2, 6)
    assert (finished["session"]["problems"], finished["done"], finished["problems"]) == (2, 6, 6)
    assert "this session: 2 calls" in done.stderr
    assert "all sessions: 6 calls" in done.stderr
    assert not any("this session" in line and "all sessions" in line for line in done.stderr.splitlines())


def test_a_killed_run_is_reported_as_such(setting: Path):
    """Its note says that it asks, and nobody holds the folder."""
    asked: list[bool] = []
    over: list[bool] = []

    async def never(_request: Any, _body: Any) -> Any:
        asked.append(True)
        while not over:
            await asyncio.sleep(0.01)
        return reply()

    with endpoint(never) as (url, _):
        process = python(MAIN, *_words(url), cwd=setting, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ends = time.monotonic() + 30
            while not asked and time.monotonic() < ends:
                time.sleep(0.05)
            assert is_held(setting / "run")
            assert _status(setting)["state"]["process"] == process.pid
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            over.append(True)
            time.sleep(0.1)
    found = _status(setting)["state"]
    assert (found["running"], found["activity"], found["waiting"]) == (False, "killed", [])
    assert "was killed" in synth("status", "run", cwd=setting, check=0).stdout


def test_a_look_does_not_refuse_a_command(tmp_path: Path):
    """`status` asks for the lock for a moment; a command that wants the folder at that moment gets it."""
    folder = tmp_path / "run"
    hold(folder).release()
    assert is_held(folder) is False
    look = """
import sys, time
from pathlib import Path
from synth.store.state import is_held
print("ready", flush=True)
while True: is_held(Path(sys.argv[1]))
"""
    process = python(look, folder, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(50):
            lock = hold(folder)
            assert is_held(folder)
            with pytest.raises(RunFolderError, match="another process is at work"):
                hold(folder)
            lock.release()
    finally:
        process.kill()
        process.communicate()


def test_waiting_and_retrying_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the limiter says of an endpoint is in the folder, in the progress lines and in `status`, until it is over."""
    monkeypatch.setattr(module, "SECONDS", 0.01)
    manifest(tmp_path)
    (tmp_path / "journal").mkdir()
    progress = Progress(total=9, done=2, calls=CallCounts())
    progress.enter("asking", "asking")
    panel = Panel(progress, "p")
    lock = hold(tmp_path)
    with StateWriter(tmp_path, progress):
        progress.calls.retrying = 3
        assert _until(tmp_path, "retrying")["retrying"] == 3
        assert "retrying 3 calls: 2 of 9 problems" in panel.lines()[0]
        progress.waits = lambda: {"mine": Waiting("backing off", "rate_limit", 60.0, 600.4)}
        assert _until(tmp_path, "waiting")["waiting"][0]["cause"] == "rate_limit"
        assert panel.lines()[1].startswith("waiting for mine (backing off, rate_limit) since ")
        assert panel.lines()[1].endswith("Z, next try in 600 s")
        text = synth("status", tmp_path, check=0).stdout
        assert "running: waiting" in text
        assert "waiting for mine (backing off, rate_limit) since " in text
        found = json.loads(synth("status", tmp_path, "--json", check=0).stdout)["state"]["waiting"]
        assert [(w["model"], w["state"]) for w in found] == [("mine", "backing off")]
        progress.waits, progress.calls.retrying = dict, 0
        _until(tmp_path, "asking")
        progress.calls.replayed = 2
        _until(tmp_path, "replaying")
    lock.release()
    assert orjson.loads((tmp_path / STATE).read_bytes())["activity"] == "finished"
    assert (tmp_path / STATE).stat().st_mode & 0o777 == 0o600


def _until(folder: Path, activity: str) -> dict[str, Any]:
    """What the folder says, when it says this."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        found = read_state(folder)
        if found is not None and found.activity == activity:
            return found.model_dump()
        time.sleep(0.005)
    raise AssertionError(f"it never was {activity}")


def test_session_and_total_have_lines_of_their_own():
    """Where sessions came before, the first line counts this session alone and the second all of them."""
    progress = Progress(total=200, earlier=40, done=18, calls=CallCounts())
    progress.enter("asking", "asking")
    assert progress.calls is not None
    progress.calls.sent, progress.calls.prompt_tokens = 72, 900
    here, total = Panel(progress, "p").lines()
    assert here.startswith("asking: 18 problems in this session, 72 calls")
    assert total.startswith("all sessions: 58 of 200 problems")
    progress.earlier = 0
    (only,) = Panel(progress, "p").lines()
    assert only.startswith("asking: 18 of 200 problems, 72 calls")


def _valid() -> dict[str, Any]:
    session = dict.fromkeys(
        ("problems", "calls", "replayed", "failed", "prompt_tokens", "completion_tokens", "kept"), 1
    )
    return {
        "started": 1.0,
        "written": 2.0,
        "activity": "finished",
        "phase": "done",
        "problems": 3,
        "done": 3,
        "session": {**session, "cost_usd": 0.5, "unpriced_calls": 0},
    }


@given(
    st.sampled_from(["started", "written", "activity", "problems", "session", "waiting", "why", "process", "format"]),
    st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.lists(st.integers()), st.booleans(),
              st.dictionaries(st.text(), st.integers())),
)  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_note_says_it_is_typed_or_nothing(tmp_path: Path, name: str, value: Any):
    """A folder may come from a stranger: what does not fit is as if there were no note, and never an error."""
    from synth.cli.run_status import process_state
    from synth.cli.status import _state_lines

    (tmp_path / STATE).write_text(json.dumps({"format": 1, "process": 1, **_valid(), name: value}))
    state = read_state(tmp_path)
    found = process_state(False, state)
    assert _state_lines(found)
    assert (state is None) == (found.activity == "unknown")


def test_a_note_that_is_no_file_of_the_folder(tmp_path: Path):
    """A link out of the folder is not read nor written through, a pipe holds up nobody, rubbish is passed over."""
    manifest(tmp_path)
    (tmp_path / "journal").mkdir()
    note, precious = tmp_path / STATE, tmp_path.parent / "precious.json"
    write_state(tmp_path, **_valid())
    assert read_state(tmp_path) is not None
    note.replace(precious)
    content = precious.read_bytes()
    note.symlink_to(precious)
    assert read_state(tmp_path) is None
    with pytest.raises(RunFolderError, match="leads out of the run folder"):
        hold(tmp_path)
    assert precious.read_bytes() == content
    note.unlink()
    os.mkfifo(note)
    assert read_state(tmp_path) is None
    with pytest.raises(RunFolderError, match="not a file"):
        hold(tmp_path)
    note.unlink()
    note.write_bytes(b"\xff{")
    assert read_state(tmp_path) is None
    assert "unknown" in synth("status", tmp_path, "--json", check=0).stdout


def test_a_full_disk_is_not_its_business(tmp_path: Path):
    """Where the note cannot be written the run goes on: what matters is reported by what matters."""
    with StateWriter(tmp_path / "file" / "below", Progress()) as writer:
        (tmp_path / "file").rename(tmp_path / "gone")
        (tmp_path / "file").write_bytes(b"")
    assert writer.stopped is None

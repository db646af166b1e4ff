"""Killed for real, at any moment: nothing paid is paid twice, and the corpus is the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from forks import MAIN, python
from support import ask, contents, endpoint, reply, sums, synth, yaml_file

from synth.calls.gathering import GATHER_FROM, GATHER_MOST

PIPELINE = """
    pipeline: my/kill
    roles: {teacher: writes}
    steps:
      - {step: generate, samples: 3, temperature: 0.7}
      - {step: verify_answer}
      - {step: pair}
      - {step: filter, keep: score.correct}
      - {step: deduplicate}
    corpus:
      - {step: near_duplicates, target: rationale, threshold: 0.9}
"""
CONCURRENCY = 4
KILLS = int(os.environ.get("SYNTH_KILLS", "4"))
"""How often the process is killed; 50 and more take minutes."""
PROBLEMS = 30 * KILLS


async def _answer(_request, body):
    """A model that is right three times of five, by what it was asked."""
    await asyncio.sleep(0.02)
    digest = hashlib.sha256(json.dumps([body["messages"], body["seed"]]).encode()).digest()
    question = body["messages"][-1]["content"]
    case = int(question.split("Case ")[1].split(":")[0])
    answer = case * 10 + 5 if digest[0] % 5 < 3 else digest[1]
    return reply(f"Let us see, {digest.hex()[:24]}.\nIt grows by {digest[2]}.\nThe answer is {answer}.")


@pytest.fixture
def setting(tmp_path: Path):
    """A pipeline, an input, and a real server; gives the words of the command, and what the server saw."""
    pipeline = yaml_file(tmp_path / "kill.yaml", PIPELINE)
    rows = sums(tmp_path / "in.jsonl", 40)
    with endpoint(_answer) as (url, seen):
        profile = tmp_path / "models.yaml"
        profile.write_text(
            f"models: {{t: {{base_url: '{url}', model: m, capabilities: [seed], concurrency: {CONCURRENCY}}}}}\n"
        )
        yield ["run", pipeline, "--input", rows, "--profile", profile, "--model", "t", "--run"], seen


def _start(words, folder: Path) -> subprocess.Popen[bytes]:
    return python(MAIN, *words, folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _entries(folder: Path) -> int:
    return sum(p.read_bytes().count(b"\n") for p in (folder / "journal").glob("*.jsonl")) if folder.exists() else 0


def _wait_for(folder: Path, entries: int, process: subprocess.Popen[bytes]) -> None:
    while _entries(folder) < entries and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.parametrize("concurrency", [CONCURRENCY, 256])
def test_killed_at_random_moments_gives_the_same_corpus_and_pays_nothing_twice(tmp_path: Path, concurrency: int):
    pipeline = yaml_file(tmp_path / "kill.yaml", PIPELINE)
    calls = 3 * PROBLEMS * (1 if concurrency == CONCURRENCY else 4)
    rows = sums(tmp_path / "in.jsonl", calls // 3)
    chance = random.Random()
    asked: list[str] = []
    answered: dict[str, tuple[float, float]] = {}
    """When calls came, and when they were answered."""
    late: list[str] = []
    killed: list[float] = []
    # Many at once take half a second, so that the run keeps up with them; then a busy machine may be late to let it read.
    takes, on_its_way = (0.5, 0.5) if concurrency > CONCURRENCY else (0.0, 0.0)

    async def answer(request, body):
        key = json.dumps([body["messages"], body["seed"]])
        asked.append(key)
        came = time.monotonic()
        was = answered.pop(key, None)
        if was is not None and not any(was[0] - 0.1 < moment < was[1] + on_its_way + 0.5 for moment in killed):
            late.append(key)
        await asyncio.sleep(takes)
        made = await _answer(request, body)
        answered[key] = came, time.monotonic()
        return made

    with endpoint(answer) as (url, _):
        profile = tmp_path / "models.yaml"
        profile.write_text(
            f"models: {{t: {{base_url: '{url}', model: m, capabilities: [seed], concurrency: {concurrency}}}}}\n"
        )
        words = ["run", pipeline, "--input", rows, "--profile", profile, "--model", "t", "--run"]
        folder = tmp_path / "killed"
        kills = 0
        while kills < KILLS:
            before = _entries(folder)
            process = _start(words, folder)
            _wait_for(folder, before + 1 + chance.randrange(20), process)
            time.sleep(chance.random() * (takes + 0.05))
            process.kill()
            killed.append(time.monotonic())
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it was killed: more problems are needed"
            kills += 1
        assert "asked" in synth("status", folder, check=0).stdout  # a killed run can be looked at
        synth(*words, folder, check=0)
        twice = len(asked) - calls
        assert len(set(asked)) == calls
        # What was in flight when the process died is all that can have been asked twice; and one group, where there are.
        assert 0 <= twice <= kills * (concurrency + (GATHER_MOST if concurrency >= GATHER_FROM else 0))
        assert not late
        statuses = ask(folder, "SELECT key, status FROM calls")
        assert max(Counter(key for key, status in statuses if status == "ok").values()) == 1
        assert len(statuses) == calls
        print(f"{kills} kills, {calls} calls, {twice} asked twice")

        asked.clear()
        done = synth(*words, folder, check=0)
        assert not asked
        assert "0 calls" in done.stderr
        answered.clear()
        synth(*words, tmp_path / "whole", check=0)
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_waits_for_the_calls_in_flight(setting, tmp_path: Path, how: signal.Signals):
    words, seen = setting
    folder = tmp_path / "interrupted"
    process = _start(words, folder)
    _wait_for(folder, 20, process)
    process.send_signal(how)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"same command" in told
    assert b"Traceback" not in told
    asked = len(seen)
    assert asked < 120
    assert ask(folder, "SELECT count(*) FROM calls WHERE status = 'ok'") == [(asked,)]
    synth(*words, folder, check=0)
    assert len(seen) == 120


def test_a_second_interrupt_waits_for_nothing_and_is_reported_in_words(tmp_path: Path):
    """The server never answers, so that only the second interrupt can end the run."""

    async def never(request, body):
        await asyncio.sleep(60)

    pipeline = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nroles: {teacher: x}\nsteps:\n  - {step: generate, examples: none}\n",
    )
    with endpoint(never) as (url, seen):
        rows = sums(tmp_path / "in.jsonl", 8)
        process = _start(["run", pipeline, "--input", rows, "--model", f"{url}#m", "--run"], tmp_path / "run")
        for _ in range(200):
            if len(seen) >= 8:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # long enough for a run that does not wait to be over
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 3
    assert b"same command" in told
    assert b"Traceback" not in told


def test_torn_last_line_is_passed_over_and_its_call_asked_again(setting, tmp_path: Path):
    words, seen = setting
    folder = tmp_path / "torn"
    synth(*words, folder, check=0)
    whole = contents(folder)
    (folder / "corpus.duckdb").unlink()
    journal = folder / "journal" / "000001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    calls = [i for i, line in enumerate(lines) if line.startswith(b'{"kind":"call"')]
    journal.write_bytes(b"".join(lines[: calls[-1]]) + lines[calls[-1]][:-40])  # as after a power cut
    asked = len(seen)
    synth(*words, folder, check=0)
    assert len(seen) == asked + 1
    assert contents(folder) == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits on files")
def test_full_disk_stops_the_run_and_the_same_command_goes_on(setting, tmp_path: Path):
    words, seen = setting
    folder = tmp_path / "full"
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); {MAIN}"
    with python(limited, *words, folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 3, told
    assert "Traceback" not in told
    assert "can no longer be written" in told
    assert "same command" in told
    recorded = _entries(folder)
    assert 0 < recorded < 120
    asked = len(seen)
    synth(*words, folder, check=0)
    assert ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls") == [(120, 120)]
    # Replies that came home while the disk was full are the only ones asked for again.
    assert len(seen) - asked <= 120 - (recorded - 40) + CONCURRENCY

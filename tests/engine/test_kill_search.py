"""A search of one problem is killed in its middle: what was received is not asked again, and the tree is the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from forks import MAIN, python
from support import ask, contents, endpoint, reply, sums, synth, yaml_file

CONCURRENCY = 4


async def _answer(_request, body):
    """A model whose solutions are right one time of two, by what it was asked."""
    await asyncio.sleep(0.03)
    digest = hashlib.sha256(json.dumps([body["messages"], body["seed"]]).encode()).digest()
    asked = body["messages"][-1]["content"]
    case = int(asked.split("Case ")[1].split(":")[0])
    answer = case * 10 + 5 if digest[0] % 2 else digest[1] + 1000
    lines = [f"Step {digest.hex()[i : i + 8]} follows." for i in (0, 8, 16, 24)]
    return reply("\n".join([*lines, f"The answer is {answer}."]))


@pytest.mark.parametrize("policy", ["omega", "uct"])
def test_a_search_that_is_killed_continues_where_it_was(tmp_path: Path, policy: str):
    pipeline = yaml_file(
        tmp_path / "kill.yaml",
        f"""
        pipeline: my/kill
        roles: {{teacher: writes}}
        steps:
          - {{step: search, policy: {policy}, {"samples" if policy == "omega" else "width"}: 4, max_searches: 12, max_calls: 120}}
        """,
    )
    rows = sums(tmp_path / "in.jsonl", 1)
    asked: list[str] = []

    async def answer(request, body):
        asked.append(json.dumps([body["messages"], body["seed"]]))
        return await _answer(request, body)

    with endpoint(answer) as (url, _):
        profile = tmp_path / "models.yaml"
        profile.write_text(
            f"models: {{t: {{base_url: '{url}', model: m, capabilities: [seed], concurrency: {CONCURRENCY}}}}}\n"
        )
        words = ["run", pipeline, "--input", rows, "--profile", profile, "--model", "t", "--run"]
        folder, kills = tmp_path / "killed", 0
        for entries in (8, 25):
            process = python(MAIN, *words, folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            while _received(folder) < entries and process.poll() is None:
                time.sleep(0.002)
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
            kills += 1
        synth(*words, folder, check=0)
        received = Counter(key for key, status in ask(folder, "SELECT key, status FROM calls") if status == "ok")
        assert len(received) > 30
        assert max(received.values()) == 1  # nothing that was received was asked again
        assert len(set(asked)) == len(received)
        assert len(asked) - len(received) <= kills * CONCURRENCY  # what was in flight
        first = len(asked)
        synth(*words, folder, check=0)
        assert len(asked) == first
        synth(*words, tmp_path / "whole", check=0)
    assert contents(folder) == contents(tmp_path / "whole")


def _received(folder: Path) -> int:
    journals = (folder / "journal").glob("*.jsonl") if folder.exists() else ()
    return sum(p.read_bytes().count(b'"kind":"call"') for p in journals)

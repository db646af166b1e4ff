"""Nothing that a program does outlives the process that ran it: real processes, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from forks import python

from synth.sandbox import choose, why_none

pytestmark = pytest.mark.skipif(why_none() is not None, reason="there is no sandbox here")

RUNS_FOR_EVER = """
import asyncio, sys
from synth.sandbox import Limits, Program, choose

async def main():
    (sandbox,) = choose((sys.argv[1],))
    runs = [asyncio.ensure_future(sandbox.run(Program("while True: pass"), Limits(seconds=60))) for _ in range(2)]
    await asyncio.sleep(2)
    print("running", flush=True)
    await asyncio.gather(*runs)

asyncio.run(main())
"""


def of_sandboxes() -> dict[int, str]:
    """Processes of sandboxes that are alive, by their number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and ("/sandbox/child.py" in words or "monty subprocess" in words):
            found[int(path.name)] = words
    return found


@pytest.mark.parametrize("name", [one.name for one in choose()] if why_none() is None else [])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_leaves_none_behind(name: str, how: signal.Signals):
    """Two programs that never end, and their parent is killed: within seconds none of their processes is left."""
    before = set(of_sandboxes())
    with python(RUNS_FOR_EVER, name, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"running\n"
            assert len(set(of_sandboxes()) - before) >= 1
            os.kill(process.pid, how)
            process.wait(timeout=20)
        finally:
            process.kill()
    end = time.monotonic() + 10
    while (left := {n: w for n, w in of_sandboxes().items() if n not in before}) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == {}

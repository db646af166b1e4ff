"""Nothing that a program does outlives the process that ran it: real processes, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from descendants import below, still
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


@pytest.mark.parametrize("name", [one.name for one in choose()] if why_none() is None else [])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_leaves_none_behind(name: str, how: signal.Signals):
    """Two programs that never end, and their parent is killed: within seconds none of their processes is left."""
    with python(RUNS_FOR_EVER, name, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"running\n"
            begun = below(process.pid)
            assert [one for one in begun if "/sandbox/child.py" in one.words or "monty subprocess" in one.words]
            os.kill(process.pid, how)
            process.wait(timeout=20)
        finally:
            process.kill()
    end = time.monotonic() + 10
    while (left := still(begun)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == set()

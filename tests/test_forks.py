"""A command that was forked is as one that an interpreter was started for."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forks import AT_START, python

LOOKS = """
import asyncio, atexit, json, os, signal, sys, tempfile, threading, time
print(*map(json.dumps, [
    os.getcwd(), sorted(os.environ.items()), sys.argv, sys.path, __name__, sys.modules["__main__"].__dict__ is globals(),
    [(s.fileno(), s.isatty(), s.encoding, s.errors, s.line_buffering) for s in (sys.stdin, sys.stdout, sys.stderr)],
    sys.stdin.read(), time.tzname, tempfile.gettempdir(), threading.active_count(), os.getsid(0) == os.getpid(),
    [str(signal.getsignal(s)).split(" at ")[0] for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
    sorted(int(f) for f in os.listdir("/proc/self/fd"))[:3], os.umask(0),
]), sep="\\n")
"""
ENDS = {
    "value": "import sys; sys.exit(3)",
    "words": "import sys; sys.exit('words')",
    "nothing": "import sys; sys.exit()",
    "error": "1 / 0",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "atexit": "import atexit; atexit.register(print, 'last'); print('first')",
    "thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()",
}


def both(code: str, *words: str, **options: Any) -> list[tuple[int, str, str]]:
    """How the code ends in an interpreter, and forked: exit code and streams."""
    interpreter = subprocess.Popen([sys.executable, "-c", code, *words], start_new_session=True, **options)
    ended = []
    for process in (interpreter, python(code, *words, **options)):
        with process:
            out, err = process.communicate("given" if options.get("stdin") == subprocess.PIPE else None, timeout=60)
        ended.append((process.returncode, out, err))
    return ended


def test_it_looks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Folder, environment, arguments, streams, time zone, signals, session."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    pipe = subprocess.PIPE
    some = {k: v for k, v in os.environ.items() if k.startswith(AT_START)}
    for env in ({**os.environ}, {**some, "TMPDIR": str(tmp_path), "X": "ü"}):  # libraries of C add to what is inherited
        one, other = both(LOOKS, "a b", "--c", stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=env)
        assert one[0] == 0, one[2]
        assert other[1].splitlines() == one[1].splitlines()
        assert other == one


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_it_ends_the_same(code: str):
    """Exit codes, signals, what is printed at the end."""
    one, other = both(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert one[:2] == other[:2]
    assert one[2].splitlines()[-1:] == other[2].splitlines()[-1:]  # the frames of a traceback are others


def test_a_terminal_is_one():
    """Standard streams are those given, also where these are a terminal."""
    ours, theirs = pty.openpty()
    with python("import sys; print(sys.stdin.isatty(), sys.stdout.isatty())", stdin=theirs, stdout=theirs) as process:
        assert process.wait(60) == 0
    os.close(theirs)
    assert os.read(ours, 100) == b"True True\r\n"
    os.close(ours)


def test_commands_differ_by_chance():
    """Random numbers and the order of sets are not those of another command."""
    code = "import random, numpy as np; print(random.random(), np.random.random(), hash('a'))"
    said = []
    for _ in range(2):
        with python(code, stdout=subprocess.PIPE, text=True) as process:
            said.append(process.communicate(timeout=60)[0].split())
    assert all(one != other for one, other in zip(*said, strict=True))


def test_it_can_be_killed_and_waited_for():
    """By its id and with its group; a wait has its time."""
    with python("import time; time.sleep(60)") as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_what_is_read_at_the_start_starts_an_interpreter():
    """Such as where modules are, or how text is encoded."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with python("import sys; print(sys.stdout.encoding)", stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.communicate(timeout=60)[0] == "ascii\n"

"""Equivalence of mathematical answers, in a child process that can be ended when it takes too long.

`math_verify` bounds its time with alarm signals, which work in a main thread only and do not end a computation that
runs inside one big integer operation; and what models write can be such a computation.
"""

from __future__ import annotations

import atexit
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

import orjson

from synth.verify.verdict import Label

__all__ = ["equivalent"]

START_SECONDS = 60.0
"""For the child to import sympy, on a busy machine."""


class _Worker:
    """The child, started on first use and after it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[bytes] = queue.Queue()

    def ask(self, question: bytes, timeout: float) -> bytes | None:
        """The child's reply; None where it took longer than `timeout` seconds, or where it died of the question.

        Raises:
            RuntimeError: the child does not start.
        """
        with self._lock:
            for _ in range(2):  # a child that died may have been killed by something else: asked once more
                process = self._process
                if process is None or process.poll() is not None:
                    self.end()
                    process = self._start()
                assert process.stdin is not None
                try:
                    process.stdin.write(question + b"\n")
                    process.stdin.flush()
                    reply = self._replies.get(timeout=timeout)
                except queue.Empty:
                    self.end()
                    return None
                except BrokenPipeError:
                    reply = b""
                if reply:
                    return reply
                self.end()
            return None

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "synth.verify.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        replies: queue.Queue[bytes] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=_read, args=(process.stdout, replies), daemon=True).start()
        self._process, self._replies = process, replies
        try:
            started = bool(replies.get(timeout=START_SECONDS))
        except queue.Empty:
            started = False
        if not started:
            self.end()
            raise RuntimeError("the worker for mathematical answers does not start: python -m synth.verify.worker")
        return process

    def end(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _read(stream: IO[bytes], replies: queue.Queue[bytes]) -> None:
    try:
        for line in stream:
            replies.put(line)
    except ValueError:  # closed while reading
        pass
    replies.put(b"")


_worker = _Worker()
atexit.register(_worker.end)


def equivalent(found: str, gold: str, timeout: float) -> Label:
    """Whether two mathematical expressions (LaTeX or plain) are equivalent. Safe to call from any thread."""
    reply = _worker.ask(orjson.dumps([found, gold, timeout]), timeout)
    if reply is None:
        return "timeout"
    label: Label = orjson.loads(reply)
    return label

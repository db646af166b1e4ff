"""A part of Python, in worker processes of Monty (https://github.com/pydantic/monty), an interpreter written in Rust.

It has no files, no network, no environment and no processes: what a program asks for beyond computing is an error. A worker that a program
brings down is replaced. The package is `pydantic-monty`, in the extra `code`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Awaitable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from sys import executable
from typing import Any

from synth.sandbox.base import Limits, Program, Result, Status, as_data, refused, shortened
from synth.sandbox.missing import is_missing

__all__ = ["Monty"]

_SLEEP_SECONDS = 1.0
"""Seconds that a program may sleep, which count as none of its run time."""
_GRACE = 1.0
"""After the limit of time a worker has so many seconds to stop by itself."""
_STDIN = """\
class _Input:
    def __init__(self, text):
        self.lines = text.split("\\n")
        self.at = 0
_input = _Input(_stdin)
def input(prompt=""):
    if _input.at >= len(_input.lines) or (_input.at == len(_input.lines) - 1 and _input.lines[_input.at] == ""):
        raise EOFError("EOF when reading a line")
    _input.at += 1
    return _input.lines[_input.at - 1]
None
"""
"""Standard input for programs that read lines with `input()`. Other ways to read it are unsupported."""


class Monty:
    """Runs each program in a session of its own, in one of a few worker processes."""

    name = "monty"

    def __init__(self) -> None:
        self._pools: dict[asyncio.AbstractEventLoop, asyncio.Task[Any]] = {}
        self._wrapper: tempfile.TemporaryDirectory[str] | None = None

    @property
    def version(self) -> str:
        """Of the package."""
        return version("pydantic-monty-client")

    def missing(self) -> str | None:
        """Why it cannot be used on this machine; None where it can."""
        if find_spec("pydantic_monty") is None:
            return "pydantic-monty is not installed"
        try:
            version("pydantic-monty-client")
        except PackageNotFoundError:
            return "pydantic-monty is not installed as a package"
        return None if self._binary() else "pydantic-monty is installed without its worker (pydantic-monty-runtime)"

    def _binary(self) -> str | None:
        beside = Path(executable).with_name("monty")
        return os.environ.get("MONTY_BIN") or (str(beside) if beside.exists() else shutil.which("monty"))

    def _worker(self) -> str:
        """The command of a worker: where `setpriv` is there, one that the kernel ends when this process does."""
        binary, setpriv = self._binary(), shutil.which("setpriv")
        assert binary is not None
        if setpriv is None:
            return binary
        if self._wrapper is None:
            self._wrapper = tempfile.TemporaryDirectory(prefix="synth-monty-")
        path = Path(self._wrapper.name) / "monty"
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(setpriv)} --pdeathsig KILL {shlex.quote(binary)} "$@"\n')
        path.chmod(0o700)
        return str(path)

    async def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = loop.create_task(self._open())
        return await asyncio.shield(self._pools[loop])

    async def _open(self) -> Any:
        from pydantic_monty import AsyncMonty

        pool = AsyncMonty(
            binary_path=self._worker(), max_processes=os.cpu_count() or 1, feed_duration_limit_grace=_GRACE
        )
        await pool.__aenter__()
        return pool

    async def close(self) -> None:
        """End the workers of this event loop."""
        opening = self._pools.pop(asyncio.get_running_loop(), None)
        if opening is not None:
            await (await opening).__aexit__(None, None, None)
        if not self._pools and self._wrapper is not None:
            self._wrapper.cleanup()
            self._wrapper = None

    async def run(self, program: Program, limits: Limits) -> Result:
        """Run a program; see `Sandbox`."""
        sandbox = f"{self.name}/{self.version}"
        if (no := refused(program, sandbox)) is not None:
            return no
        pool = await self._pool()
        output = _Output(limits.output)
        begin = time.perf_counter()
        work = asyncio.ensure_future(_session(pool, program, limits, output))
        output.stop = work.cancel
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
        status, error, value = await _outcome(work, output, limits)
        seconds = time.perf_counter() - begin
        return Result(status, sandbox, seconds, output.text("stdout"), output.text("stderr"), error, value)


class _Output:
    """What a program writes, up to the limit; what goes beyond it ends the program."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._written: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._bytes = {"stdout": 0, "stderr": 0}
        self._loop = asyncio.get_running_loop()
        self.too_much = False
        self.stop: Any = None

    def __call__(self, stream: str, text: str) -> None:
        if self.too_much:
            return
        self._written[stream].append(text)
        self._bytes[stream] += len(text.encode("utf-8", "replace"))
        if self._bytes[stream] > self._most:
            self.too_much = True
            self._loop.call_soon_threadsafe(self.stop)

    def text(self, stream: str) -> str:
        """What stands in one of the two streams."""
        return "".join(self._written[stream]).encode("utf-8", "replace")[: self._most].decode("utf-8", "replace")


async def _session(pool: Any, program: Program, limits: Limits, output: _Output) -> Any:
    own = {
        "max_feed_duration_secs": limits.seconds,
        "max_memory": limits.memory,
        "max_total_sleep_secs": min(_SLEEP_SECONDS, limits.seconds),
    }
    policy = {"random_start": {"seed": 0}}
    async with pool.checkout(script_name="program.py", limits=own, os_policy=policy) as session:
        if program.stdin is not None:
            await session.feed_run(_STDIN, inputs={"_stdin": program.stdin}, print_callback=output)
        # The value of a last expression would come into this process; `None` does not.
        await session.feed_run(f"{program.code}\nNone", print_callback=output)
        if program.then is not None:
            await session.feed_run(f"{program.then}\nNone", print_callback=output)
        if program.value is not None:
            return await session.feed_run(program.value, print_callback=output)
    return None


async def _outcome(work: Awaitable[Any], output: _Output, limits: Limits) -> tuple[Status, str | None, Any]:
    """How a run ended, why, and the value that it gave."""
    from pydantic_monty import MontyCrashedError, MontyError

    too_much = f"it wrote more than {limits.output:,} bytes"
    try:
        value = as_data(await work)
    except asyncio.CancelledError:
        if not output.too_much:
            raise
        return "output", too_much, None
    except MontyCrashedError as error:
        if error.timed_out:
            return "timeout", f"it did not end within {limits.seconds:g} s", None
        return "error", "it brought the interpreter down", None
    except MontyError as error:
        raised = error.exception()
        kind, message = type(raised).__name__, shortened(str(raised))
        if output.too_much:
            return "output", too_much, None
        if kind == "TimeoutError" and ("time limit exceeded" in message or "sleep limit exceeded" in message):
            return "timeout", f"it did not end within {limits.seconds:g} s", None
        if kind == "MemoryError":
            return "memory", f"it needs more than {limits.memory // 2**20} MiB", None
        return "unsupported" if is_missing(kind, message) else "error", f"{kind}: {message}", None
    except (ValueError, TypeError, OverflowError, RecursionError) as why:  # no value that this process takes
        return "error", f"its value cannot be used: {shortened(str(why))}", None
    return ("output", too_much, None) if output.too_much else ("ok", None, value)

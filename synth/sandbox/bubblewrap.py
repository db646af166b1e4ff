"""All of Python, in namespaces of its own (Linux, https://github.com/containers/bubblewrap).

A program sees the interpreter and the system's libraries, read-only, an empty /tmp of 16 MiB, its own processes, no network, no
environment and no capability. Limits of the kernel hold its memory, time and files; a filter of system calls its processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from sys import executable
from typing import Any

import orjson

from synth.sandbox.base import Limits, Program, Result, Status, as_data, refused, shortened
from synth.sandbox.seccomp import filter_for

__all__ = ["Bubblewrap"]

_CHILD = Path(__file__).with_name("child.py")
_CHILD_THERE = "/sandbox/child.py"
_TMP, _SHARED = "/tmp", "/dev/shm"  # noqa: S108 - those of the sandbox
_TMP_BYTES = 16 * 2**20
_MOST_FILE = 2**20
"""Bytes of a file that the program writes, and of the value that it gives, at most."""
_START_SECONDS, _PATIENCE = 2.0, 2
"""The kernel ends a program that has computed for as long as its limit. One that waits, or that a busy machine does not let compute, is ended
after twice that time, and what the start of namespaces and of Python may take."""
_BLOCK = 64 * 2**10
_TIME_IS_UP = 128 + signal.SIGXCPU


class Bubblewrap:
    """Runs each program in a process of its own.

    Args:
        python: the interpreter whose standard library programs see; this one if not given. Of a virtual environment its packages are
            seen too.
    """

    name = "bubblewrap"

    def __init__(self, python: Path | None = None) -> None:
        self._python = python
        self._bwrap = shutil.which("bwrap") or "bwrap"
        self._version: str | None = None
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    @property
    def version(self) -> str:
        """Of bubblewrap, of Python, and whether system calls are filtered."""
        if self._version is None:
            self._version = f"{_version_of(self._bwrap)} Python {_python_version(self._interpreter)}"
        return self._version

    @property
    def _interpreter(self) -> Path:
        return self._python if self._python is not None else Path(executable).resolve()

    def missing(self) -> str | None:
        """Why it cannot be used on this machine; None where it can."""
        if not sys.platform.startswith("linux"):
            return "bubblewrap runs on Linux only"
        if shutil.which("bwrap") is None:
            return "bwrap is not installed"
        if filter_for() is None and os.geteuid() == 0:
            return "there is no filter of system calls for this machine, and the kernel limits no processes of root"
        with self._command("-c", "pass") as (command, fds):
            try:
                tried = subprocess.run(  # noqa: S603 - our own command
                    command,
                    pass_fds=fds,
                    capture_output=True,
                    timeout=20,
                    check=False,
                    env={},
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"bwrap cannot be run: {error}"
        if tried.returncode != 0:
            return f"bwrap does not work here: {tried.stderr.decode(errors='replace').strip()[-300:]}"
        return None

    @contextmanager
    def _command(self, *words: str, fds: Sequence[int] = ()) -> Iterator[tuple[list[str], list[int]]]:
        """The command line of a Python in the sandbox, and the files that the process is given.

        Args:
            words: what Python is given.
            fds: files that it sees beside the standard ones.
        """
        command = [
            self._bwrap,
            "--unshare-all",
            "--unshare-user",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
        ]
        command += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--clearenv"]
        for name, value in _ENVIRONMENT.items():
            command += ["--setenv", name, value]
        command += _seen(str(self._interpreter))
        command += ["--proc", "/proc", "--dev", "/dev", "--size", str(_MOST_FILE), "--tmpfs", _SHARED]
        command += ["--size", str(_TMP_BYTES), "--tmpfs", _TMP, "--chdir", _TMP]
        command += ["--ro-bind", str(_CHILD), _CHILD_THERE, "--remount-ro", "/dev", "--remount-ro", "/"]
        with tempfile.TemporaryFile() as calls:
            given = list(fds)
            if (filtered := filter_for()) is not None:
                calls.write(filtered)
                calls.seek(0)
                command += ["--seccomp", str(calls.fileno())]
                given.append(calls.fileno())
            command += ["--", str(self._interpreter), "-s", "-B", "-X", "utf8"]
            command += ["-S"] if self._python is None else []  # else the packages of that Python are seen
            yield [*command, *words], given

    async def run(self, program: Program, limits: Limits) -> Result:
        """Run a program; see `Sandbox`."""
        sandbox = f"{self.name}/{self.version}"
        if (no := refused(program, sandbox)) is not None:
            return no
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(loop, asyncio.Semaphore(os.cpu_count() or 1)):
            return await self._run(program, limits, sandbox)

    async def close(self) -> None:
        """Nothing waits: each program has a process of its own."""
        self._turns.pop(asyncio.get_running_loop(), None)

    async def _run(self, program: Program, limits: Limits, sandbox: str) -> Result:
        token = secrets.token_hex(16)
        with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as result:
            name = "program" if program.stdin is None else "__main__"
            asked = {"code": program.code, "then": program.then, "value": program.value}
            job.write(orjson.dumps({**asked, "name": name, "token": token, "limits": _limits(limits)}))
            stdin.write((program.stdin or "").encode())
            job.seek(0)
            stdin.seek(0)
            fds = [job.fileno(), result.fileno()]
            begin = time.perf_counter()
            with self._command(_CHILD_THERE, *map(str, fds), fds=fds) as (command, given):
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=stdin,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=given,
                    start_new_session=True,
                    env={},
                    cwd="/",
                )
            out, err = bytearray(), bytearray()
            ended: Status | None = None
            try:
                async with asyncio.timeout(_PATIENCE * limits.seconds + _START_SECONDS):
                    streams = ((process.stdout, out), (process.stderr, err))
                    await asyncio.gather(*(_read(process, stream, into, limits.output) for stream, into in streams))
                    await process.wait()
            except TimeoutError:
                ended = "timeout"
            finally:
                await _end(process)
            if max(len(out), len(err)) > limits.output:
                ended = "output"
            seconds = time.perf_counter() - begin
            said = _read_result(os.pread(result.fileno(), _MOST_FILE, 0), token)
        texts = {"stdout": _text(out, limits.output), "stderr": _text(err, limits.output)}
        status, error, value = _judge(ended, said, process.returncode or 0, seconds, limits)
        return Result(status, sandbox, seconds, error=error, value=value, **texts)


_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "HOME": _TMP,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All that the program finds in its environment; hashes are equal from run to run."""


async def _read(
    process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None, into: bytearray, most: int
) -> None:
    """Read what a process writes, and end it where that is too much."""
    assert stream is not None
    while block := await stream.read(_BLOCK):
        into += block
        if len(into) > most:
            _kill(process)
            return


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and all that it has begun; those in its namespaces end with it."""
    if process.returncode is None:
        _kill(process)
    await asyncio.shield(process.wait())
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the pipes, also where nobody has read them to their end


def _text(data: bytearray, most: int) -> str:
    return bytes(data[:most]).decode("utf-8", "replace")


def _limits(limits: Limits) -> dict[str, int]:
    """By name of the kernel's limit."""
    return {
        "RLIMIT_AS": limits.memory,
        "RLIMIT_CPU": max(1, -int(-limits.seconds // 1)),
        "RLIMIT_FSIZE": _MOST_FILE,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_NPROC": 64,
        "RLIMIT_CORE": 0,
    }


def _read_result(data: bytes, token: str) -> dict[str, Any] | None:
    """What the child says; None where it says nothing, or something that it cannot have said."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) and said.get("token") == token else None


def _judge(
    ended: Status | None, said: dict[str, Any] | None, code: int, seconds: float, limits: Limits
) -> tuple[Status, str | None, Any]:
    """How a run ended, why, and the value that it gave."""
    if ended is not None:
        most = f"within {limits.seconds:g} s" if ended == "timeout" else f"{limits.output:,} bytes"
        return ended, f"it did not end {most}" if ended == "timeout" else f"it wrote more than {most}", None
    if said is None:
        if code == _TIME_IS_UP or (code == 128 + signal.SIGKILL and seconds >= limits.seconds):
            return "timeout", f"it did not end within {limits.seconds:g} s", None
        if code == 128 + signal.SIGKILL:
            return "memory", "the system ended it", None
        return "error", f"the process ended before the program did (exit status {code})", None
    error = shortened(said["error"]) if isinstance(said.get("error"), str) else None
    status = said.get("status")
    if status == "ok":
        try:
            return "ok", None, as_data(said.get("value"))
        except ValueError as why:
            return "error", f"its value cannot be used: {why}", None
    if status == "memory":
        return "memory", f"it needs more than {limits.memory // 2**20} MiB", None
    if said.get("kind") == "ModuleNotFoundError":
        return "unsupported", error, None
    return "error", error or "it raised an error", None


@cache
def _seen(python: str) -> tuple[str, ...]:
    """The files that a program sees, as arguments of bubblewrap."""
    seen, words = {"/usr"}, ["--ro-bind", "/usr", "/usr"]
    for path in (Path("/lib"), Path("/lib64"), Path("/bin"), Path("/etc/ld.so.cache"), *map(Path, _prefixes(python))):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists() and not any(path.is_relative_to(other) for other in seen):
            words += ["--ro-bind", str(path), str(path)]
            seen.add(str(path))
    return tuple(words)


@cache
def _prefixes(python: str) -> tuple[str, ...]:
    """The folders that an interpreter needs."""
    if Path(python) == Path(executable).resolve():
        return (sys.base_prefix,)
    asked = "import sys, json; print(json.dumps([sys.prefix, sys.base_prefix]))"
    answered = subprocess.run([python, "-I", "-c", asked], capture_output=True, check=True, timeout=20)  # noqa: S603
    return tuple(json.loads(answered.stdout))


@cache
def _version_of(bwrap: str) -> str:
    answered = subprocess.run([bwrap, "--version"], capture_output=True, check=True, timeout=20)  # noqa: S603
    return answered.stdout.decode().split()[-1]


@cache
def _python_version(python: Path) -> str:
    if python == Path(executable).resolve():
        return sys.version.split()[0]
    answered = subprocess.run([python, "-V"], capture_output=True, check=True, timeout=20)  # noqa: S603
    return answered.stdout.decode().split()[-1]

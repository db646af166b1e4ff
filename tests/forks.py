"""`python -c` without the start-up: a process that has imported what commands import forks for each of them.

A child is as a new process is in folder, environment, streams, session, random numbers, and how it ends. What an
interpreter or a library reads once (`AT_START`) is the server's: where it must differ, a new interpreter starts.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

MAIN = "from synth.cli import main; main()"
"""The command line, as Python code."""

AT_START = ("PYTHON", "LANG", "LC_", "LD_", "OMP_", "OPENBLAS_", "POLARS_", "ARROW_", "NUMBA_")
"""How environment variables begin that count when an interpreter or a library starts."""

_CLI = [
    "import_",
    "run",
    "rehearse",
    "plan",
    "status",
    "export",
    "push",
    "report",
    "curate",
    "index",
    "audit",
    "sql",
    "calls",
    "retry",
    "models",
    "view",
    "panel",
    "tables",
]
_PACKAGES = [
    "engine",
    "export",
    "publish",
    "render.report",
    "view.review",
    "audit",
    "corpus.index",
    "corpus.steps",
    "store.database",
    "verify",
]
_OTHERS = [
    "pandas",
    "polars",
    "pyarrow.compute",
    "pyarrow.parquet",
    "numpy.ma",
    "numpy.random",
    "jinja2.meta",
    "jinja2.sandbox",
    "pyreqwest.client",
    "rich.panel",
]
_IMPORTED = [*(f"synth.cli.{n}" for n in _CLI), *(f"synth.{n}" for n in _PACKAGES), *_OTHERS]
"""What commands import. Of the libraries, none that reads its settings from the environment on import."""

_NUMBER = 8  # bytes of each number in a message


def python(code: str, *words: str | Path, **options: Any) -> subprocess.Popen[Any]:
    """Start `python -c CODE WORDS` in a session of its own; options are those of `Popen`.

    Two servers take turns, so that the hashes of one command, and with them the order of its sets, differ from those of
    the next.
    """
    env = options.get("env")
    if sys.platform != "linux" or (env is not None and _at_start(env) != _at_start(os.environ)):
        words_ = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.Popen(words_, start_new_session=True, **options)
    return _server(_at_start(os.environ), next(_turns) % 2).start(code, *words, **options)


_turns = count()


@cache
def _server(at_start: frozenset[tuple[str, str]], turn: int) -> Server:
    server = Server()
    atexit.register(server.end)
    return server


def _at_start(env: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in env.items() if name.startswith(AT_START))


class Server:
    """The process that forks.

    Args:
        env: its environment, and that of its children where they are given none; None: that of this process at the time.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env
        self._control, theirs = socket.socketpair()
        self._alone = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=env,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for the tests
            )

    def start(self, code: str, *words: str | Path, **options: Any) -> subprocess.Popen[Any]:
        """Start `python -c CODE WORDS`; options are those of `Popen`: streams, `text`, `cwd`, `env`."""
        return _Child(self, ["-c", code, *map(str, words)], **{"env": self._env, **options})

    def end(self) -> None:
        """End the server, not its children."""
        self._control.close()
        self._process.wait(10)

    def ask(self, asked: dict[str, Any], streams: list[int]) -> tuple[int, int]:
        """Have a child forked; gives its id and a descriptor from which its wait status can be read when it has ended."""
        report, theirs = os.pipe()
        message = json.dumps(asked).encode()
        try:
            with self._alone:
                socket.send_fds(self._control, [len(message).to_bytes(_NUMBER, "big")], [*streams, theirs])
                self._control.sendall(message)
        finally:
            os.close(theirs)
        return _number(report), report


def _number(report: int) -> int:
    number = os.read(report, _NUMBER)
    if not number:
        raise RuntimeError("the process that forks commands has ended")
    return int.from_bytes(number, "big")


class _Child(subprocess.Popen[Any]):
    """A process that is a child of the server's."""

    def __init__(self, server: Server, args: list[str], **options: Any) -> None:
        self._server, self._report = server, -1
        super().__init__(args, **options)

    def _execute_child(self, args: list[str], *given: Any) -> None:
        cwd, env, streams = given[4], given[5], given[9:15]
        theirs = (streams[0], streams[3], streams[5])
        mask = os.umask(0)
        os.umask(mask)
        asked = {
            "args": args,
            "cwd": os.fspath(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "umask": mask,
        }
        try:
            given_streams = [number if stream == -1 else stream for number, stream in enumerate(theirs)]
            self.pid, self._report = self._server.ask(asked, given_streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*streams)  # type: ignore[attr-defined]

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        return self._awaited(0)

    def _wait(self, timeout: float | None) -> int:
        code = self._awaited(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _awaited(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], seconds)[0]:
            self.returncode = os.waitstatus_to_exitcode(_number(self._report))
            os.close(self._report)
        return self.returncode


# In the server.


def _serve(control: socket.socket) -> None:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, int] = {}
    while True:
        ready = select.select([control, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _report(reports)
        if control in ready:
            length, descriptors, *_ = socket.recv_fds(control, _NUMBER, 4)
            if not length:
                return
            asked = json.loads(_exactly(control, int.from_bytes(length, "big")))
            child = os.fork()
            if not child:
                _become(asked, descriptors[:3])
            reports[child] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            os.write(reports[child], child.to_bytes(_NUMBER, "big"))


def _exactly(control: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        parts += control.recv(length - len(parts))
    return bytes(parts)


def _report(reports: dict[int, int]) -> None:
    while reports:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        report = reports.pop(child)
        with suppress(BrokenPipeError):  # nobody waits for it
            os.write(report, status.to_bytes(_NUMBER, "big"))
        os.close(report)


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    code = 1
    try:
        _look_new(asked, streams)
        main = ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(asked["args"][1], "<string>", "exec"), vars(main))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code != end.code and end.code is not None:
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        with suppress(Exception):
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code & 0xFF)


def _look_new(asked: dict[str, Any], streams: list[int]) -> None:
    import tempfile
    import time

    import numpy as np

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, f"__{name}__")
        buffered = not old.write_through
        new = TextIOWrapper(
            open(number, "wb" if number else "rb", -1 if buffered else 0, closefd=False),  # noqa: SIM115
            encoding=old.encoding,
            errors=old.errors,
            newline="\n",
            line_buffering=buffered and (os.isatty(number) or number == 2),
            write_through=not buffered,
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    os.umask(asked["umask"])
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv, sys.path[0] = ["-c", *asked["args"][2:]], ""
    time.tzset()
    tempfile.tempdir = None
    np.random.seed()  # noqa: NPY002 - `random` sees to itself


if __name__ == "__main__":
    from synth.pipeline import load_pipeline
    from synth.verify import find_answer

    for _name in _IMPORTED:
        import_module(_name)
    load_pipeline("fine-tune-cot")  # which compiles patterns and templates
    find_answer("<think>It is 5.</think>The answer is 5.", kind="number")
    assert not {"datasets", "huggingface_hub"} & sys.modules.keys(), "these read the environment when they are imported"
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))

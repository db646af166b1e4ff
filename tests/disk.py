"""A disk that fails at a chosen call: commands run in children of one process (`forks`) under which `disk.c` is loaded."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

from forks import MAIN, Server

OFF, COUNT, KILL, FULL = range(4)
"""What the disk does: nothing, count the calls that change files, kill the process at one of them, be full from one on."""

MOST_SECONDS = 60.0

_PYTHON = """
import sys
from synth.errors import SynthError
try:
    exec(sys.argv[2], {})
except SynthError as error:
    sys.stderr.write(f"{error}\\n")
    sys.exit(error.exit_code)
"""
"""Runs the code after `-c` as the command line runs a command."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    """The exit code; minus the signal, where one ended it."""
    told: str
    """Standard output and standard error."""
    trace: list[list[str]]
    """The calls that changed files, where they were counted: what, path, and of a rename where to."""


class Disk:
    """The disk, for all that lies below `root`.

    Args:
        root: the folder; commands run in `root/work`, with `root/tmp` for temporary files.
        beside: a folder elsewhere, for the library and for what commands say.
        env: more variables for commands.
    """

    def __init__(self, root: Path, beside: Path, env: dict[str, str]) -> None:
        self.work, self.temporary, self._beside = root / "work", root / "tmp", beside
        self.work.mkdir(parents=True)
        self.temporary.mkdir()
        library = beside / "disk.so"
        source = Path(__file__).with_name("disk.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self._root, self._library = root.resolve(), library
        self._server = Server({**os.environ, **env, "LD_PRELOAD": str(library), "TMPDIR": str(self.temporary)})

    def run(self, words: list[str], mode: int = OFF, at: int = 0, given: str = "") -> Ended:
        """Run a command (`synth WORDS`; Python, where the first word is `-c`) in `work`.

        Args:
            words: of the command.
            mode: what the disk does.
            at: at which call it does so, from 1.
            given: the file in `work` that is standard input.
        """
        told, trace = self._beside / "told", self._beside / "trace"
        trace.write_text("")
        arm = f"""
import ctypes, os
trace = os.open({str(trace)!r}, os.O_WRONLY | os.O_APPEND)
ctypes.CDLL({str(self._library)!r}).disk_arm({os.fsencode(self._root)!r}, {mode}, {at}, trace)
"""
        code = arm + (_PYTHON if words[0] == "-c" else MAIN)
        with told.open("wb") as out, (self.work / (given or os.devnull)).open("rb") as source:
            process = self._server.start(code, *words, stdin=source, stdout=out, stderr=out, cwd=self.work)
            code = process.wait(MOST_SECONDS)
        lines = trace.read_text(errors="replace").splitlines() if mode == COUNT else []
        return Ended(code, told.read_text(errors="replace"), [line.split("\t") for line in lines])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()

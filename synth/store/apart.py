"""Questions in SQL that others wrote, answered by a process of its own that can be killed.

DuckDB looks for an interrupt between chunks of rows, so one call of a function can take all memory and minutes before it ends
(`repeat('a', 3_000_000_000)`: 6 GB). The bounds of time and memory therefore hold for a process: the parent kills it, and the
system refuses it memory.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import orjson

from synth.errors import RunFolderError, UserError
from synth.files import temporary_folder

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["DEFAULT_MEMORY", "DEFAULT_SECONDS", "Answer", "Asker", "QuestionError", "TooLong", "is_size"]

DEFAULT_SECONDS = 300.0
"""How long a question may take, where nobody says otherwise."""
DEFAULT_MEMORY = "25%"
"""How much of this machine's memory the tables of a question may take, where nobody says otherwise."""
_BATCHES_WAITING = 4
_START_SECONDS = 60.0


class QuestionError(UserError):
    """DuckDB cannot answer: a mistake in the question, or not enough memory."""


class TooLong(UserError):
    """The question was stopped: it took longer than allowed."""


def is_size(text: str) -> bool:
    """Whether this is a size of memory: `500MB`, `4GiB`, `25%`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:([KMGT]i?B)|(%))", text, re.IGNORECASE)
    return found is not None and float(found[1]) > 0 and (found[3] is None or float(found[1]) <= 100)


class Answer:
    """The rows of one question, read as they are gone through.

    Attributes:
        names: of the columns.
        types: of the columns, in SQL.
    """

    def __init__(self, following: Callable[[], dict[str, Any]], names: list[str], types: list[str]) -> None:
        self._following = following
        self.names = names
        self.types = types
        self._decimal = [i for i, kind in enumerate(types) if kind.startswith("DECIMAL")]

    def __iter__(self) -> Iterator[list[Any]]:
        while "rows" in (message := self._following()):
            for row in message["rows"]:
                for i in self._decimal:
                    row[i] = None if row[i] is None else Decimal(row[i])
                yield row


class Asker:
    """Answers questions about one run, one at a time. The process starts with the first question, and again after it was ended.

    Values come as JSON has them, decimals as `Decimal`; what has no counterpart (times, UUIDs) as texts.

    Args:
        run: the run folder.
        seconds: that a question may take, without what its reader takes over the rows; None for no bound.
        memory: that its tables may take, such as `4GB` or `25%` of this machine's; texts of DuckDB and functions may take 1 GB more.
        functions: a module of ours whose `add_functions` adds functions for questions to a store.
    """

    def __init__(
        self,
        run: Path,
        seconds: float | None = DEFAULT_SECONDS,
        memory: str = DEFAULT_MEMORY,
        functions: str | None = None,
    ) -> None:
        self._run = run
        self._functions = functions
        self._seconds = seconds
        self._memory = memory
        self._left = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._replies: queue.Queue[bytes] = queue.Queue(_BATCHES_WAITING)
        self._ended = threading.Event()
        self._busy = False
        """Whether the last answer was not read to its end."""
        self._starting = False
        """Whether the process has not said yet that it is ready."""

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> Answer:
        """Ask a question: one statement that reads.

        Raises:
            QuestionError: DuckDB cannot answer it.
            TooLong: it took too long.
            RunFolderError: there is no run in the folder.
        """
        message = self._begin(query, parameters, None)
        return Answer(self._next, message["names"], message["types"])

    def write_parquet(self, query: str, file: Path) -> None:
        """Write the rows of a question to a file.

        Raises:
            QuestionError: DuckDB cannot answer it, or its columns are of types that Parquet does not have.
            TooLong: it took too long.
            UserError: the file cannot be written.
        """
        self._begin(query, (), file)

    def start(self) -> None:
        """Start the process ahead of the first question, and do not wait for it."""
        if self._process is None:
            self._start()

    def end(self) -> None:
        """Kill the process, if there is one; safe to call from any thread. A caller that waits for an answer gets an error."""
        process, self._process = self._process, None
        temporary, self._temporary = self._temporary, None
        self._busy = False
        self._ended.set()
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.close()
        if temporary is not None:
            temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _begin(self, query: str, parameters: Sequence[Any], parquet: Path | None) -> dict[str, Any]:
        if self._busy:
            self.end()
        process = self._process or self._start()
        if self._starting:
            self._starting = False
            # Opening a run of gigabytes whose journal is not in its tables yet takes as long as reading it.
            self._left = None if self._seconds is None else max(_START_SECONDS, self._seconds)
            self._next()
        self._busy = True
        self._left = self._seconds
        question = {
            "query": query.encode("utf-8", "replace").decode(),
            "parameters": list(parameters),
            "seconds": self._seconds,
            "parquet": None if parquet is None else str(parquet.resolve()),
        }
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: the answer says so
            process.stdin.write(orjson.dumps(question) + b"\n")
            process.stdin.flush()
        return self._next()

    def _start(self) -> subprocess.Popen[bytes]:
        self._temporary = temporary_folder()  # removed here also where the child is killed
        # -P: modules of the working folder are not ours.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "synth.store.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(self._temporary.name),
            start_new_session=True,  # an interrupt in the terminal is for the parent to decide on
        )
        self._replies, self._ended = queue.Queue(_BATCHES_WAITING), threading.Event()
        assert process.stdin is not None
        assert process.stdout is not None
        threading.Thread(target=_read, args=(process.stdout, self._replies, self._ended), daemon=True).start()
        start = {
            "run": str(self._run),
            "memory": self._memory,
            "functions": self._functions,
            "temporary": self._temporary.name,
        }
        with suppress(BrokenPipeError):
            process.stdin.write(orjson.dumps(start) + b"\n")
            process.stdin.flush()
        self._process, self._starting = process, True
        return process

    def _next(self) -> dict[str, Any]:
        """The next message of the process."""
        begun = time.monotonic()
        try:
            line = self._replies.get(timeout=self._left)
        except queue.Empty:
            self.end()
            raise TooLong(
                f"the question took longer than {self._seconds:g} seconds and was stopped",
                fix="narrow it, or allow more time (--timeout)",
            ) from None
        except BaseException:
            self.end()
            raise
        if self._left is not None:
            self._left = max(0.0, self._left - (time.monotonic() - begun))
        if not line:
            self.end()
            raise QuestionError(
                "the process that answers this question ended: it takes too much memory, or was killed",
                fix="narrow the question, or allow more memory (--memory)",
            )
        message: dict[str, Any] = json.loads(line)
        if "rows" not in message and "names" not in message:
            self._busy = False
        if "error" in message:
            raise _error(message)
        return message


def _error(message: dict[str, Any]) -> UserError:
    what = str(message["error"])
    if message["kind"] == "run":
        return RunFolderError(what, where=message["where"], fix=message["fix"])
    if message["kind"] == "file":
        return UserError(f"the file cannot be written: {what}")
    if message["kind"] == "parquet":
        return UserError(what, fix="give that column a type Parquet has, such as with ::VARCHAR")
    if message["kind"] == "memory":
        return QuestionError(what, fix="narrow the question, or allow more memory (--memory)")
    return QuestionError(what)


def _environment(temporary: str) -> dict[str, str]:
    """Of the child: what it spills goes where only this user can read it, and is removed with the process."""
    return {**os.environ, "TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}


def _read(stream: IO[bytes], replies: queue.Queue[bytes], ended: threading.Event) -> None:
    """Hand over the lines of a stream, and an empty one at its end."""
    with stream:
        for line in chain(stream, (b"",)):
            while True:
                try:
                    replies.put(line, timeout=0.1)
                    break
                except queue.Full:  # its reader takes its time, or reads no more
                    if ended.is_set():
                        with suppress(queue.Empty):
                            replies.get_nowait()

"""The journal: an append-only log of calls and commits. It is the truth; everything else is derived from it.

Entries are JSON lines in numbered segments. A thread writes what has gathered in one `write` and one `fdatasync`
(a *group commit*), at most `GROUP_SECONDS` after it was appended; so a killed process loses at most the last group.
A torn last line is cut off when the journal is opened again.
"""

from __future__ import annotations

import os
import threading
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from synth.errors import RunFolderError, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Journal", "Location", "Position", "read_entries"]

GROUP_SECONDS = 0.1
SEGMENT_BYTES = 64 * 2**20
_NAME = "{:06d}.jsonl"


class Position(NamedTuple):
    """A place between two entries: segment number (from 1) and byte offset."""

    segment: int
    offset: int


class Location(NamedTuple):
    """Where one entry stands: segment, byte offset and length in bytes, without the line end."""

    segment: int
    offset: int
    length: int


START = Position(1, 0)
_sync = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have no fdatasync


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]" * 6 + ".jsonl"))


def read_entries(folder: Path, start: Position = START) -> Iterator[tuple[Location, bytes]]:
    """Every whole entry from `start` on, oldest first; a torn last line is passed over.

    Safe to call on a journal that another process is writing.
    """
    for path in _segments(folder):
        number = int(path.stem)
        if number < start.segment:
            continue
        offset = start.offset if number == start.segment else 0
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                yield Location(number, offset, len(line) - 1), line[:-1]
                offset += len(line)


class Journal:
    """The journal of one run folder, open for appending.

    Args:
        folder: where the segments are; made if absent.
        on_error: called once, from the writing thread, when writing fails (a full disk); after that `append` raises.
    """

    def __init__(self, folder: Path, *, on_error: Callable[[OSError], None] | None = None) -> None:
        self.folder = folder
        self._on_error = on_error
        self._error: OSError | None = None
        self._pending: list[tuple[int, bytes]] = []  # segment, line
        self._wake = threading.Condition()  # guards what is accepted
        self._io = threading.Lock()  # guards the file; taken before `_wake` where both are
        self._closing = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            segments = _segments(folder)
            self._number = int(segments[-1].stem) if segments else 1
            self._open = self._number
            self._file: IO[bytes] = (folder / _NAME.format(self._number)).open("ab", buffering=0)
            self._size = self._cut_torn_line()
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: {error.strerror}",
                where=str(folder.parent),
                remedy="choose another folder with --run, or mend its permissions",
            ) from error
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    def _cut_torn_line(self) -> int:
        """Leave only whole lines in the last segment; returns its size in bytes."""
        path = self.folder / _NAME.format(self._number)
        size = path.stat().st_size
        block = 1 << 16
        whole = size
        with path.open("rb") as file:
            while whole > 0:
                begin = max(0, whole - block)
                file.seek(begin)
                cut = file.read(whole - begin).rfind(b"\n")
                if cut >= 0:
                    whole = begin + cut + 1
                    break
                whole = begin
        if whole < size:
            os.truncate(path, whole)
        return whole

    def append(self, kind: str, body: bytes) -> Location:
        """Accept one entry: `kind` and a JSON object as bytes. On disk within `GROUP_SECONDS`, in order of appending.

        Raises:
            Stopped: an earlier write failed.
        """
        line = b'{"kind":"' + kind.encode() + b'","body":' + body + b"}\n"
        with self._wake:
            if self._error is not None:
                raise _write_failed(self._error, self.folder)
            if self._size >= SEGMENT_BYTES:
                self._number += 1
                self._size = 0
            location = Location(self._number, self._size, len(line) - 1)
            self._size += len(line)
            self._pending.append((self._number, line))
            if len(self._pending) == 1:
                self._wake.notify_all()
        return location

    def read(self, location: Location) -> dict[str, Any]:
        """The body of one entry."""
        if location.segment >= self._open:
            self.flush()
        with (self.folder / _NAME.format(location.segment)).open("rb") as file:
            file.seek(location.offset)
            entry: dict[str, Any] = orjson.loads(file.read(location.length))
        body: dict[str, Any] = entry["body"]
        return body

    def flush(self) -> None:
        """Return when everything appended so far is on disk.

        Raises:
            Stopped: it could not be written.
        """
        self._write_pending()
        if self._error is not None:
            raise _write_failed(self._error, self.folder)

    def close(self) -> None:
        """Write what is left and end the thread. Never raises for a failed write: `append` and `flush` have said so."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join()
        self._write_pending()
        self._file.close()

    def _write_pending(self) -> None:
        with self._io:
            with self._wake:
                pending, self._pending = self._pending, []
            if self._error is not None:
                return
            try:
                for segment, lines in groupby(pending, key=itemgetter(0)):
                    self._write(segment, b"".join(line for _, line in lines))
            except OSError as error:
                self._error = error
                if self._on_error is not None:
                    self._on_error(error)

    def _write(self, segment: int, data: bytes) -> None:
        if segment != self._open:
            self._file.close()
            self._file = (self.folder / _NAME.format(segment)).open("ab", buffering=0)
            self._open = segment
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        _sync(self._file.fileno())

    def _write_groups(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                if self._closing:
                    return
                self._wake.wait(GROUP_SECONDS)  # let a group gather
            self._write_pending()


def _write_failed(error: OSError, folder: Path) -> Stopped:
    return Stopped(
        f"the run folder can no longer be written: {error.strerror}",
        where=str(folder.parent),
        remedy="make room (or mend the folder) and give the same command again: everything written so far is kept",
    )

"""The journal: an append-only log of calls and commits. It is the truth; everything else is derived from it.

Entries are JSON lines in numbered segments. They are handed to the operating system as they are appended; within an
event loop those of one turn together, before anything else that they have set going. So a killed process loses nothing,
or at most that turn. A thread makes what has gathered safe against a power cut, with one `fdatasync` for the group (a
*group commit*), at most `GROUP_SECONDS` later. A torn last line is cut off when the journal is opened again.

Every entry but a call and an execution, which have ids of their own, is written with a random id. By it an entry is known that stands in the journal
twice because somebody merged or copied segments; `synth.store.entries` passes over the second one.
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from synth.errors import RunFolderError, Stopped, UserError
from synth.files import advice_for, make_folder, open_journal
from synth.reach import inside, regular
from synth.store.columns import LEDGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "ID_LETTERS",
    "Journal",
    "Location",
    "Position",
    "damaged",
    "has_entries",
    "make_safe",
    "reaches",
    "read_blocks",
    "read_entries",
]

GROUP_SECONDS = 0.1
SEGMENT_BYTES = 64 * 2**20
ID_LETTERS = 16
"""Of the random id of an entry."""
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
    """The segments in order.

    Raises:
        RunFolderError: one is no file of this run folder, but a link out of it, a pipe or a device.
    """
    segments = sorted(folder.glob("[0-9]" * 6 + ".jsonl"))
    try:
        inside(folder.parent, folder.name)
        for path in segments:
            regular(folder.parent, path.relative_to(folder.parent))
    except UserError as error:
        fix = "put the file itself there; do not open a run folder of others that holds such links"
        raise RunFolderError(error.what, where=error.where, fix=fix) from error
    return segments


def read_entries(folder: Path, start: Position = START) -> Iterator[tuple[Location, bytes]]:
    """Every whole entry from `start` on, oldest first; a torn last line is passed over.

    Safe to call on a journal that another process is writing.
    """
    for number, begin, file in _open_from(folder, start):
        offset = begin
        for line in file:
            if not line.endswith(b"\n"):
                break
            yield Location(number, offset, len(line) - 1), line[:-1]
            offset += len(line)


def damaged(folder: Path, location: Location) -> RunFolderError:
    """An entry that cannot be read: a disk, or an editor, has changed it."""
    path = folder / _NAME.format(location.segment)
    with path.open("rb") as file:
        line = file.read(location.offset).count(b"\n") + 1
    fix = (
        f"take that line out, and {folder.parent / 'corpus.duckdb'}, which is made again: sed -i {line}d {quote(str(path))}; "
        "the same command then asks, or does, again what stood there"
    )
    return RunFolderError(f"line {line} of {path.name} is damaged", where=str(folder), fix=fix)


def read_blocks(folder: Path, start: Position, size: int) -> Iterator[tuple[Position, bytes]]:
    """Whole entries from `start` on, some `size` bytes of them at once, and where each block ends.

    Safe to call on a journal that another process is writing.
    """
    for number, begin, file in _open_from(folder, start):
        offset = begin
        while block := file.read(size):
            block += file.readline()
            whole = block[: block.rfind(b"\n") + 1]
            if whole:
                offset += len(whole)
                yield Position(number, offset), whole
            if len(whole) < len(block):
                break


def has_entries(folder: Path) -> bool:
    """Whether a journal holds anything."""
    return any(path.stat().st_size for path in _segments(folder))


def reaches(folder: Path, position: Position) -> bool:
    """Whether an entry of a journal ends at this place; not where its end was lost, with the power or by an edit. One that was taken
    away as a whole holds against nothing.
    """
    path = folder / _NAME.format(position.segment)
    segments = _segments(folder)
    if not segments or position.offset == 0:
        return True
    if path not in segments or path.stat().st_size < position.offset:
        return False
    with path.open("rb") as file:
        file.seek(position.offset - 1)
        return file.read(1) == b"\n"


def make_safe(folder: Path, start: Position, end: Position) -> None:
    """Return when all between two places is safe against a power cut, also what others wrote."""
    for path in _segments(folder):
        if start.segment <= int(path.stem) <= end.segment:
            with path.open("rb+") as file:  # "+": Windows makes nothing safe that is only read
                _sync(file.fileno())


def _open_from(folder: Path, start: Position) -> Iterator[tuple[int, int, IO[bytes]]]:
    """Each segment from `start` on: its number, where to begin, and the file at that place."""
    for path in _segments(folder):
        number = int(path.stem)
        if number < start.segment:
            continue
        with path.open("rb") as file:
            yield number, file.seek(start.offset if number == start.segment else 0), file


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
        self._lock = threading.Lock()  # guards the file and what is below
        self._gathered: list[bytes] = []
        """Appended, and not yet handed over."""
        self._handing_over = False
        self._unsynced = False
        self._to_do = threading.Event()
        """Wakes the thread: something is to be made safe, or it is to end."""
        self._closing = threading.Event()
        self._ids = (
            random.Random()
        )  # its seed is the system's; asking that for each id gives up the interpreter's lock each time
        try:
            make_folder(folder, private=True)
            segments = _segments(folder)
            self._number = int(segments[-1].stem) if segments else 1
            self._file = self._open()
            self._size = self._cut_torn_line()
            self.began = Position(self._number, self._size)
            """From where on it holds what this process appended."""
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: {error.strerror}",
                where=str(folder.parent),
                fix=f"{advice_for(error)} (--run names another folder)",
            ) from error
        self._thread = threading.Thread(target=self._sync_groups, name="journal", daemon=True)
        self._thread.start()

    def _open(self) -> IO[bytes]:
        return open_journal(self.folder / _NAME.format(self._number))

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
        """Write one entry: `kind` and a JSON object as bytes.

        Raises:
            Stopped: it could not be written, or an earlier one could not; within an event loop the next append says so.
            ValueError: the journal is closed.
        """
        if self._closing.is_set():
            raise ValueError("the journal is closed")
        line = b'{"kind":"%b"%b,"body":%b}\n' % (kind.encode(), b"" if kind in LEDGERS else self._id(), body)
        with self._lock:
            if self._error is None and self._size >= SEGMENT_BYTES:
                self._begin_segment()
            location = Location(self._number, self._size, len(line) - 1)
            self._size += len(line)
            self._gathered.append(line)
            if not self._handing_over:
                self._hand_over_soon()
            if self._error is not None:
                raise _write_failed(self._error, self.folder)
            if not self._unsynced:
                self._unsynced = True
                self._to_do.set()
        return location

    def _id(self) -> bytes:
        return b',"id":"%0*x"' % (ID_LETTERS, self._ids.getrandbits(4 * ID_LETTERS))

    def _begin_segment(self) -> None:
        self._write()
        try:
            _sync(self._file.fileno())
            self._file.close()
            self._number += 1
            self._file = self._open()
            self._size = 0
        except OSError as error:
            self._fail(error)

    def _hand_over_soon(self) -> None:
        import asyncio  # reading a run needs none

        try:
            asyncio.get_running_loop().call_soon(self._hand_over)
        except RuntimeError:  # no loop, no turns
            self._write()
        else:
            self._handing_over = True

    def _hand_over(self) -> None:
        with self._lock:
            self._handing_over = False
            self._write()

    def _write(self) -> None:
        """Hand over what has gathered."""
        if not self._gathered or self._error is not None:
            return
        left = memoryview(b"".join(self._gathered))
        self._gathered.clear()
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._error = error
        if self._on_error is not None:
            self._on_error(error)

    def read(self, location: Location) -> dict[str, Any]:
        """The body of one entry."""
        with self._lock:  # also where nothing has gathered: another thread may be writing it this moment
            if self._gathered:
                self._write()
        with (self.folder / _NAME.format(location.segment)).open("rb") as file:
            file.seek(location.offset)
            line = file.read(location.length)
        if len(line) < location.length and self._error is not None:
            raise _write_failed(self._error, self.folder)
        entry: dict[str, Any] = orjson.loads(line)
        body: dict[str, Any] = entry["body"]
        return body

    def flush(self) -> None:
        """Return when everything appended so far is safe against a power cut.

        Raises:
            Stopped: it could not be written.
        """
        with self._lock:
            self._sync_now()
            if self._error is not None:
                raise _write_failed(self._error, self.folder)

    def _sync_now(self) -> None:
        self._write()
        if self._error is None:
            try:
                _sync(self._file.fileno())
            except OSError as error:
                self._fail(error)
        self._unsynced = False

    def close(self) -> None:
        """Make safe what is left and end the thread. Never raises: `append` and `flush` have said what failed."""
        with self._lock:
            self._closing.set()
            self._to_do.set()
        self._thread.join()
        with self._lock:
            self._sync_now()
            self._file.close()

    def _sync_groups(self) -> None:
        while True:
            self._to_do.wait()
            if self._closing.wait(GROUP_SECONDS):  # let a group gather
                return
            with self._lock:
                if self._closing.is_set():  # and nobody will wake us again
                    return
                self._to_do.clear()
                self._unsynced = False
                self._write()  # of a loop that has ended
                if self._error is not None:
                    return
                descriptor = os.dup(self._file.fileno())  # the segment may be closed meanwhile
            try:
                _sync(descriptor)  # without the lock: an append need not wait for the disk
            except OSError as error:
                with self._lock:
                    self._fail(error)
                return
            finally:
                os.close(descriptor)


def _write_failed(error: OSError, folder: Path) -> Stopped:
    return Stopped(
        f"the run folder can no longer be written: {error.strerror}",
        where=str(folder.parent),
        fix="make room (or repair the folder) and give the same command again: everything written so far is kept",
    )

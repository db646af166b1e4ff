"""Files: written whole or not at all, and read within bounds.

Every file that this project replaces (manifests, indexes, exports, reports, cards, output of SQL) is written through a
`Draft` (`write_file`, `writing`, `draft`), so that a kill, a full disk, a power cut or a second process leaves the old file
or the new one. The journal alone is appended to (`synth.store.journal`).
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from synth.errors import UserError

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

if sys.platform != "win32":
    import fcntl

__all__ = [
    "Draft",
    "advice_for",
    "draft",
    "is_draft",
    "make_folder",
    "move",
    "open_journal",
    "read_file",
    "remove_abandoned",
    "replace_files",
    "sync_file",
    "sync_folder",
    "temporary_folder",
    "write_file",
    "writing",
]

_ENDING = ".draft"
_ABANDONED_SECONDS = 3600.0
"""Where drafts cannot be locked: one that nobody has written to for so long was left by a process that was killed."""
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}
"""What file systems say that cannot sync a folder, or folders that may be written and not read."""


class Draft:
    """A new, empty file beside `path`, under a name of its own: `keep` lets it take the place of `path`, `discard` removes it.

    Two processes that write the same file never share a draft; the last to finish wins. Until then the process holds a lock
    on its draft, by which the drafts of killed processes are known; they are removed. A pipe or a device that has this path
    is written to directly.

    Args:
        path: the file to replace; its folder is made if absent. May be set again before `keep`.
        private: whether only this user may read it (mode 0600). Else it has the mode of the file that it replaces.

    Raises:
        OSError: it cannot be written (a full disk, a folder that cannot be written).
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        self._files: list[IO[bytes]] = []
        self._synced = False
        old = _mode(path)
        self._direct = old is not None and not (stat.S_ISREG(old) or stat.S_ISDIR(old))
        self._descriptor = -1
        self.new = path
        """Where it is written."""
        if self._direct:
            return
        make_folder(path.parent)
        remove_abandoned(path.parent, path.name)
        mode = 0o600 if private else 0o666 if old is None or stat.S_ISDIR(old) else stat.S_IMODE(old) & 0o777 | 0o600
        while self._descriptor < 0:
            self.new = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_ENDING}")
            self._descriptor = _create_locked(self.new, mode)
        if old is not None and not private and sys.platform != "win32":
            with suppress(OSError):  # file systems without modes
                os.fchmod(self._descriptor, mode)  # the umask has taken bits that the old file has

    def open(self) -> IO[bytes]:
        """The draft, open for writing; it is closed with the draft, if not before."""
        self._synced = False
        self._files.append(self.new.open("wb"))
        return self._files[-1]

    def sync(self) -> None:
        """Close what was opened; the content is safe against a power cut when this returns."""
        while self._files:
            self._files.pop().close()
        if not self._direct and not self._synced:
            sync_file(self.new)
        self._synced = True

    def keep(self) -> None:
        """Take the name; content and name are safe against a power cut when this returns."""
        self.take_name()
        sync_folder(self.path.parent)

    def take_name(self) -> None:
        """As `keep`, but the name is not yet safe against a power cut."""
        self.sync()
        if not self._direct:
            self.new.replace(self.path)
            self._release()

    def discard(self) -> None:
        """Remove it, unless it has its name by now. Never raises."""
        for file in self._files:
            with suppress(OSError, ValueError):
                file.close()
        if self._descriptor >= 0:
            with suppress(OSError):
                self.new.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def _mode(path: Path) -> int | None:
    """Of what kind the file is; None where there is none."""
    try:
        return path.stat().st_mode
    except OSError:
        return None


def _create_locked(path: Path, mode: int) -> int:
    """A new file, locked for as long as it is open; -1 where another process took it for abandoned before it was locked."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        except OSError:  # no locks on this file system
            return descriptor
        if not os.fstat(descriptor).st_nlink:
            os.close(descriptor)
            return -1
    return descriptor


@contextmanager
def draft(path: Path, *, private: bool = False) -> Iterator[Path]:
    """The path of a `Draft` that is kept when the block ends well, and removed when it does not.

    Raises:
        OSError: as `Draft`; it names `path` where the system named no file.
    """
    with _kept(path, private=private) as made:
        yield made.new


@contextmanager
def writing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A file open for writing that replaces `path` when the block ends well; see `draft`."""
    with _kept(path, private=private) as made:
        yield made.open()


@contextmanager
def _kept(path: Path, *, private: bool) -> Iterator[Draft]:
    made = Draft(path, private=private)
    try:
        yield made
        made.keep()
    except OSError as error:
        if error.errno is not None and error.filename is None:  # of a write, which knows a descriptor alone
            error.filename = str(path)
        raise
    finally:
        made.discard()


def write_file(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Replace a file as a whole; see `draft`."""
    with writing(path, private=private) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def replace_files(drafts: Sequence[Draft], gone: Iterable[Path]) -> None:
    """Let several drafts take their places as one step, and remove what they replace.

    At every moment the files that are there are all old or all new: killed midway, files are missing, not mixed. One file that
    replaces itself alone is never missing. All content is safe on the disk before the first old file goes.

    Args:
        drafts: in the order in which they are kept.
        gone: the older files, also those that have the paths of the drafts.
    """
    for made in drafts:
        made.sync()
    removed = [path for path in gone if not drafts or path != drafts[0].path]
    for path in removed:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in removed if path.parent.is_dir()}:
        sync_folder(folder)
    for made in drafts:
        made.take_name()
    for folder in {made.path.parent for made in drafts}:
        sync_folder(folder)


def move(path: Path, to: Path) -> None:
    """Give a file that is already written another name; content and name are safe against a power cut when this returns."""
    sync_file(path)
    path.replace(to)
    sync_folder(to.parent)


def open_journal(path: Path) -> IO[bytes]:
    """A private file open for appending, unbuffered; its name is safe against a power cut when this returns."""
    new = not path.exists()
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600), "ab", 0)
    if new:
        sync_folder(path.parent)
    return file


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder and those above it, where they are absent; their names are safe against a power cut when this returns.

    Args:
        folder: which; one that is there stays as it is.
        private: whether only this user may look into it (mode 0700). Folders above it are as the umask says.
    """
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(absent[1:]):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)
    folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
    if absent:
        sync_folder(folder.parent)


def sync_file(path: Path) -> None:
    """Return when the content of a file is safe against a power cut."""
    with path.open("rb+") as file:  # "+": Windows syncs no file that is only read
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are safe against a power cut; at once where folders cannot be synced, as on Windows."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def is_draft(path: Path) -> bool:
    """Whether a file is a draft, by its name."""
    return path.name.startswith(".") and path.name.endswith(_ENDING)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove the drafts in a folder that killed processes have left: those of one file, or all."""
    of_name = f".{_escaped(name)}.*{_ENDING}" if name is not None else f".*{_ENDING}"
    for old in folder.glob(of_name):
        with suppress(OSError):
            if _is_abandoned(old):
                old.unlink()


def _is_abandoned(path: Path) -> bool:
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks on this file system
            pass
        else:
            return True
        finally:
            os.close(descriptor)
    return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def advice_for(error: OSError) -> str:
    """What a user can do about a file that cannot be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room and give the same command again"
    if error.errno == errno.EFBIG:
        return "raise the limit on the size of files (ulimit -f) and give the same command again"
    return "look at the permissions, or choose another place"


def temporary_folder() -> TemporaryDirectory[str]:
    """A new folder for files that are gone when it is closed, with its content.

    Raises:
        UserError: none can be made.
    """
    import tempfile

    try:
        return tempfile.TemporaryDirectory(prefix="synth-")
    except OSError as error:
        what = f"no folder for temporary files can be made: {error.strerror or error}"
        fix = f"{advice_for(error)} (TMPDIR names another folder)"
        raise UserError(what, where=error.filename, fix=fix) from error


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. A pipe or a device is never opened for reading.

    Raises:
        UserError: it is not there, cannot be read, is no regular file, or is larger.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError("this is not a regular file", where=str(path), fix="name a file")
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise UserError(f"the file cannot be read: {why}", where=str(path)) from error
    if len(content) > most:
        raise UserError(f"the file is larger than {most:,} bytes", where=str(path))
    return content

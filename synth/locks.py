"""Locks: one process at a time replaces the files of a folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth.errors import UserError

if sys.platform != "win32":
    import fcntl

__all__ = ["is_locked", "locked"]

_LOCK = ".synth.lock"


@contextmanager
def locked(folder: Path, seconds: float) -> Iterator[None]:
    """Be the only process that replaces files in a folder. The folder itself is locked, so that no file is left in it.

    Args:
        folder: which; it is there.
        seconds: how long another process is waited for.

    Raises:
        UserError: another process holds it for longer.
        OSError: the folder cannot be opened.
    """
    ends = time.monotonic() + seconds
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > ends:
                        raise _held(folder) from None
                    time.sleep(0.05)
                except OSError:  # NFS locks no folders
                    break
                else:
                    yield
                    return
        finally:
            os.close(descriptor)
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / _LOCK, timeout=seconds):
            yield
    except Timeout:
        raise _held(folder) from None


def is_locked(path: Path) -> bool | None:
    """Whether another process, or another part of this one, holds the lock of a file; None where this system cannot say.

    It asks for a shared lock and lets it go at once: a process that locks this file must wait that long.
    """
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks on this file system
        return None
    else:
        return False
    finally:
        os.close(descriptor)


def _held(folder: Path) -> UserError:
    return UserError("another process is writing to this folder", where=str(folder), fix="wait for it, then try again")

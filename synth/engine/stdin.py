"""Standard input as a file, so that it can be read twice, and again when a run is resumed."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from synth.errors import InputError, RunFolderError
from synth.files import Draft, advice_for, make_folder
from synth.sources.files import PACKED, kind_of_bytes
from synth.store.run_folder import STDIN, hold

__all__ = ["keep_stdin"]

_AT_ONCE = 2**20


def keep_stdin(folder: Path, stream: BinaryIO | None = None) -> Path:
    """Copy standard input into a run folder; returns the copy. Its name says what it is, and is a hash of its content.

    Raises:
        InputError: it is empty, or a terminal.
        RunFolderError: another process is at work on this run, or the folder cannot be written.
    """
    given = stream if stream is not None else sys.stdin.buffer
    if given.isatty():
        raise InputError("standard input is a terminal", where="-", fix="pipe rows into the command: … | synth run …")
    with hold(folder), ExitStack() as stack:
        place = folder / STDIN
        try:
            make_folder(place, private=True)
            stack.callback(_remove_empty, place)
            copy = Draft(place / "copy", private=True)
            stack.callback(copy.discard)
            file = copy.open()
            digest, beginning = blake2b(digest_size=8), b""
            while part := given.read(_AT_ONCE):
                beginning = beginning or part
                digest.update(part)
                file.write(part)
            if not beginning.strip():
                raise InputError("standard input is empty", where="-", fix="pipe rows into the command")
            ending = kind_of_bytes(beginning)
            if ending in PACKED:
                file.flush()
                ending = f"{_inside(copy.new, ending)}{ending}"
            copy.path = place / f"{digest.hexdigest()}{ending}"
            copy.keep()
        except OSError as error:
            what = f"standard input cannot be copied into the run folder: {error.strerror}"
            raise RunFolderError(what, where=str(folder), fix=advice_for(error)) from error
    return copy.path


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds something
        folder.rmdir()


def _inside(path: Path, packing: str) -> str:
    """The ending that fits what is packed in a file."""
    from synth.sources.files import opened

    with opened(path, packing) as file:
        return kind_of_bytes(file.read(_AT_ONCE))

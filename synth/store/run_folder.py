"""The run folder: one run, one process at a time, and a note of what it is."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synth.errors import RunFolderError, UserError
from synth.files import advice_for, is_draft, make_folder, move, write_file
from synth.reach import inside
from synth.store.journal import has_entries
from synth.store.manifest import MANIFEST, Manifest, is_run, read_manifest
from synth.store.state import STATE

__all__ = ["INPUT", "INPUT_BEFORE", "STDIN", "RunFolder", "hold"]

INPUT = "input.jsonl"
"""The file in a run folder for problems that were given from Python."""

INPUT_BEFORE = f"{INPUT}.before"
"""What that file was before, until a run has begun with the new one."""

STDIN = "stdin"
"""The folder in a run folder for what came by standard input."""

_OURS = {".lock", "journal", INPUT, INPUT_BEFORE, STDIN, STATE}
"""What may lie in a folder before there is a run in it, beside drafts."""

_LOOK_SECONDS = 0.1
"""`synth status` holds the lock for a moment, to see whether another process does."""

_LASTING = ("curated", "curated_signature", "kept_no_more")
"""What a manifest keeps from session to session."""


def hold(path: Path) -> FileLock:
    """The lock of a run folder, taken; the folder is made if absent.

    Raises:
        RunFolderError: another process holds it, it cannot be written, or what is to be written in it is a link out of it.
    """
    _refuse_links(path)
    try:
        make_folder(path, private=True)
        lock = FileLock(path / ".lock")
        lock.acquire(timeout=_LOOK_SECONDS, poll_interval=_LOOK_SECONDS / 4)
    except Timeout as error:
        raise RunFolderError(
            "another process is at work on this run",
            where=str(path),
            fix="wait for it, or give another folder with --run",
        ) from error
    except OSError as error:
        raise _cannot_write(path, error) from error
    return lock


def _cannot_write(run: Path, error: OSError) -> RunFolderError:
    what = f"the run folder cannot be written: {error.strerror}"
    return RunFolderError(what, where=str(run), fix=f"{advice_for(error)} (--run names another folder)")


def _refuse_links(run: Path) -> None:
    """Raise where something of ours is a link out of the folder, or no file: to write it would change a file elsewhere, or wait."""
    for name in (".lock", MANIFEST, INPUT, INPUT_BEFORE, "journal", STDIN, STATE):
        path = run / name
        fix = "remove it, or take another folder with --run"
        try:
            mode = inside(run, name).stat().st_mode
        except FileNotFoundError:
            continue
        except UserError as error:
            raise RunFolderError("this is a link that leads out of the run folder", where=str(path), fix=fix) from error
        if not (stat.S_ISDIR(mode) if name in {"journal", STDIN} else stat.S_ISREG(mode)) or (
            name == ".lock" and path.is_symlink()  # which is emptied when it is opened
        ):
            raise RunFolderError("this is not a file or folder of a run, but something else", where=str(path), fix=fix)


class RunFolder:
    """A run folder, held for writing.

    A folder with a journal and without a readable `run.json` is taken as it is: its journal is continued. Whether it is a journal of the
    same pipeline stands in the journal itself, and its reader must check.

    Args:
        path: the folder; made if absent.
        manifest: what this run is from now on: `pipeline` and more; None: what it is stays as it is.
        later: whether that is noted by `begin` only, and not at once.

    Raises:
        RunFolderError: it belongs to another pipeline or version, another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path, manifest: Manifest | None = None, *, later: bool = False) -> None:
        self.path = path
        self._look(manifest)  # before a lock is put into a folder that is none of ours
        self._lock = hold(path)
        try:
            # What another process has noted meanwhile must not be lost.
            self.earlier = self._look(manifest)
            """The manifest of the session before; None for a new run."""
            before = self.earlier.model_dump(exclude_unset=True) if self.earlier is not None else {}
            lasting = {
                k: v for k, v in before.items() if manifest is None or k in _LASTING or k not in Manifest.model_fields
            }
            words = manifest.model_dump(exclude_unset=True) if manifest is not None else {}
            self._manifest = Manifest.of(**{**lasting, **words})
            if manifest is not None and not later:
                self.begin()
        except BaseException:
            self._lock.release()
            raise

    def _look(self, manifest: Manifest | None) -> Manifest | None:
        """What the folder says of itself; None where it says nothing yet.

        Raises:
            RunFolderError: it cannot be used for this run.
        """
        path = self.path
        existing = read_manifest(path) if manifest is None or is_run(path) else None
        self.recovered = existing is None and has_entries(path / "journal")
        """Whether there is a journal, and no manifest that could be read."""
        strange = (p for p in path.iterdir() if p.name not in _OURS and not is_draft(p)) if path.is_dir() else ()
        if existing is None and not self.recovered and any(strange):
            raise RunFolderError(
                "the folder is not empty and holds no run", where=str(path), fix="give a new folder with --run"
            )
        if existing is not None and manifest is not None and existing.pipeline != manifest.pipeline:
            raise RunFolderError(
                f"this folder holds a run of {existing.pipeline}, not of {manifest.pipeline}",
                where=str(path),
                fix="give another folder with --run",
            )
        return existing

    @property
    def manifest(self) -> Manifest:
        """What this run is."""
        return self._manifest

    def remember(self, **words: Any) -> None:
        """Add something to the manifest, or replace it, to be kept from session to session.

        Raises:
            RunFolderError: it cannot be written.
        """
        self._manifest = self._manifest.but(**words)
        self.note(self._manifest)

    def begin(self) -> None:
        """Note what this run is from now on; with that its input is the new one.

        Raises:
            RunFolderError: it cannot be written.
        """
        if self.recovered and (self.path / MANIFEST).is_file():
            move(self.path / MANIFEST, self.path / f"{MANIFEST}.damaged")
        self.note(self._manifest)
        (self.path / INPUT_BEFORE).unlink(missing_ok=True)

    def note(self, manifest: Manifest) -> None:
        """Note what this run is, instead of what was noted.

        Raises:
            RunFolderError: it cannot be written.
        """
        try:
            write_file(self.path / MANIFEST, manifest.to_json(), private=True)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()

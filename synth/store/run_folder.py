"""The run folder: one run, one process at a time, and a note of what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from synth.errors import RunFolderError

__all__ = ["FORMAT", "INPUT", "INPUT_BEFORE", "STDIN", "RunFolder", "hold", "read_manifest"]

FORMAT = 1
"""Version of the layout of a run folder."""

INPUT = "input.jsonl"
"""The file in a run folder for problems that were given from Python."""

INPUT_BEFORE = f"{INPUT}.before"
"""What that file was before, until a run has begun with the new one."""

_OURS = {".lock", "journal", "run.json.new", INPUT, f"{INPUT}.new", INPUT_BEFORE, f"{INPUT_BEFORE}.new"}
"""What may lie in a folder before there is a run in it."""

STDIN = "stdin"
"""The folder in a run folder for what came by standard input."""

_OURS.add(STDIN)


_LASTING = ("curated", "kept_no_more")
"""What a manifest keeps from session to session."""


def hold(path: Path) -> FileLock:
    """The lock of a run folder, taken; the folder is made if absent.

    Raises:
        RunFolderError: another process holds it, or it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunFolderError(
            "another process is at work on this run",
            where=str(path),
            remedy="wait for it, or give another folder with --run",
        ) from error
    except OSError as error:
        raise RunFolderError(
            f"the run folder cannot be written: {error.strerror}",
            where=str(path),
            remedy="choose another folder with --run",
        ) from error
    return lock


def read_manifest(run: Path) -> dict[str, Any]:
    """What a run folder says of itself.

    Raises:
        RunFolderError: there is no run in it, or it is of another version.
    """
    path = run / "run.json"
    if not path.is_file():
        raise RunFolderError(
            "there is no run in this folder", where=str(run), remedy="synth run … --run FOLDER makes one"
        )
    try:
        manifest: dict[str, Any] = orjson.loads(path.read_bytes())
        version = manifest["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RunFolderError(
            "run.json cannot be read", where=str(path), remedy="use another folder with --run"
        ) from error
    if version != FORMAT:
        older = "an older" if version < FORMAT else "a newer"
        raise RunFolderError(
            f"this run was made by {older} version of synth ({manifest.get('synth', '?')}, layout {version}; this one writes {FORMAT})",
            where=str(run),
            remedy="use another folder with --run; the old one can be read with the version that made it",
        )
    return manifest


class RunFolder:
    """A run folder, held for writing.

    Args:
        path: the folder; made if absent.
        manifest: what this run is: `pipeline` and more.
        later: whether that is noted by `begin` only, and not at once.

    Raises:
        RunFolderError: it belongs to another pipeline or version, another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], *, later: bool = False) -> None:
        self.path = path
        existing = read_manifest(path) if (path / "run.json").is_file() else None
        if existing is None and path.is_dir() and any(p.name not in _OURS for p in path.iterdir()):
            raise RunFolderError(
                "the folder is not empty and holds no run", where=str(path), remedy="give a new folder with --run"
            )
        if existing is not None and existing["pipeline"] != manifest["pipeline"]:
            raise RunFolderError(
                f"this folder holds a run of {existing['pipeline']}, not of {manifest['pipeline']}",
                where=str(path),
                remedy="give another folder with --run",
            )
        self._lock = hold(path)
        self.earlier = existing
        """The manifest of the session before; None for a new run."""
        added = {key: existing[key] for key in _LASTING if existing is not None and key in existing}
        self._manifest = {**added, **manifest, "format": FORMAT}
        if later:
            return
        try:
            self.begin()
        except RunFolderError:
            self._lock.release()
            raise

    @property
    def curated(self) -> list[dict[str, Any]]:
        """The corpus steps that were added by hand."""
        steps: list[dict[str, Any]] = self._manifest.get("curated", [])
        return steps

    def remembered(self, key: str) -> Any:
        """What the manifest says under this word; None where it says nothing."""
        return self._manifest.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Add something to the manifest, to be kept from session to session.

        Raises:
            RunFolderError: it cannot be written.
        """
        self._manifest[key] = value
        self.note(self._manifest)

    def begin(self) -> None:
        """Note what this run is from now on; with that its input is the new one.

        Raises:
            RunFolderError: it cannot be written.
        """
        self.note(self._manifest)
        (self.path / INPUT_BEFORE).unlink(missing_ok=True)

    def note(self, manifest: dict[str, Any]) -> None:
        """Note what this run is, in the stead of what was noted.

        Raises:
            RunFolderError: it cannot be written.
        """
        draft = self.path / "run.json.new"
        try:
            draft.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
            draft.replace(self.path / "run.json")
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: {error.strerror}",
                where=str(self.path),
                remedy="make room, or choose another with --run",
            ) from error

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()

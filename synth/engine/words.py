"""The command of a run in words, as `run.json` remembers it: files as seen from the run folder, so that both can be moved together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["relative", "words_of"]


def words_of(origin: str | tuple[dict[str, Any], Path]) -> Any:
    """Where a pipeline comes from: a name, the path of a file, or its content with the folder beside which its files lie."""
    if isinstance(origin, str):
        return Path(origin) if Path(origin).is_file() else origin
    return {"given": origin[0], "folder": origin[1]}


def relative(words: Any, run: Path) -> Any:
    """The words with every path in them as seen from the run folder."""
    if isinstance(words, dict):
        return {k: relative(v, run) for k, v in words.items()}
    if isinstance(words, list):
        return [relative(v, run) for v in words]
    return _beside(words, run) if isinstance(words, Path) else words


def _beside(path: Path, run: Path) -> str:
    """A path as seen from the run folder, so that both can be moved together."""
    try:
        return Path(os.path.relpath(path.resolve(), run.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(path.resolve())

"""A pipeline file as it was written: its content, and where each value stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from synth.errors import PipelineError, UserError
from synth.files import read_file
from synth.pipeline.draft import Draft, Finding
from synth.reach import Reach
from synth.yaml_text import MOST_BYTES, NotYaml, parse_yaml
from synth.yaml_text import Path as YamlPath

__all__ = ["Document", "Place", "document_of", "place_in", "read_document"]

Place = tuple[str, int]
"""A file and a line, from 1; in a mapping the place in it, and 0."""


class Document(NamedTuple):
    """What a file, or a mapping in its stead, says."""

    path: Path
    """The file; of a mapping a name in the folder in which its relative paths begin."""
    reach: Reach
    """Which files it may name."""
    data: dict[str, Any]
    places: dict[YamlPath, Place]
    """Where each value stands; `()` is the whole."""

    def at(self, *path: str | int) -> Place:
        """Where a value stands, or what holds it."""
        return place_in(self.places, path)


def place_in(places: Mapping[YamlPath, Place], path: YamlPath) -> Place:
    """The place of a value; of one that has none, that of what holds it."""
    while path not in places and path:
        path = path[:-1]
    return places[path]


def read_document(path: Path, reach: Reach, draft: Draft, *, kind: str, fix: str) -> Document | None:
    """Read a file; None, and a finding, where it is not YAML or does not hold a mapping.

    Args:
        path: the file.
        reach: which files it may name.
        draft: takes the findings.
        kind: what it should hold, for the findings: `pipeline` or `block`.
        fix: what to do where it does not hold one.

    Raises:
        PipelineError: it cannot be read.
    """
    shown = _shown(path)
    try:
        data, lines, mistakes = parse_yaml(read_file(path, MOST_BYTES), words_only=True)
    except NotYaml as error:
        draft.findings.append(Finding(shown, error.line, f"this is not YAML: {error.what}", "correct the line"))
        return None
    except UserError as error:
        raise PipelineError(error.what, where=shown, fix=error.fix) from error
    for line, what in mistakes:
        draft.findings.append(Finding(shown, line, *what.split(": ", 1)))
    if not isinstance(data, dict):
        draft.findings.append(Finding(shown, 1, f"the file holds no {kind}", fix))
        return None
    return Document(path, reach, data, {(): (shown, 1)} | {p: (shown, line) for p, line in lines.items()})


def document_of(given: Mapping[str, Any], reach: Reach) -> Document:
    """A mapping as the file that it would be.

    Raises:
        PipelineError: it holds what a file could not.
    """
    try:
        data: dict[str, Any] = orjson.loads(orjson.dumps(given))
    except orjson.JSONEncodeError as error:
        raise PipelineError(
            f"the mapping holds something that a pipeline file could not: {error}",
            fix="write steps as mappings, with texts, numbers and lists",
        ) from error
    assert reach.folder is not None
    return Document(reach.folder / "pipeline", reach, data, _places(data, ()))


def _places(value: Any, path: YamlPath) -> dict[YamlPath, Place]:
    """Where everything in a mapping stands, as one would write it in Python."""
    words = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[YamlPath, Place] = {path: (words or "the pipeline", 0)}
    for key, part in inner:
        found |= _places(part, (*path, key))
    return found


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

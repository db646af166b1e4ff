"""`run.json`: what a run folder says of itself, with a type for all of it that anybody reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field

from synth.errors import RunFolderError, UserError
from synth.files import read_file
from synth.notes import Note, parse_note
from synth.reach import inside
from synth.store.journal import has_entries

__all__ = ["FORMAT", "MANIFEST", "Introduced", "Manifest", "StepNote", "is_run", "read_manifest"]

FORMAT = 2
"""Version of the layout of a run folder."""
MANIFEST = "run.json"
_MOST_BYTES = 64 * 2**20


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it has a NUL in it")
    return text


_Word = Annotated[str, AfterValidator(_without_nul)]
"""What may become the name of a file."""


class StepNote(Note):
    """A step with its options."""

    step: str
    name: str
    against: str | list[str] | None = None
    contents: dict[str, str] | None = None
    """Hashes of the files it reads."""


class _Described(Note):
    """The steps of a pipeline."""

    steps: list[StepNote] = Field(default_factory=list)
    prompts: dict[str, str] = Field(default_factory=dict)
    imports: list[str] = Field(default_factory=list)
    code: dict[str, str] = Field(default_factory=dict)
    """Hashes of the Python files that it brought, by place and name."""


class Introduced(Note):
    """What a pipeline file says of itself."""

    title: str | None = None
    about: str | None = None
    cites: list[str] | None = None


class _Source(Note):
    """Where the problems came from."""

    name: str
    declared: Introduced | None = None


class _Given(Note):
    """A pipeline that was given from Python."""

    given: dict[str, Any]
    folder: _Word


class _Words(Note):
    """What was asked for, so that `retry` can take the run up."""

    pipeline: _Word | _Given
    input: _Word | None = None
    map: dict[str, str] = Field(default_factory=dict)
    mapping: _Word | None = None
    references: bool = False
    model: list[str] = Field(default_factory=list)
    own: list[str] = Field(default_factory=list)
    profile: _Word | None = None
    media_from: list[_Word] = Field(default_factory=list)
    skip_invalid: bool = False


_Identity = Annotated[tuple[str, str, str, dict[str, Any]], Field(strict=False)]
"""A model: its name, its endpoint, its model and its parameters."""


class Manifest(Note):
    """All of it."""

    format: int
    pipeline: str
    synth: str = "?"
    """The version that wrote it."""
    fingerprint: str = ""
    described: _Described = _Described()
    introduced: Introduced | None = None
    corpus: list[StepNote] = Field(default_factory=list)
    curated: list[StepNote] = Field(default_factory=list)
    """Corpus steps that were added manually."""
    curated_signature: str | None = None
    """The user's, under `curated`."""
    writers: list[str] = Field(default_factory=list)
    judges: list[str] = Field(default_factory=list)
    """Steps whose replies are verdicts."""
    source: _Source | None = None
    limit: Annotated[int, Field(ge=0)] | None = None
    models: dict[str, list[_Identity]] = Field(default_factory=dict)
    words: _Words | None = None
    signature: str | None = None
    """The user's, under `words`: that they are the user's own (`synth.engine.signature`)."""
    kept_no_more: dict[str, Any] | None = None
    """The state in which the corpus steps kept no more, even if more was made."""

    @classmethod
    def of(cls, **words: Any) -> Manifest:
        """A manifest that says this, in the version of today: what can be written, and read again."""
        return cls.model_validate(orjson.loads(orjson.dumps({**words, "format": FORMAT})))

    def but(self, **words: Any) -> Manifest:
        """The same with other words."""
        return self.of(**{**self.model_dump(exclude_unset=True), **words})

    def to_json(self) -> bytes:
        """The content of the file."""
        return orjson.dumps(self.model_dump(exclude_unset=True), option=orjson.OPT_INDENT_2) + b"\n"


def read_manifest(run: Path) -> Manifest:
    """What a run folder says of itself.

    Raises:
        RunFolderError: there is no run in it, it is of another version, or its manifest cannot be read.
    """
    path = run / MANIFEST
    has_journal = has_entries(run / "journal")
    if not os.path.lexists(path):
        if has_journal:
            what = f"{MANIFEST} is missing, and the journal of a run is there"
            raise RunFolderError(what, where=str(run), fix=_AGAIN)
        raise RunFolderError("there is no run in this folder", where=str(run), fix="synth run … --run FOLDER makes one")
    try:
        content = _content(path)
        if is_readable(content):
            fix = (
                f"correct the field; or remove {MANIFEST}: {_AGAIN}" if has_journal else "use another folder with --run"
            )
        else:
            fix = _AGAIN if has_journal else "use another folder with --run"
        found = parse_note(content, Manifest, FORMAT, where=path, fix=fix)
    except RunFolderError:
        raise
    except UserError as error:
        raise RunFolderError(error.what, where=error.where, fix=error.fix) from error
    if found.format < FORMAT:
        raise RunFolderError(
            f"this run was made by an older version of synth ({found.synth}, layout {found.format}; this one writes {FORMAT})",
            where=str(run),
            fix="use another folder with --run; the old one can be read with the version that made it",
        )
    return found


_AGAIN = (
    "give the command of the run again (synth run … --run FOLDER): it takes up the journal and writes the file again, and nothing that "
    "was paid is lost"
)


def is_run(run: Path) -> bool:
    """Whether there is a manifest in a folder that is JSON. One that is empty or cut short says nothing, and is written again.

    Raises:
        RunFolderError: it is not a file of this folder, or is too large.
    """
    path = run / MANIFEST
    return os.path.lexists(path) and is_readable(_content(path))


def is_readable(content: bytes) -> bool:
    """Whether the content of a manifest is JSON."""
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def _content(path: Path) -> bytes:
    try:
        return read_file(inside(path.parent, path.name), _MOST_BYTES)
    except UserError as error:
        fix = "put the file itself there, or use another folder with --run"
        raise RunFolderError(error.what, where=str(path), fix=fix) from error

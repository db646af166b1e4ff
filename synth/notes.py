"""Small files that this project writes for itself, and reads again: manifests, indexes, notes.

They lie in folders that people share. So each has a type, its size is bounded, it is never read through a link out of its folder,
and one that a newer version wrote is reported as such before anything that is wrong with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from synth.errors import UserError
from synth.files import read_file
from synth.nesting import too_deep
from synth.reach import inside

__all__ = ["NewerVersionError", "Note", "parse_note", "read_note"]

_MOST_BYTES = 64 * 2**20
_DEEPEST = 64

N = TypeVar("N", bound="Note")


class NewerVersionError(UserError):
    """A newer version of synth wrote the file."""


class Note(BaseModel):
    """A part of such a file. Fields that this version does not know are kept: a newer one has written them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


def read_note(path: Path, kind: type[N], newest: int, *, fix: str) -> N:
    """Read a note; see `parse_note`.

    Raises:
        UserError: it is no regular file of its folder, is too large, or as for `parse_note`.
    """
    return parse_note(read_file(inside(path.parent, path.name), _MOST_BYTES), kind, newest, where=path, fix=fix)


def parse_note(content: bytes, kind: type[N], newest: int, *, where: Path, fix: str) -> N:
    """A note as its type.

    Args:
        content: the file.
        kind: the type; its field `format` holds the version of the layout.
        newest: the newest layout that is known.
        where: the file, for the error.
        fix: what to do where it cannot be read.

    Raises:
        NewerVersionError: a newer version wrote it.
        UserError: it is not JSON, is nested too deeply, or a field is of another type.
    """
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        what = "it is cut short, or not JSON" if content.strip() else "it is empty"
        raise UserError(f"this cannot be read: {what}", where=str(where), fix=fix) from error
    version = found.get("format") if isinstance(found, dict) else None
    if type(version) is int and version > newest:
        raise NewerVersionError(
            f"this was made by a newer version of synth (layout {version}; this one knows {newest})",
            where=str(where),
            fix="use the version that made it, or another folder",
        )
    if too_deep(found, _DEEPEST):
        raise UserError("this cannot be read: it is nested too deeply", where=str(where), fix=fix)
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))
        why = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        what = f"this cannot be read: {field}: {why}" if field else f"this cannot be read: {why}"
        raise UserError(what, where=str(where), fix=fix) from error

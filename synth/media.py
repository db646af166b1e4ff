"""Files of images and sounds that belong to problems."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from synth.errors import InputError, UserError
from synth.files import read_file
from synth.reach import Reach
from synth.records import Media

__all__ = ["MediaFile", "check_media", "read_media"]

MOST_BYTES = 20 * 2**20
"""Of one file; what the large providers take."""

_KINDS: tuple[tuple[str, str, int, bytes], ...] = (
    ("image", "image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image", "image/jpeg", 0, b"\xff\xd8\xff"),
    ("image", "image/gif", 0, b"GIF8"),
    ("image", "image/webp", 8, b"WEBP"),
    ("audio", "audio/wav", 8, b"WAVE"),
    ("audio", "audio/mp3", 0, b"ID3"),
    ("audio", "audio/mp3", 0, b"\xff\xfb"),
    ("audio", "audio/mp3", 0, b"\xff\xf3"),
)
"""Kind, MIME type, and where in the file which bytes say so; the formats the OpenAI API takes."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://|(data|file|javascript):", re.IGNORECASE)


class MediaFile(NamedTuple):
    """A file as it stands in a message."""

    path: Path
    mime: str
    reference: str
    """`sha256:…;MIME;n bytes`: what stands for it in the key and the ledger."""

    @property
    def sha256(self) -> str:
        """The hash of its content."""
        return self.reference.partition(";")[0].removeprefix("sha256:")

    @property
    def size(self) -> int:
        """Its bytes."""
        return int(self.reference.rpartition(";")[2].removesuffix(" bytes"))


def check_media(media: Media, reach: Reach) -> MediaFile | None:
    """Look at a file that belongs to a problem; None for a URL, which the endpoint fetches itself.

    Args:
        media: what the problem refers to.
        reach: which files the data may name.

    Raises:
        InputError: it is not there, may not be named, is too large, is not of a kind that endpoints take, or has another
            content than `media` says.
    """
    what = f"the {media.kind} {media.uri[:200]!r}"
    if (scheme := _SCHEME.match(media.uri)) is not None:
        name = (scheme[1] or scheme[2]).lower()
        if name in {"http", "https"}:
            return None
        raise InputError(f"{what} is a {name}: address; give the path of a file, or an http(s) address")
    try:
        path = reach.find(media.uri).resolve()
        stat = path.stat()
        found = _look(path, media.kind, stat.st_size, stat.st_mtime_ns)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{what} cannot be read: {why}") from error
    except InputError as error:
        raise InputError(f"{what} {error.what}") from error
    except UserError as error:
        hint = f" ({error.fix})" if error.fix else ""
        raise InputError(f"{what} cannot be read: {error.what}{hint}") from error
    if media.sha256 not in {None, found.sha256}:
        raise InputError(f"{what} has changed since the input was read")
    return found


@lru_cache(maxsize=4096)
def _look(path: Path, kind: str, size: int, _changed: int) -> MediaFile:
    if size > MOST_BYTES:
        raise InputError(f"has {size / 2**20:.0f} MiB, and endpoints take {MOST_BYTES // 2**20}")
    return _known(path, kind, read_file(path, MOST_BYTES))


def _known(path: Path, kind: str, content: bytes) -> MediaFile:
    for known, mime, at, magic in _KINDS:
        if known == kind and content[at : at + len(magic)] == magic:
            return MediaFile(path, mime, f"sha256:{sha256(content).hexdigest()};{mime};{len(content)} bytes")
    formats = ", ".join(dict.fromkeys(m.split("/")[1] for k, m, _, _ in _KINDS if k == kind))
    raise InputError(f"is empty or of no known format ({formats})")


def read_media(reference: str, path: Path) -> bytes:
    """The content of a file, which is the very one that a reference stands for.

    Raises:
        UserError: it cannot be read, or has changed.
    """
    content = read_file(path, MOST_BYTES)
    digest, mime, size = reference.removeprefix("sha256:").split(";")
    if (sha256(content).hexdigest(), f"{len(content)} bytes") != (digest, size):
        kind = mime.partition("/")[0]
        raise UserError(
            f"the {kind} has changed since the input was read", where=str(path), fix="leave the input alone"
        )
    return content

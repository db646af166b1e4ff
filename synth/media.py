"""Files of images and sounds that belong to problems."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from synth.errors import InputError
from synth.records import Media

__all__ = ["MediaFile", "check_media"]

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


class MediaFile(NamedTuple):
    """A file as it stands in a message."""

    path: Path
    mime: str
    reference: str
    """`sha256:…;MIME;n bytes`: what stands for it in the key and the ledger."""


def check_media(media: Media, folder: Path) -> MediaFile | None:
    """Look at a file that belongs to a problem; None for a URL, which the endpoint fetches itself.

    Args:
        media: what the problem refers to.
        folder: where relative paths begin.

    Raises:
        InputError: it is not there, too large, or not of a kind that endpoints take.
    """
    if media.uri.startswith(("http://", "https://")):
        return None
    path = folder / media.uri
    try:
        stat = path.stat()
        return _look(path, media.kind, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise InputError(f"the {media.kind} {media.uri!r} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=4096)
def _look(path: Path, kind: str, size: int, _changed: int) -> MediaFile:
    if size > MOST_BYTES:
        raise InputError(
            f"the {kind} {path.name!r} has {size / 2**20:.0f} MiB, and endpoints take {MOST_BYTES // 2**20}"
        )
    content = path.read_bytes()
    for known, mime, at, magic in _KINDS:
        if known == kind and content[at : at + len(magic)] == magic:
            return MediaFile(path, mime, f"sha256:{sha256(content).hexdigest()};{mime};{size} bytes")
    formats = ", ".join(dict.fromkeys(m.split("/")[1] for k, m, _, _ in _KINDS if k == kind))
    raise InputError(f"the {kind} {path.name!r} is empty or of no known format ({formats})")

"""The images and sounds of a row."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Literal

from synth.errors import InputError
from synth.media import check_media
from synth.reach import Reach
from synth.records import Media

__all__ = ["MOST_MEDIA", "MOST_MEDIA_BYTES", "all_media"]

MOST_MEDIA = 64
MOST_MEDIA_BYTES = 64 * 2**20
"""Of one problem: all of it goes into one request. Less than endpoints refuse, and more than data sets hold."""
_MEDIA: tuple[tuple[str, Literal["image", "audio"] | None], ...] = (
    ("images", "image"),
    ("audio", "audio"),
    ("media", None),
)
"""Fields that give images and sounds; of what kind `media` are, each says."""


def all_media(got: Mapping[str, Any], reach: Reach) -> tuple[Media, ...]:
    """The images and sounds of a row, with the hashes of those that are files."""
    given = [one for name, kind in _MEDIA if got.get(name) is not None for one in _media(kind, got[name])]
    if len(given) > MOST_MEDIA:
        raise InputError(f"it has {len(given):,} images and sounds, and at most {MOST_MEDIA} are taken")
    size, found = 0, []
    for one in given:
        file = check_media(one, reach)
        found.append(one if file is None else one.model_copy(update={"sha256": file.sha256}))
        size += 0 if file is None else file.size
        if size > MOST_MEDIA_BYTES:
            raise InputError(f"its images and sounds have more than {MOST_MEDIA_BYTES // 2**20} MiB")
    return tuple(found)


def _media(kind: Literal["image", "audio"] | None, value: Any) -> Iterator[Media]:
    """Images and sounds: paths or URLs, or objects with `kind` and `uri`; one, or a list of them."""
    what = kind or "media"
    if not isinstance(value, (list, str, dict, NoneType)):
        raise InputError(f"the {what} is a {type(value).__name__}, not the path of a file or a URL")
    for one in value if isinstance(value, list) else [value] if value else ():
        uri = one.get("uri") if isinstance(one, dict) else one
        if not isinstance(uri, str):
            raise InputError(f"the {what} is a {type(one).__name__}, not the path of a file or a URL")
        said = one.get("kind") if isinstance(one, dict) else None
        transcript = one.get("transcript") if isinstance(one, dict) else None
        yield Media(
            kind=kind or _kind_of(uri, said), uri=uri, transcript=str(transcript) if transcript is not None else None
        )


def _kind_of(uri: str, said: Any) -> Literal["image", "audio"]:
    """What a file or URL of a mixed list is: as the row says, else as its name does."""
    if said is None:
        said = (mimetypes.guess_type(uri.partition("?")[0])[0] or "").partition("/")[0]
    if said not in {"image", "audio"}:
        raise InputError(f"whether {uri!r} is an image or a sound is not known: give {{kind: image, uri: …}}")
    return "image" if said == "image" else "audio"

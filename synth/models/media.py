"""Images and sounds in messages: read when they are sent; in the key and in the ledger by their hash."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.errors import ModelError, UserError
from synth.media import check_media, read_media
from synth.models.request import Message
from synth.reach import Reach
from synth.records import Media

__all__ = ["attach", "with_media"]


def attach(
    messages: Sequence[Message], media: Sequence[Media], reach: Reach
) -> tuple[tuple[Message, ...], dict[str, Path]]:
    """The messages with the media of a problem in the last one of the user, and the files behind them.

    Raises:
        InputError: a file cannot be had, or has changed.
    """
    parts: list[dict[str, Any]] = []
    files: dict[str, Path] = {}
    for one in media:
        file = check_media(one, reach)
        where = one.uri if file is None else file.reference
        if file is not None:
            files[file.reference] = file.path
        if one.kind == "image":
            parts.append({"type": "image_url", "image_url": {"url": where}})
        else:
            form = (file.mime if file else one.uri.rsplit(".", 1)[-1]).split("/")[-1]
            parts.append({"type": "input_audio", "input_audio": {"data": where, "format": form}})
    last = max(i for i, m in enumerate(messages) if m["role"] == "user")
    said = {**messages[last], "content": [{"type": "text", "text": messages[last]["content"]}, *parts]}
    return (*messages[:last], said, *messages[last + 1 :]), files


def with_media(messages: Sequence[Message], files: Mapping[str, Path]) -> list[Message]:
    """The messages with the files themselves, as data URLs, where their hashes stood.

    Raises:
        ModelError: a file cannot be read, or has another content than its hash says.
    """

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: full(v) for k, v in value.items()}
        if isinstance(value, list):
            return [full(v) for v in value]
        path = files.get(value) if isinstance(value, str) else None
        if path is None:
            return value
        try:
            data = base64.b64encode(read_media(value, path)).decode()
        except UserError as error:
            raise ModelError("bad_request", f"{error.where}: {error.what}", fix=error.fix) from error
        mime = value.split(";")[1]
        return data if mime.startswith("audio/") else f"data:{mime};base64,{data}"

    return [full(m) for m in messages]

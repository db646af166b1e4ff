"""Looking for secrets in what is about to be published."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synth.redact import KEY_SHAPES, known_secrets

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Found", "secrets_here", "secrets_in"]

_NAMES = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_[A-Z0-9]+)?$", re.IGNORECASE
)
"""Environment variables that hold a secret, by their names."""

_SHORTEST = 8
"""Characters; what is shorter may stand in any text."""


class Found(NamedTuple):
    """A secret that was found; never the secret itself."""

    path: str
    """In which file."""
    record: str
    """Id of the record, or the line."""
    kind: str
    """What it is."""
    mark: str
    """The first digits of its SHA-256, by which it can be spoken of."""
    sure: bool
    """Whether it is a value that this process knows to be a secret, and not only looks like one."""


def secrets_here(names: Iterable[str] = ()) -> dict[str, str]:
    """The secrets this process knows, by value, with where each is from: environment variables, the login of the Hub, models.

    Args:
        names: environment variables that hold one, with any name.
    """
    from huggingface_hub import get_token

    named = set(names)
    found = {
        value: f"the value of {name}"
        for name, value in os.environ.items()
        if (name in named or _NAMES.search(name)) and _is_secret(value)
    }
    found |= {value: "a key of a model" for value in known_secrets() if value not in found and len(value) >= _SHORTEST}
    token = get_token()
    return {token: "the token of the Hub", **found} if token else found


def _is_secret(value: str) -> bool:
    """Not a path, a switch or a word: those stand in ordinary texts."""
    return (
        len(value) >= _SHORTEST
        and not value.startswith(("/", "./", "~"))
        and not value.isalpha()
        and not value.isspace()
    )


def secrets_in(files: Sequence[tuple[str, Path]], known: dict[str, str]) -> list[Found]:
    """The secrets in files, Parquet or text: known values, and what looks like a key.

    Args:
        files: each with its name.
        known: values with what they are, as `secrets_here` gives them.
    """
    wanted = _Wanted(known)
    found = [one for path, file in files for one in _in_file(path, file, wanted)]
    return list({(f.path, f.record, f.mark): f for f in found}.values())


class _Wanted:
    def __init__(self, known: dict[str, str]) -> None:
        import re2  # linear in any text; and it reads patterns as Arrow does, which uses it too

        self.known = known
        self.quick = "|".join([*map(re.escape, known), *KEY_SHAPES.values()])
        """For all of it at once."""
        self._quick = re2.compile(self.quick)
        self._patterns = [(kind, re2.compile(pattern)) for kind, pattern in KEY_SHAPES.items()]

    def anything(self, text: str) -> bool:
        """Whether there is something in a text."""
        return self._quick.search(text) is not None

    def seen(self, text: str) -> Iterator[tuple[str, str, bool]]:
        """What is in a text: kind, mark, whether it is known."""
        for value, kind in self.known.items():
            if value in text:
                yield kind, _mark(value), True
                text = text.replace(value, "")
        for kind, pattern in self._patterns:
            for match in pattern.findall(text):
                yield kind, _mark(match), False
            text = pattern.sub("", text)


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def _in_file(path: str, file: Path, wanted: _Wanted) -> Iterator[Found]:
    if file.suffix == ".parquet":
        yield from _in_rows(path, file, wanted)
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if wanted.anything(text):
        for number, line in enumerate(text.split("\n"), 1):
            for kind, mark, sure in wanted.seen(line):
                yield Found(path, f"line {number}", kind, mark, sure)


def _in_rows(path: str, file: Path, wanted: _Wanted) -> Iterator[Found]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    before = 0
    for batch in pq.ParquetFile(file).iter_batches(batch_size=8192):
        # All texts are gone through by Arrow, many times as fast; rows are made only of the few batches in which something is.
        if any(pc.any(pc.match_substring_regex(t, wanted.quick)).as_py() for c in batch.columns for t in _texts(c)):
            for number, row in enumerate(batch.to_pylist(), before + 1):
                name = row.get("record_id") or row.get("id")
                for text in _strings(row):
                    for kind, mark, sure in wanted.seen(text):
                        yield Found(path, str(name or f"row {number}"), kind, mark, sure)
        before += batch.num_rows


def _texts(array: pa.Array) -> Iterator[pa.Array]:
    import pyarrow.types as kinds

    if kinds.is_string(array.type) or kinds.is_large_string(array.type):
        yield array
    elif kinds.is_list(array.type) or kinds.is_large_list(array.type):
        yield from _texts(array.flatten())
    elif kinds.is_struct(array.type):
        for child in array.flatten():
            yield from _texts(child)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child)

"""How a commit stands in the journal: what an owner made, instead of what it made before.

It is one JSON object. A tab stands before and after each row: JSON allows one between its parts and never has one within
a text, so that a commit is taken apart without parsing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from synth.records import UnitRecord

__all__ = ["Commit", "commit_body", "cut_commit"]

_TAB = b"\t"
_OWNER, _NEXT = b'{"owner":', b',"fingerprint":'
_FIRST = b',"first":true'


def commit_body(
    owner: str, fingerprint: str, records: Iterable[UnitRecord], *, first: bool = False, at: float | None = None
) -> bytes:
    """A commit as JSON.

    Args:
        owner: whose records these are from now on.
        fingerprint: of what made them.
        records: all of them.
        first: whether this owner has never committed before, so that there is nothing to take out.
        at: seconds since the epoch, where that is to be remembered.
    """
    tables: dict[str, list[bytes]] = {}
    for record in records:
        tables.setdefault(record.table, []).append(record.to_json())
    inner = [b'"%b":[\t%b\t]' % (table.encode(), b"\t,\t".join(rows)) for table, rows in tables.items()]
    more = (_FIRST if first else b"") + (b',"at":' + orjson.dumps(at) if at is not None else b"")
    head = b"%b%b%b%b%b" % (_OWNER, orjson.dumps(owner), _NEXT, orjson.dumps(fingerprint), more)
    return b'%b,"records":{%b}}' % (head, b",".join(inner))


class Commit(NamedTuple):
    """A commit taken apart."""

    owner: bytes
    """A JSON string."""
    first: bool
    """Whether this owner has certainly not committed before."""
    rows: list[tuple[str, bytes]]
    """Each row with its table, as a JSON object that begins with the owner."""


def cut_commit(body: bytes) -> Commit:
    """Take a commit of ours apart, without parsing it. One that this process has not written is parsed (`synth.store.entries`):
    tabs between the parts of its rows would be rows of their own here.
    """
    head, *pieces = body.split(_TAB)
    end = head.index(_NEXT)
    owner = head[len(_OWNER) : end]
    return Commit(owner, _FIRST in head[end:], [(table, _owned(owner, row)) for table, row in _rows(head, pieces)])


def _rows(head: bytes, pieces: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Rows are every second piece; what stands before one says of which table it is, where another one begins."""
    before, table = head, ""
    for row, after in zip(pieces[::2], pieces[1::2], strict=True):
        if before != b",":
            table = before[before.rindex(b'"', 0, -3) + 1 : -3].decode()
        yield table, row
        before = after


def _owned(owner: bytes, row: bytes) -> bytes:
    return b'{"owner":%b,%b' % (owner, row[1:])

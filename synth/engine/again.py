"""Which units are worth doing again, and whether a session came to its end."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from synth.store.database import open_store
from synth.store.entries import read_journal
from synth.store.manifest import read_manifest
from synth.store.owners import BY_HAND, CORPUS, HUMAN_OWNER

__all__ = ["Failed", "corpus_is_due", "failed_in"]

_SHAPELESS = """
SELECT c.id, c.repairs FROM failures f JOIN calls c ON c.id = f.call
WHERE f.cause IN ('shape', 'restarted', 'repeated') AND c.status = 'ok' AND (f.retriable OR ?)
"""


class Failed(NamedTuple):
    """What failed in a run."""

    units: frozenset[str]
    """Units in which something failed that may succeed later."""
    others: int
    """Failures that are not expected to."""
    unusable: tuple[str, ...]
    """Calls whose replies came whole and could not be used: they are to be forgotten, so that they are asked for again."""


def failed_in(run: Path, *, everything: bool = False) -> Failed:
    """What is worth doing again; nothing is changed.

    Args:
        run: the run folder.
        everything: also what is not expected to succeed (refusals, bad requests).

    Raises:
        RunFolderError: there is no run in this folder.
    """
    with open_store(run) as store:
        units = store.sql("SELECT DISTINCT unit FROM failures WHERE retriable OR ?", [everything]).fetchall()
        others = store.sql("SELECT count(*) FROM failures WHERE NOT retriable").fetchall()[0][0]
        shapeless = store.sql(_SHAPELESS, [everything]).fetchall()
    unusable = tuple(call for row in shapeless for call in row if call is not None)
    return Failed(frozenset(unit for (unit,) in units), others, unusable)


def corpus_is_due(run: Path) -> bool:
    """Whether units were done since the corpus steps of a run looked at it last, or these did not come to their end: the session
    was killed in between.

    Raises:
        RunFolderError: there is no run in this folder, or its journal is damaged.
    """
    judged = {CORPUS, BY_HAND} if read_manifest(run).curated else {CORPUS}
    due: dict[str, bool] = {}
    for _, entry in read_journal(run / "journal"):
        if entry.kind != "commit":
            continue
        owner = entry.body["owner"]
        if owner in judged:
            due[owner] = not entry.body["fingerprint"]
        elif not owner.startswith(HUMAN_OWNER):
            due = dict.fromkeys(due, True)
    return any(due.values())

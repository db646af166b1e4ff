"""Forgetting replies: they stay in the ledger, and are never served again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.run_folder import RunFolder

__all__ = ["forget"]


def forget(run: Path, calls: Sequence[str]) -> int:
    """Make the next run ask again for what these calls answered; returns for how many.

    Args:
        run: the run folder.
        calls: ids of ledger rows.

    Raises:
        RunFolderError: there is no run, or another process is at work on it.
    """
    if not calls:
        return 0
    with open_store(run) as store:
        query = "SELECT DISTINCT key, unit FROM calls WHERE status = 'ok' AND id IN (SELECT unnest(?))"
        found = store.sql(query, [list(calls)]).fetchall()
    folder = RunFolder(run)
    journal = Journal(run / "journal")
    try:
        for key, unit in found:
            journal.append("forget", orjson.dumps({"key": key, "unit": unit}))
        journal.flush()
    finally:
        journal.close()
        folder.close()
    return len(found)

"""Which units are worth doing again."""

from __future__ import annotations

from pathlib import Path

from synth.store.database import open_store

__all__ = ["failed_units"]


def failed_units(run: Path, *, everything: bool = False) -> tuple[frozenset[str], int]:
    """The units in which something failed that may succeed later; and how many failures are not expected to.

    Args:
        run: the run folder.
        everything: also units of those (refusals, bad requests).

    Raises:
        RunFolderError: there is no run in this folder.
    """
    with open_store(run) as store:
        units = store.sql("SELECT DISTINCT unit FROM failures WHERE retriable OR ?", [everything]).fetchall()
        others = store.sql("SELECT count(*) FROM failures WHERE NOT retriable").fetchall()[0][0]
    return frozenset(unit for (unit,) in units), others

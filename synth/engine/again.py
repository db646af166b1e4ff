"""Which units are worth doing again."""

from __future__ import annotations

from pathlib import Path

from synth.engine.forget import forget
from synth.store.database import open_store

__all__ = ["failed_units"]

_SHAPELESS = """
SELECT c.id, c.repairs FROM failures f JOIN calls c ON c.id = f.call
WHERE f.cause IN ('shape', 'restarted') AND c.status = 'ok' AND (f.retriable OR ?)
"""


def failed_units(run: Path, *, everything: bool = False) -> tuple[frozenset[str], int]:
    """The units in which something failed that may succeed later; and how many failures are not expected to.

    Replies that came whole and could not be used are forgotten, so that they are asked for anew, and not served again.

    Args:
        run: the run folder.
        everything: also units of those (refusals, bad requests).

    Raises:
        RunFolderError: there is no run in this folder, or another process is at work on it.
    """
    with open_store(run) as store:
        units = store.sql("SELECT DISTINCT unit FROM failures WHERE retriable OR ?", [everything]).fetchall()
        others = store.sql("SELECT count(*) FROM failures WHERE NOT retriable").fetchall()[0][0]
        shapeless = store.sql(_SHAPELESS, [everything]).fetchall()
    if shapeless:
        forget(run, [call for row in shapeless for call in row if call is not None])
    return frozenset(unit for (unit,) in units), others

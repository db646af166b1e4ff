"""Whether the records of a run hold invented text: what the scripted model wrote, in a rehearsal or a test."""

from __future__ import annotations

from typing import NamedTuple

from synth.store.database import Store

__all__ = ["SCRIPTED", "Invented", "invented_in"]

SCRIPTED = "scripted:"
"""How the endpoint of the scripted model begins in the ledger; `views.sql` knows it by the same word."""


class Invented(NamedTuple):
    """What the scripted model has to do with a run."""

    models: tuple[str, ...]
    """Its names, as the ledger has them; in order."""
    calls: int
    """How many of the calls that records stem from it answered."""
    of: int
    """How many such calls there are."""

    @property
    def sentence(self) -> str:
        """The warning that goes wherever the run, or what was made of it, is shown."""
        partly = "" if self.calls == self.of else " in part"
        return (
            f"The text of this run is{partly} invented: the scripted model ({', '.join(self.models)}) answered {self.calls:,} of the "
            f"{self.of:,} calls that its records come from. It is not a language model, and its text is not fit for training."
        )


def invented_in(store: Store) -> Invented | None:
    """What the scripted model has to do with the records of a run; None where it has nothing to do with them.

    The ledger says so, for any command that made the run. Calls of units and pipelines of earlier sessions do not count where
    nothing stems from them any more. Where the last session had a scripted model at work, all its calls count: not every step
    notes each of the calls that a record comes from.
    """
    if store.sql("SELECT 1 FROM calls WHERE starts_with(endpoint, ?) LIMIT 1", [SCRIPTED]).fetchone() is None:
        return None
    roles = store.manifest.models
    bound = [endpoint for some in roles.values() for _, endpoint, *_ in some if endpoint.startswith(SCRIPTED)]
    found = store.sql(_CALLS, [bound]).fetchall()
    scripted = [(name, n) for name, invented, n in found if invented]
    if not scripted:
        return None
    return Invented(tuple(name for name, _ in scripted), sum(n for _, n in scripted), sum(n for *_, n in found))


_CALLS = """
SELECT model, starts_with(endpoint, 'scripted:') AS invented, count(*) FROM calls
WHERE got_reply(status, completion_tokens, finish) AND (id IN (SELECT id FROM current_calls)
  OR (list_contains($1::VARCHAR[], endpoint) AND unit IN (SELECT unit FROM problems)))
GROUP BY ALL ORDER BY ALL
"""

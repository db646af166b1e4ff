"""Why an export would be empty: which step makes what it needs, or which one rejected it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from synth.errors import UserError
from synth.export.format import Format, LeftOut
from synth.export.options import ExportOptions
from synth.store.database import Store

__all__ = ["nothing"]


def nothing(store: Store, format_: Format, run: Path, options: ExportOptions, left_out: LeftOut) -> UserError:
    """The error that says why there is nothing to export, and what to do about it."""
    need = format_.need(options)
    made, kept = (store.sql(query).fetchall()[0][0] for query in (need.made, need.kept))
    head, look = (
        f"there is nothing to export as {format_.name}",
        f"synth status {quote(str(run))} shows where the records went",
    )
    if left_out.reasons:
        reasons = "; ".join(f"{n:,}: {why}" for why, n in left_out.reasons.most_common())
        return UserError(
            f"{head}: all that could be were left out ({reasons})",
            where=str(run),
            fix=f"other options may keep them; {look}",
        )
    if not made:
        return UserError(f"{head}: this run has no {need.what}", where=str(run), fix=need.maker)
    if not kept:
        reasons = ", ".join(f"{step} ({rule}) {n:,}" for step, rule, n in store.sql(_REASONS, [need.table]).fetchall())
        what = f"{head}: all {made:,} records of the table {need.table} that could be were rejected, by {reasons}"
        return UserError(what, where=str(run), fix=f"loosen that step and give the command of the run again; {look}")
    reasons = ", ".join(f"{step} ({rule}) {n:,}" for step, rule, n in store.sql(_REASONS, ["problems"]).fetchall())
    what = f"{head}: there are {kept:,} records that could be, but none of a problem that is kept with all it needs"
    what += f"; problems were rejected by {reasons}" if reasons else ""
    return UserError(what, where=str(run), fix=look)


_REASONS = """SELECT step, rule, n FROM rejection_reasons
WHERE target_table = $1 OR (target_table = 'problems' AND $1 <> 'problems') ORDER BY n DESC LIMIT 5"""

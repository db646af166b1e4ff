"""One HTML file that tells what a run is: figures, and examples of what is in and what is out."""

from __future__ import annotations

from pathlib import Path

from synth.errors import UserError
from synth.store.database import Store, open_store
from synth.view.pages import asset, asset_hash, page
from synth.view.records import letters, sides_of, stories, trees_of
from synth.view.summary import summary_of

__all__ = ["report", "write_report"]

KEPT, A_RULE, OUT, PAIRS, TREES = 12, 3, 24, 8, 4
"""Examples: kept; out, of one rule and in all; pairs; trees. Ids are hashes, so the first ones are a random sample."""


def report(store: Store, run: Path) -> str:
    """The report of a run as a page that asks for nothing from anywhere and runs nothing."""
    kept = _ids(store, "SELECT id FROM kept_rationales ORDER BY id LIMIT ?", KEPT)
    out = _ids(store, _OUT, A_RULE, OUT)
    pairs = _ids(store, "SELECT id FROM kept_pairs ORDER BY id LIMIT ?", PAIRS)
    trees = _ids(store, "SELECT problem FROM nodes GROUP BY problem ORDER BY count(*) DESC, problem LIMIT ?", TREES)
    return page(
        "report.html",
        name=run.resolve().name,
        summary=summary_of(store, run),
        kept=stories(store, kept),
        out=stories(store, out),
        pairs=sides_of(store, pairs),
        trees=trees_of(store, trees),
        letters=letters,
        style=asset("style.css"),
        style_hash=asset_hash("style.css"),
        links=False,
    )


_OUT = """
SELECT id FROM (
  SELECT r.id, row_number() OVER (PARTITION BY j.step, j.rule ORDER BY r.id) AS nth
  FROM rationales r JOIN (SELECT target, any_value(step) AS step, any_value(rule) AS rule FROM rejections GROUP BY target) j
  ON j.target = r.id)
WHERE nth <= ? ORDER BY nth, id LIMIT ?
"""


def _ids(store: Store, query: str, *given: int) -> list[str]:
    return [i for (i,) in store.sql(query, given).fetchall()]


def write_report(run: Path, out: Path) -> int:
    """Write the report of a run to a file; returns its size in bytes.

    Raises:
        RunFolderError: there is no run in this folder.
        UserError: the file cannot be written.
    """
    with open_store(run) as store:
        made = report(store, run).encode("utf-8", errors="replace")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(made)
    except OSError as error:
        raise UserError(
            f"the report cannot be written: {error.strerror}", where=str(out), remedy="name another file with --out"
        ) from error
    return len(made)

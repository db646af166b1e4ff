"""One HTML file that shows what a run is: figures, and examples of what is kept and what is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synth.audit import Verdict
from synth.errors import UserError
from synth.files import advice_for, write_file
from synth.render.pages import asset, asset_hash, page
from synth.render.records import sides_of, stories, trees_of
from synth.render.summary import Summary, summary_of
from synth.store.database import Store, open_store

__all__ = ["report", "write_report"]

KEPT, A_RULE, OUT, PAIRS, TREES = 12, 3, 24, 8, 4
"""Examples: kept; out, of one rule and in all; pairs; trees. Ids are hashes, so the first ones are a random sample."""

MOST_BYTES = 5_000_000
"""Of a file that can be mailed anywhere."""


def report(store: Store, run: Path, verdicts: Sequence[Verdict] | None = None) -> str:
    """The report of a run as a page that asks for nothing from anywhere and runs nothing; `verdicts` as in `summary_of`."""
    summary = summary_of(store, run, verdicts)
    made = _page(store, run, summary, 1)
    share = 1
    while len(made.encode("utf-8", errors="replace")) > MOST_BYTES and share <= OUT:
        share *= 2  # texts are cut, but a method may give many long reasons and thoughts: then fewer examples
        made = _page(store, run, summary, share)
    return made


def _page(store: Store, run: Path, summary: Summary, share: int) -> str:
    """The report with one in `share` of the examples it may have."""
    kept = _ids(store, "SELECT id FROM kept_rationales ORDER BY id LIMIT ?", KEPT // share)
    out = _ids(store, _OUT, A_RULE, OUT // share)
    pairs = _ids(store, "SELECT id FROM kept_pairs ORDER BY id LIMIT ?", PAIRS // share)
    trees = _ids(store, _TREES, TREES // share)
    return page(
        "report.html",
        name=run.resolve().name,
        summary=summary,
        kept=stories(store, kept),
        out=stories(store, out),
        pairs=sides_of(store, pairs),
        trees=trees_of(store, trees),
        style=asset("style.css"),
        style_hash=asset_hash("style.css"),
    )


_TREES = "SELECT problem FROM nodes GROUP BY problem ORDER BY count(*) DESC, problem LIMIT ?"

_OUT = """
SELECT id FROM (
  SELECT r.id, row_number() OVER (PARTITION BY j.step, j.rule ORDER BY r.id) AS nth
  FROM rationales r JOIN (SELECT target, any_value(step) AS step, any_value(rule) AS rule FROM rejections GROUP BY target) j
  ON j.target = r.id)
WHERE nth <= ? ORDER BY nth, id LIMIT ?
"""


def _ids(store: Store, query: str, *given: int) -> list[str]:
    return [i for (i,) in store.sql(query, given).fetchall()]


def write_report(run: Path, out: Path, verdicts: Sequence[Verdict] | None = None) -> int:
    """Write the report of a run to a file; returns its size in bytes.

    Args:
        run: the run folder.
        out: the file.
        verdicts: what the audits say, where they were asked already.

    Raises:
        RunFolderError: there is no run in this folder.
        UserError: the file cannot be written.
    """
    with open_store(run) as store:
        made = report(store, run, verdicts).encode("utf-8", errors="replace")
    try:
        write_file(out, made)
    except OSError as error:
        fix = f"{advice_for(error)} (--out names another file)"
        raise UserError(f"the report cannot be written: {error.strerror}", where=str(out), fix=fix) from error
    return len(made)

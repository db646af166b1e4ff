"""Two runs beside each other: their figures, and problem by problem what each kept."""

from __future__ import annotations

from typing import Any, NamedTuple

from synth.store.database import Store

__all__ = ["ONLY", "Both", "Difference", "differing", "totals"]

ONLY = {
    "": "all problems of both",
    "left": "kept only by the first",
    "right": "kept only by the second",
    "differs": "another number kept",
}
"""Which problems are listed."""

PAGE = 50


class Both(NamedTuple):
    """One figure of both runs."""

    what: str
    left: float | None
    right: float | None


class Difference(NamedTuple):
    """A problem of both runs: rationales, and how many were kept and right, in each."""

    id: str
    question: str
    left: tuple[int, int, int]
    right: tuple[int, int, int]


def totals(left: Store, right: Store) -> list[tuple[str, list[Both]]]:
    """Figures of both, by group."""
    return [(title, _beside(left, right, query)) for title, query in _TOTALS]


_TOTALS = (
    ("funnel", "SELECT stage, n FROM funnel ORDER BY position"),
    (
        "cost",
        """SELECT unnest(['calls', 'failed calls', 'tokens read', 'tokens written', 'tokens of thoughts', 'US dollars', 'calls of unknown price',
          'median seconds of a call']),
        unnest([count(*)::DOUBLE, count(*) FILTER (status <> 'ok'), sum(prompt_tokens), sum(completion_tokens),
          sum(reasoning_tokens), known_cost(price, status, completion_tokens, finish), unpriced_calls(price, status, completion_tokens, finish),
          median(latency) FILTER (got_reply(status, completion_tokens, finish))])
        FROM calls""",
    ),
    (
        "kept rationales",
        """SELECT unnest(['with a thought', 'thought a summary', 'thought hidden', 'median characters of a thought',
          'median characters of a response']),
        unnest([count(*) FILTER (thought_kind IN ('raw', 'summary'))::DOUBLE, count(*) FILTER (thought_kind = 'summary'),
          count(*) FILTER (thought_kind = 'hidden'), median(length(thought)) FILTER (thought <> ''), median(length(response))])
        FROM kept_rationales""",
    ),
    (
        "mean of scores",
        "SELECT name, avg(value) FROM current_scores WHERE part IS NULL AND value IS NOT NULL GROUP BY name ORDER BY name",
    ),
    ("out, by step and rule", "SELECT step || ': ' || rule, n FROM rejection_reasons"),
    (
        "models, rationales kept",
        "SELECT coalesce(model, author), count(*) FROM kept_rationales GROUP BY 1 ORDER BY 1",
    ),
)


def _beside(left: Store, right: Store, query: str) -> list[Both]:
    a, b = dict(left.sql(query).fetchall()), dict(right.sql(query).fetchall())
    return [Both(what, a.get(what), b.get(what)) for what in dict.fromkeys([*a, *b])][:40]


_COUNTS = """
SELECT p.id, count(r.id) AS n, count(r.id) FILTER (r.id IN (SELECT id FROM kept_rationales)) AS kept,
  count(r.id) FILTER (r.id IN (SELECT target FROM scores WHERE part IS NULL AND name = 'correct' AND value = 1)) AS right_ones
FROM problems p LEFT JOIN rationales r ON r.problem = p.id GROUP BY p.id
"""


def differing(left: Store, right: Store, only: str, after: str) -> tuple[list[Difference], int]:
    """A page of the problems both runs have, in order of their ids, and how many there are in all."""
    import polars as pl

    both = left.frame(_COUNTS).join(right.frame(_COUNTS), on="id", suffix="_2")
    kept, kept_2 = pl.col("kept"), pl.col("kept_2")
    chosen = {"left": (kept > 0) & (kept_2 == 0), "right": (kept == 0) & (kept_2 > 0), "differs": kept != kept_2}
    both = both.filter(chosen.get(only, pl.lit(value=True)))
    rows: list[dict[str, Any]] = both.filter(pl.col("id") > after).sort("id").head(PAGE).to_dicts()
    questions = dict(
        left.sql(
            "SELECT id, substr(question, 1, 300) FROM problems WHERE id IN (SELECT unnest($1::VARCHAR[]))",
            [[r["id"] for r in rows]],
        ).fetchall()
    )
    made = [
        Difference(
            r["id"],
            questions.get(r["id"], ""),
            (r["n"], r["kept"], r["right_ones"]),
            (r["n_2"], r["kept_2"], r["right_ones_2"]),
        )
        for r in rows
    ]
    return made, both.height

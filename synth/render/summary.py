"""A run in figures: what pages and reports draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from synth.audit import Agreement, Section, Verdict, agreement_of, look_over, run_audits
from synth.render.charts import Histogram, histogram
from synth.store.database import Store
from synth.store.invented import Invented, invented_in
from synth.store.manifest import Manifest, read_manifest

__all__ = [
    "HUMAN",
    "Figures",
    "Judges",
    "Scored",
    "Spending",
    "Stage",
    "Summary",
    "Thoughts",
    "audits_of",
    "figures_of",
    "funnel_of",
    "judges_of",
    "summary_of",
    "thoughts_of",
]

HUMAN = "human"
"""Name of the score a person gives."""

_MOST_SCORES = 24
"""Score names drawn; a method gives a handful."""

KINDS = ("kept", "out")


class Stage(NamedTuple):
    """A stage of the funnel."""

    name: str
    n: int
    share: float
    """Of the widest stage."""
    of_before: float | None
    """Of the stage before, where it counts the same things."""


class Spending(NamedTuple):
    """Calls of one step to one model."""

    model: str
    step: str
    calls: int
    failed: int
    read: int
    written: int
    usd: float | None
    unpriced: int
    seconds: float | None
    """Median of a call that a reply came for."""


class Scored(NamedTuple):
    """One score: its distribution, by what became of the judged record."""

    name: str
    judges: int
    labels: list[tuple[str, int]]
    drawn: Histogram


class Thoughts(NamedTuple):
    """What kept rationales have of the reasoning of their models."""

    kept: int
    """Rationales that are kept."""
    with_thought: int
    """Those with the text of a thought."""
    summaries: int
    """Of these, those whose thought is a summary by the provider."""
    hidden: int
    """Those whose model reasoned while its provider shows nothing of it."""
    median_thought: float | None
    """Characters of a thought; None where there is none."""
    median_response: float | None
    """Characters of a response."""
    reasoning_tokens: int | None
    """Completion tokens of thoughts, of all calls; None where no endpoint counts them apart."""
    completion_tokens: int | None
    """All completion tokens of the calls whose endpoints do."""


class Figures(NamedTuple):
    """What was rejected, spent, scored, and how long texts are."""

    reasons: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    spending: list[Spending]
    unpriced: int
    """Calls that a reply came for, and whose price is not known."""
    scores: list[Scored]
    thoughts: Thoughts | None
    """None where nothing is kept."""
    lengths: list[tuple[str, str, Histogram]]
    """Title, unit, distribution."""


class Judges(NamedTuple):
    """How those who judged agree, and what else there is to say of them."""

    agreement: list[Agreement]
    sections: list[Section]
    """What `synth audit --look` shows."""


class Summary(NamedTuple):
    """All of it."""

    manifest: Manifest
    funnel: list[Stage]
    figures: Figures
    judges: Judges
    audits: list[Verdict]
    invented: Invented | None
    """What the scripted model has to do with it; None where it has nothing to do with it."""


_CHAIN = ("asked", "answered", "parsed", "verified", "kept")
_UNASKED = ("imported", "made without a call")


def summary_of(store: Store, run: Path, verdicts: Sequence[Verdict] | None = None) -> Summary:
    """All there is to say of a run in figures.

    Args:
        store: the run, open for reading.
        run: its folder.
        verdicts: what the audits say, where they were asked already.
    """
    audits = audits_of(store, verdicts)
    return Summary(
        read_manifest(run), funnel_of(store), figures_of(store), judges_of(store), audits, invented_in(store)
    )


def figures_of(store: Store) -> Figures:
    """What was rejected, spent, scored, and how long texts are."""
    spending = [Spending(*row) for row in store.sql(_SPENDING).fetchall()]
    return Figures(
        reasons=store.rows("SELECT step, rule, target_table, n FROM rejection_reasons ORDER BY n DESC, step, rule"),
        failures=store.rows(
            "SELECT step, cause, retriable, count(*) AS n, any_value(message) AS example FROM failures GROUP BY ALL ORDER BY n DESC"
        ),
        spending=spending,
        unpriced=sum(s.unpriced for s in spending),
        scores=_scores(store),
        thoughts=thoughts_of(store),
        lengths=_lengths(store),
    )


_THOUGHTS = """
SELECT count(*), count(*) FILTER (thought_kind IN ('raw', 'summary')), count(*) FILTER (thought_kind = 'summary'),
  count(*) FILTER (thought_kind = 'hidden'), median(length(thought)) FILTER (thought <> ''), median(length(response)),
  (SELECT sum(reasoning_tokens)::BIGINT FROM calls),
  (SELECT sum(completion_tokens)::BIGINT FROM calls WHERE reasoning_tokens IS NOT NULL)
FROM kept_rationales
"""


def thoughts_of(store: Store) -> Thoughts | None:
    """How many of the kept rationales have a thought, and how long thoughts and responses are; None where nothing is kept."""
    (row,) = store.sql(_THOUGHTS).fetchall()
    return Thoughts(*row) if row[0] else None


def judges_of(store: Store) -> Judges:
    """How those who judged agree."""
    return Judges([a for name in _reviewed(store) if (a := agreement_of(store, name)).shared], look_over(store))


def audits_of(store: Store, verdicts: Sequence[Verdict] | None = None) -> list[Verdict]:
    """What the audits say, the worst first; they are not asked again where `verdicts` are given."""
    order = {"failed": 0, "passed": 1, "skipped": 2}
    return sorted(
        run_audits(store) if verdicts is None else verdicts, key=lambda v: (order[v.status], v.severity, v.name)
    )


_SPENDING = """
SELECT model, coalesce(step, '') AS step, count(*), count(*) FILTER (status <> 'ok'),
  coalesce(sum(prompt_tokens), 0)::BIGINT, coalesce(sum(completion_tokens), 0)::BIGINT,
  known_cost(price, status, completion_tokens, finish), unpriced_calls(price, status, completion_tokens, finish),
  median(latency) FILTER (got_reply(status, completion_tokens, finish))
FROM calls GROUP BY 1, 2 ORDER BY 1, min(started)
"""


_OUT = """({id} IN (FROM excluded) OR unit IN (FROM excluded) OR {id} IN (
  SELECT id FROM (SELECT id, problem FROM rationales UNION ALL SELECT id, problem FROM pairs) WHERE problem IN (FROM excluded)))"""
"""Whether a record is not kept."""


def funnel_of(store: Store) -> list[Stage]:
    """The funnel, each stage with its share of the widest and of the one before."""
    rows = store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()
    most = max((n for _, n in rows), default=0) or 1
    stages: list[Stage] = []
    for name, n in rows:
        before = stages[-1] if stages else None
        same = before is not None and before.name in _CHAIN and name in _CHAIN
        whole = before.n if before is not None and same else 0
        if name == "parsed":  # rationales that nobody was asked for have answers as well
            whole += sum(s.n for s in stages if s.name in _UNASKED)
        stages.append(Stage(name, n, n / most, n / whole if whole else None))
    return stages


def _scores(store: Store) -> list[Scored]:
    names = store.sql("SELECT name, count(DISTINCT judge) FROM scores GROUP BY 1 ORDER BY count(*) DESC").fetchall()
    made = []
    for name, judges in names[:_MOST_SCORES]:
        rows = store.sql(
            f"""SELECT value, CASE WHEN {_OUT.format(id="target")} THEN 'out' ELSE 'kept' END, count(*)
            FROM scores WHERE name = ? AND value IS NOT NULL GROUP BY ALL""",
            [name],
        ).fetchall()
        labels = store.sql(
            "SELECT label, count(*) FROM scores WHERE name = ? AND label IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8",
            [name],
        ).fetchall()
        if rows or labels:
            made.append(Scored(name, judges, labels, histogram(rows, KINDS)))
    return made


_LENGTHS = (
    ("length of thoughts", "characters", "SELECT length(thought) AS v, id, unit FROM rationales WHERE thought <> ''"),
    ("length of responses", "characters", "SELECT length(response) AS v, id, unit FROM rationales"),
    ("tokens of rationales", "tokens written", "SELECT tokens AS v, id, unit FROM rationales WHERE tokens IS NOT NULL"),
    ("steps of rationales", "steps", "SELECT len(steps) AS v, id, unit FROM rationales WHERE len(steps) > 0"),
    ("pairs: chosen minus rejected", "characters", "SELECT length_difference AS v, id, unit FROM pairs"),
)


def _lengths(store: Store) -> list[tuple[str, str, Histogram]]:
    made = []
    for title, unit, query in _LENGTHS:
        rows = store.sql(
            f"""SELECT v, CASE WHEN {_OUT.format(id="id")} THEN 'out' ELSE 'kept' END AS kind, count(*)
            FROM ({query}) GROUP BY ALL"""
        ).fetchall()
        if rows:
            made.append((title, unit, histogram(rows, KINDS)))
    return made


def _reviewed(store: Store) -> list[str]:
    """Names of scores several judges may have given to the same record."""
    return [
        n
        for (n,) in store.sql(
            """SELECT name FROM scores WHERE part IS NULL AND value IS NOT NULL
            GROUP BY name HAVING count(DISTINCT judge) > 1 ORDER BY name"""
        ).fetchall()
    ]

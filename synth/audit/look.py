"""What a run looks like to somebody who does not trust it: tables, each with what it means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from synth.audit.agreement import Agreement, agreement_of
from synth.measures import area_under_curve
from synth.store.database import Store

__all__ = ["Section", "look_over", "rater_calibration"]


class Section(NamedTuple):
    """One table."""

    title: str
    meaning: str
    rows: list[dict[str, Any]]


_NUMBERLESS = """
SELECT r.model, count(*) AS accepted,
  count(*) FILTER (NOT regexp_matches(replace(r.reasoning, ',', ''), '(^|[^0-9.])' || regexp_escape(replace(p.answer, ',', '')) || '($|[^0-9])'))
    AS without_gold
FROM (
  SELECT id FROM rationales WHERE id IN (SELECT target FROM scores WHERE part IS NULL AND label = 'accepted') ORDER BY id LIMIT 10000
) JOIN rationales r USING (id) JOIN problems p ON p.id = r.problem
WHERE p.answer_kind = 'number' GROUP BY ALL ORDER BY ALL
"""

_LENGTHS = """
SELECT step, reason, count(*) AS pairs, avg(length_difference) AS mean_difference,
  avg((length_difference > 0)::INT) AS chosen_longer, avg(margin) AS mean_margin
FROM kept_pairs GROUP BY ALL ORDER BY ALL
"""

_LOCATED = """
WITH wrong AS (SELECT target, min(part.index) AS first FROM scores WHERE part.kind = 'step' AND value = 0 GROUP BY target)
SELECT c.critic, count(*) AS critiques, count(c.part.index) AS name_a_step, avg((c.part.index = w.first)::INT) AS located
FROM critiques c LEFT JOIN wrong w ON w.target = c.target GROUP BY ALL ORDER BY ALL
"""


_CONTAMINATED = """
SELECT record, record_table AS of, benchmark, item_row, share, left(words, 120) AS words_of_both FROM contamination
ORDER BY share DESC, record LIMIT 50
"""


def rater_calibration(store: Store, review: str = "review") -> dict[str, dict[str, float]]:
    """Each reviewer's mean and standard deviation, as the option `calibration` of the step `review` reads it."""
    rows = store.rows("SELECT reviewer, mean, std FROM reviewers WHERE review = ? AND valid > 0", [review])
    return {r["reviewer"]: {"mean": r["mean"], "std": r["std"]} for r in rows}


def look_over(store: Store) -> list[Section]:
    """Every table there is something to say in."""
    return [section for section in _sections(store) if section.rows]


def _sections(store: Store) -> Iterator[Section]:
    reviewers = list(_reviewers(store))
    agreements = {name: agreement_of(store, f"{name}_single") for name in dict.fromkeys(r["review"] for r in reviewers)}
    yield Section(
        "reviewers",
        "informative: chance that it scores a right answer above a wrong one (0.5 is chance, NULL: only one kind was "
        "reviewed); own: how much better it scores what is its own",
        reviewers,
    )
    yield Section(
        "agreement of reviewers",
        "exact: share of equal scores; kappa: Cohen's, 1 agreement, 0 as by chance",
        [row for name, agreement in agreements.items() for row in _pairs(name, agreement)],
    )
    yield Section(
        "agreement of all",
        "alpha: Krippendorff's, interval scale, 1 agreement, 0 as by chance",
        [{"review": name, "alpha": agreement.alpha} for name, agreement in agreements.items()],
    )
    yield Section(
        "accepted without the gold number",
        "accepted by reviewers though neither thought nor response names the gold number but where the answer is stated "
        "(numbers in words are not seen); 10,000 at random where there are more",
        store.rows(_NUMBERLESS),
    )
    yield Section(
        "mistakes located",
        "critiques that name a step, and of those on rationales with labelled steps the share that names the first wrong one",
        store.rows(_LOCATED),
    )
    yield Section(
        "lengths of pairs",
        "characters of the chosen side minus the rejected; where one side is longer nearly always, length is what is learnt",
        store.rows(_LENGTHS),
    )
    yield Section(
        "contamination",
        "records rejected as items of a benchmark, or as like one, the most alike first; `FROM contamination` in SQL has all, with items",
        store.rows(_CONTAMINATED),
    )


_REVIEWERS = """
SELECT review, reviewer, count(*) AS reviews, count(value) AS valid, avg(value) AS mean, NULL AS informative,
  avg(value) FILTER (author = reviewer) - avg(value) FILTER (author IS DISTINCT FROM reviewer) AS own
FROM reviews GROUP BY ALL ORDER BY ALL
"""

_JUDGED = """
SELECT review, reviewer, value, correct = 1, count(*) FROM reviews WHERE value IS NOT NULL AND correct IS NOT NULL GROUP BY ALL
"""


def _reviewers(store: Store) -> Iterator[dict[str, Any]]:
    judged: dict[tuple[str, str], list[tuple[float, bool, int]]] = defaultdict(list)
    for review, reviewer, *cell in store.sql(_JUDGED).fetchall():
        judged[review, reviewer].append(tuple(cell))
    for row in store.rows(_REVIEWERS):
        cells = judged[row["review"], row["reviewer"]]
        yield {**row, "informative": area_under_curve(*zip(*cells, strict=True)) if cells else None}


def _pairs(review: str, agreement: Agreement) -> Iterator[dict[str, Any]]:
    for a, b in combinations(sorted(agreement.judges), 2):
        both = agreement.both[a, b]
        if both.n:
            names = {"review": review, "reviewer": a, "other": b}
            yield {**names, "both": both.n, "exact": both.same, "kappa": both.kappa}

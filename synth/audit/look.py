"""What a run looks like to somebody who does not trust it: tables, each with what it means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from synth.measures import area_under_curve, cohen_kappa, krippendorff_alpha
from synth.store.database import Store

__all__ = ["Section", "leniency", "look_over"]


class Section(NamedTuple):
    """One table."""

    title: str
    meaning: str
    rows: list[dict[str, Any]]


_NUMBERLESS = """
SELECT r.teacher, count(*) AS accepted,
  count(*) FILTER (NOT regexp_matches(replace(r.text, ',', ''), '(^|[^0-9.])' || regexp_escape(replace(p.answer, ',', '')) || '($|[^0-9])'))
    AS without_gold
FROM rationales r JOIN problems p ON p.id = r.problem
WHERE p.answer_kind = 'number' AND r.id IN (SELECT target FROM scores WHERE label = 'accepted') GROUP BY ALL ORDER BY ALL
"""

_LENGTHS = """
SELECT step, reason, count(*) AS pairs, avg(length_difference) AS mean_difference,
  avg((length_difference > 0)::INT) AS chosen_longer, avg(margin) AS mean_margin
FROM kept_pairs GROUP BY ALL ORDER BY ALL
"""

_LOCATED = """
WITH wrong AS (SELECT target, min(step_index) AS first FROM scores WHERE step_index IS NOT NULL AND value = 0 GROUP BY target)
SELECT c.critic, count(*) AS critiques, count(c.step_index) AS name_a_step, avg((c.step_index = w.first)::INT) AS located
FROM critiques c LEFT JOIN wrong w ON w.target = c.target GROUP BY ALL ORDER BY ALL
"""


_CONTAMINATED = """
SELECT record, record_table AS of, benchmark, item_row, share, left(words, 120) AS words_of_both FROM contamination
ORDER BY share DESC, record LIMIT 50
"""


def leniency(store: Store, review: str = "review") -> dict[str, dict[str, float]]:
    """Each reviewer's mean and standard deviation, as the option `calibration` of the step `review` reads it."""
    rows = store.rows("SELECT reviewer, mean, std FROM reviewers WHERE review = ? AND valid > 0", [review])
    return {r["reviewer"]: {"mean": r["mean"], "std": r["std"]} for r in rows}


def look_over(store: Store) -> list[Section]:
    """Every table there is something to say in."""
    return [section for section in _sections(store) if section.rows]


def _sections(store: Store) -> Iterator[Section]:
    reviews = store.rows("SELECT review, target, reviewer, author, value, correct FROM reviews ORDER BY ALL")
    names = list(dict.fromkeys(r["review"] for r in reviews))
    yield Section(
        "reviewers",
        "informative: chance that it scores a right answer above a wrong one (0.5 tells nothing, NULL: only one kind was "
        "reviewed); own: how much better it scores what is its own",
        [row for name in names for row in _reviewers([r for r in reviews if r["review"] == name])],
    )
    yield Section(
        "agreement of reviewers",
        "exact: share of equal scores; kappa: Cohen's, 1 agreement, 0 as by chance",
        [row for name in names for row in _agreement(name, [r for r in reviews if r["review"] == name])],
    )
    yield Section(
        "agreement of all",
        "alpha: Krippendorff's, interval scale, 1 agreement, 0 as by chance",
        [
            {"review": name, "alpha": krippendorff_alpha(list(_by_target(mine).values()))}
            for name in names
            if (mine := [r for r in reviews if r["review"] == name])
        ],
    )
    yield Section(
        "accepted without the gold number",
        "accepted by reviewers though the text never names the gold number (numbers in words are not seen)",
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
        "records that are out as items of a benchmark, or like one, the most alike first; `FROM contamination` in SQL has all, with items",
        store.rows(_CONTAMINATED),
    )


def _by_target(reviews: list[dict[str, Any]]) -> Mapping[str, list[float]]:
    by_target: dict[str, list[float]] = defaultdict(list)
    for r in reviews:
        if r["value"] is not None:
            by_target[r["target"]].append(r["value"])
    return by_target


def _reviewers(reviews: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for reviewer in sorted({r["reviewer"] for r in reviews}):
        mine = [r for r in reviews if r["reviewer"] == reviewer]
        valid = [r for r in mine if r["value"] is not None]
        judged = [r for r in valid if r["correct"] is not None]
        own = [r["value"] for r in valid if r["author"] == reviewer]
        others = [r["value"] for r in valid if r["author"] != reviewer]
        yield {
            "review": mine[0]["review"],
            "reviewer": reviewer,
            "reviews": len(mine),
            "valid": len(valid),
            "mean": _mean([r["value"] for r in valid]),
            "informative": area_under_curve([r["value"] for r in judged], [r["correct"] == 1 for r in judged]),
            "own": _mean(own) - _mean(others) if own and others else None,  # type: ignore[operator]  # neither is empty
        }


def _agreement(review: str, reviews: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    given: dict[str, dict[str, float]] = defaultdict(dict)
    for r in reviews:
        if r["value"] is not None:
            given[r["reviewer"]][r["target"]] = r["value"]
    for a, b in combinations(sorted(given), 2):
        both = sorted(given[a].keys() & given[b].keys())
        if both:
            left, right = [given[a][t] for t in both], [given[b][t] for t in both]
            exact = sum(x == y for x, y in zip(left, right, strict=True)) / len(both)
            names = {"review": review, "reviewer": a, "other": b}
            yield {**names, "both": len(both), "exact": exact, "kappa": cohen_kappa(left, right)}


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None

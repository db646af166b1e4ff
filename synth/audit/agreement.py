"""How the judges that gave one kind of score agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from synth.measures import cohen_kappa, krippendorff_alpha
from synth.store.database import Store

__all__ = ["Agreement", "Both", "agreement_of"]

_MOST_JUDGES = 12
"""Compared two by two; those that judged most."""


class Both(NamedTuple):
    """Two judges."""

    n: int
    """Items both judged."""
    kappa: float | None
    """Cohen's."""
    same: float | None
    """Share of equal verdicts; None where they judged nothing in common."""


class Agreement(NamedTuple):
    """How judges of one kind of score agree."""

    name: str
    judges: list[str]
    judged: list[int]
    """How many items each judged."""
    both: Mapping[tuple[str, str], Both]
    """Of each two, either way round."""
    alpha: float | None
    """Krippendorff's, interval scale, of all judges."""
    shared: int
    """Items more than one judged."""


def agreement_of(store: Store, name: str) -> Agreement:
    """How the judges that gave the score `name` to whole records agree, two by two and all together.

    Only how often which values meet leaves the store: it takes a second for a million scores.
    """
    counted = store.sql(f"{_GIVEN} SELECT judge, count(*) FROM given GROUP BY 1 ORDER BY 2 DESC, 1", [name]).fetchall()
    judges = [judge for judge, _ in counted[:_MOST_JUDGES]]
    cells: dict[tuple[str, str], list[tuple[float, float, int]]] = defaultdict(list)
    for a, b, *cell in store.sql(f"{_GIVEN} {_MEET}", [name, judges]).fetchall():
        cells[a, b].append(tuple(cell))
    both = {}
    for i, a in enumerate(judges):
        for b in judges[i + 1 :]:
            both[a, b] = both[b, a] = _both(cells.get((a, b)) or cells.get((b, a)) or [])
    items = store.sql(f"{_GIVEN} {_TOGETHER}", [name]).fetchall()
    alpha = krippendorff_alpha([values for values, _ in items], counts=[n for _, n in items])
    return Agreement(name, judges, [n for _, n in counted[:_MOST_JUDGES]], both, alpha, sum(n for _, n in items))


def _both(cells: list[tuple[float, float, int]]) -> Both:
    if not cells:
        return Both(0, None, None)
    left, right, counts = zip(*cells, strict=True)
    n = sum(counts)
    return Both(n, cohen_kappa(left, right, counts), sum(many for x, y, many in cells if x == y) / n)


# A judge that judged a record twice counts once.
_GIVEN = """
WITH given AS (
  SELECT judge, target, arg_max(value, id) AS value FROM scores
  WHERE name = $1 AND part IS NULL AND value IS NOT NULL GROUP BY ALL)
"""

_MEET = """
SELECT a.judge, b.judge, a.value, b.value, count(*) FROM given a JOIN given b ON b.target = a.target AND a.judge < b.judge
WHERE a.judge IN (SELECT unnest($2::VARCHAR[])) AND b.judge IN (SELECT unnest($2::VARCHAR[])) GROUP BY ALL
"""

_TOGETHER = """
SELECT values, count(*) FROM (SELECT list_sort(list(value)) AS values FROM given GROUP BY target HAVING count(*) > 1)
GROUP BY values ORDER BY values
"""

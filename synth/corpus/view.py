"""What corpus steps see of a run that is open for reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from synth.corpus.step import CorpusRecord, Target
from synth.records import Pair, Problem, Rationale
from synth.store.answer import typed
from synth.store.columns import recorded
from synth.store.database import Store

__all__ = ["StoreView"]

_RECORDS_AT_ONCE = 8192
"""That expressions are asked of: each batch looks through the tables once."""
_SIDE = """SELECT a.id, a.unit, 'pairs' AS tab, a.step, a.problem, r.model, p.source, p.answer, r.reasoning AS text
  FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales r ON r.id = a."""
_SEEN = {
    "problem": """SELECT id, unit, 'problems' AS tab, step, id AS problem, NULL AS model, source, answer,
      concat_ws(' ', context, question, array_to_string(choices, ' ')) AS text FROM kept_problems""",
    "rationale": """SELECT r.id, r.unit, 'rationales' AS tab, r.step, r.problem, r.model, p.source, p.answer, r.reasoning AS text
      FROM kept_rationales r JOIN problems p ON p.id = r.problem""",
    "chosen": f"{_SIDE}chosen",
    "rejected": f"{_SIDE}rejected",
}
"""What corpus steps look at, by target."""


class StoreView:
    """A `CorpusView` of a run.

    Args:
        store: the run, open for reading.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def kept(self, target: Target) -> list[Any]:
        """What corpus steps see: the kept records, in order of their ids; see `synth.corpus.CorpusView`."""
        query = f"SELECT id, unit, tab, step, problem, model, source, answer FROM ({_SEEN[target]}) ORDER BY id"
        return [CorpusRecord(*row) for row in self._store.sql(query).fetchall()]

    def texts(self, target: Target) -> _Column:
        """The texts of the same records in the same order, read as they are gone through."""
        return _Column(self._store, f"SELECT coalesce(text, '') FROM ({_SEEN[target]}) ORDER BY id")

    def values(self, target: Target, name: str) -> list[float | None]:
        """A number for each of the same records in the same order."""
        value, given = (
            "(SELECT s.value FROM current_scores s WHERE s.target = t.id AND s.name = $1 AND s.part IS NULL)",
            [name],
        )
        if name == "length":
            value, given = "length(text)", []
        elif name == "pass_rate" and target == "problem":
            value = """(SELECT avg(s.value) FROM scores s JOIN rationales r ON r.id = s.target
                WHERE r.problem = t.id AND s.name = $1)"""
            given = ["correct"]
        query = f"SELECT ({value})::DOUBLE FROM ({_SEEN[target]}) t ORDER BY id"
        return [v for (v,) in self._store.sql(query, given).fetchall()]

    def variables(self, target: Target) -> Iterator[dict[str, Any]]:
        """What an expression sees of each of the same records in the same order; some thousands are in memory at once."""
        kind: type[Any] = {"problem": Problem, "rationale": Rationale}.get(target, Pair)
        ids = self._store.apart(f"SELECT id FROM ({_SEEN[target]}) ORDER BY id")
        while some := [i for (i,) in ids.fetchmany(_RECORDS_AT_ONCE)]:
            records = self._of_ids(kind, some)
            problems = records if kind is Problem else self._of_ids(Problem, [r.problem for r in records.values()])
            sides = self._of_ids(Rationale, [getattr(r, target) for r in records.values()]) if kind is Pair else {}
            values, labels = self._scores_of([*records, *sides])
            for record in map(records.__getitem__, some):
                seen = {"record": record, "problem": problems[record.id if kind is Problem else record.problem]}
                ids_of_scores = [record.id]
                if kind is Pair:
                    seen["rationale"] = sides[getattr(record, target)]
                    ids_of_scores.insert(0, seen["rationale"].id)
                seen[record.alias] = record
                for name, of in (("score", values), ("label", labels)):
                    seen[name] = _ByName({k: v for i in ids_of_scores for k, v in of.get(i, {}).items()})
                yield seen

    def _of_ids(self, kind: type[Any], ids: Iterable[str]) -> dict[str, Any]:
        query = f'SELECT {recorded(kind)} FROM "{kind.table}" WHERE id IN (SELECT unnest($1::VARCHAR[]))'
        return {r.id: r for r in typed(self._store.apart(query, [list(set(ids))]), kind)}

    def _scores_of(self, ids: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        query = """SELECT target, name, value, label FROM current_scores
            WHERE part IS NULL AND target IN (SELECT unnest($1::VARCHAR[]))"""
        values: dict[str, dict[str, Any]] = {}
        labels: dict[str, dict[str, Any]] = {}
        for target, name, value, label in self._store.apart(query, [list(ids)]).fetchall():
            values.setdefault(target, {})[name] = value
            labels.setdefault(target, {})[name] = label
        return values, labels


class _ByName(dict[str, Any]):
    """Scores by name; one that a record does not have is None."""

    def __missing__(self, name: str) -> None:
        return None


class _Column:
    """The one column of a query, asked again in each iteration."""

    def __init__(self, store: Store, query: str) -> None:
        self._store, self._query = store, query

    def __len__(self) -> int:
        row = self._store.apart(f"SELECT count(*) FROM ({self._query})").fetchone()
        return row[0] if row else 0

    def __iter__(self) -> Iterator[str]:
        rows = self._store.apart(self._query)
        while some := rows.fetchmany(2048):
            yield from (text for (text,) in some)

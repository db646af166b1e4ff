"""What expressions see of a record: itself, what was said of it and of its parts, and the records around it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synth.prompts import Lazy
from synth.prompts.work import look_through
from synth.records import Critique, Node, Pair, Part, Problem, Rationale, Score, UnitRecord, record_fields

if TYPE_CHECKING:
    from synth.steps.unit import Unit

__all__ = ["UNIT_VARIABLES", "Sight", "Verdict", "about", "names_of"]

UNIT_VARIABLES = frozenset({"problems", "rationales", "nodes", "critiques", "pairs", "rejections", "failures"})
"""What expressions see of `unit`: its kept records by table."""


class Verdict(NamedTuple):
    """What the scores of one name on a record, or on a part of it, come to."""

    value: float | None
    """The mean over the judges that gave a number; None where none did."""
    label: str | None
    """Their word, where all say the same."""

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Verdict:
        """The verdict of one or more scores."""
        if len(scores) == 1:
            return cls(scores[0].value, scores[0].label)
        values = [s.value for s in scores if s.value is not None]
        labels = {s.label for s in scores}
        return cls(statistics.fmean(values) if values else None, labels.pop() if len(labels) == 1 else None)


class ByName(dict[str, Any]):
    """Values by name; one that is not there is None."""

    def __missing__(self, name: str) -> None:
        return None


class Sight(Lazy):
    """The variables of an expression about a record.

    Args:
        unit: the unit of the record.
        record: the record.
    """

    def __init__(self, unit: Unit, record: UnitRecord) -> None:
        super().__init__({"record": record, record.alias: record})
        self._unit = unit
        self._record = record

    def make(self, name: str) -> Any:
        if not isinstance(self._record, _OF.get(name, UnitRecord)):
            raise KeyError(name)
        if name in _LOOKS_THROUGH:
            look_through(len(self._unit.records))
        return _MADE[name](self._unit, self._record)


def names_of(kind: type[UnitRecord], scores: frozenset[str] | None) -> dict[str, frozenset[str] | None]:
    """The names that expressions about a record see, each with what it has; None where any goes.

    Args:
        kind: the type of record.
        scores: names of the scores made so far; None where they are not known.
    """
    known: dict[str, frozenset[str] | None] = {
        "record": record_fields(kind),
        kind.alias: record_fields(kind),
        "problem": record_fields(Problem),
        "score": scores,
        "label": scores,
        "judgements": scores,
        "problem_score": scores,
        "unit": UNIT_VARIABLES,
        **dict.fromkeys(("siblings", "group", "parent", "children")),
    }
    if kind is Rationale:
        known |= {"steps": scores, "options": scores, "right": None, "wrong": None}
    if kind is Pair:
        known |= dict.fromkeys(("chosen", "rejected"), record_fields(Rationale))
    return known


def about(record: UnitRecord) -> str | None:
    """What the siblings of a record share: its problem, the rationale it criticises, the problem it was derived from."""
    match record:
        case Problem():
            return record.parent
        case Rationale() | Node() | Pair():
            return record.problem
        case Critique():
            return record.target
    return None


def _parent(unit: Unit, record: UnitRecord) -> Sight | None:
    above = getattr(record, "parent", None) or (record.target if isinstance(record, Critique) else None)
    return unit.sight(unit.get(above)) if above else None


def _children(unit: Unit, record: UnitRecord) -> list[Sight]:
    """The kept records that were derived from a record: revisions, derived problems, nodes below."""
    return [unit.sight(r) for r in unit.all(type(record)) if getattr(r, "parent", None) == record.id]


def _by_correct(*, right: bool) -> Callable[[Unit, UnitRecord], list[Sight]]:
    def chosen(unit: Unit, record: UnitRecord) -> list[Sight]:
        scored = [(r, unit.score(r, "correct")) for r in unit.group(record)]
        return [unit.sight(r) for r, s in scored if s is not None and s.value is not None and (s.value > 0.5) == right]

    return chosen


class _OfParts(Lazy):
    """`steps.NAME`, `options.NAME`: the scores of that name on the parts, in order; None for a part that has none."""

    def __init__(self, unit: Unit, record: UnitRecord, kind: str, count: int) -> None:
        super().__init__()
        self._unit, self._record, self._kind, self._count = unit, record, kind, count

    def make(self, name: str) -> list[float | None]:
        parts = (Part(kind=self._kind, index=i) for i in range(self._count))
        verdicts = [self._unit.score(self._record, name, part) for part in parts]
        return [None if v is None else v.value for v in verdicts]


class _Judgements(Lazy):
    """`judgements.NAME`: the values of all judges, in the order in which they were asked."""

    def __init__(self, unit: Unit, record: UnitRecord) -> None:
        super().__init__()
        self._unit, self._record = unit, record

    def make(self, name: str) -> list[float | None]:
        return [s.value for s in self._unit.judgements(self._record, name)]


class _Tables(Lazy):
    """Kept records of a unit by table; gathered when one asks."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit

    def make(self, table: str) -> list[UnitRecord]:
        if table not in UNIT_VARIABLES:
            raise KeyError(table)
        look_through(len(self._unit.records))
        return [r for r in self._unit.records if r.table == table and self._unit.kept(r)]


def _verdicts(unit: Unit, record: UnitRecord) -> Mapping[str, Verdict]:
    return {name: Verdict.of(scores) for name, scores in unit.scores_of(record).items()}


_OF: dict[str, type[UnitRecord]] = {
    **dict.fromkeys(("steps", "options", "right", "wrong"), Rationale),
    **dict.fromkeys(("chosen", "rejected"), Pair),
}
"""Names that records of one type have alone."""

_LOOKS_THROUGH = frozenset({"children", "group", "siblings", "right", "wrong"})
"""Names whose value is found by looking through the records of the unit."""

_MADE: dict[str, Callable[[Unit, UnitRecord], Any]] = {
    "problem": lambda unit, record: unit.problem_of(record),
    "score": lambda unit, record: ByName({name: v.value for name, v in _verdicts(unit, record).items()}),
    "label": lambda unit, record: ByName({name: v.label for name, v in _verdicts(unit, record).items()}),
    "judgements": _Judgements,
    "problem_score": lambda unit, record: ByName(
        {name: v.value for name, v in _verdicts(unit, unit.problem_of(record)).items()}
    ),
    "unit": lambda unit, _record: _Tables(unit),
    "steps": lambda unit, record: _OfParts(unit, record, "step", len(getattr(record, "steps", ()))),
    "options": lambda unit, record: _OfParts(unit, record, "option", len(unit.problem_of(record).choices)),
    "group": lambda unit, record: [unit.sight(r) for r in unit.group(record)],
    "siblings": lambda unit, record: [unit.sight(r) for r in unit.group(record) if r.id != record.id],
    "right": _by_correct(right=True),
    "wrong": _by_correct(right=False),
    "parent": _parent,
    "children": _children,
    "chosen": lambda unit, record: unit.get(record.chosen),  # type: ignore[attr-defined]
    "rejected": lambda unit, record: unit.get(record.rejected),  # type: ignore[attr-defined]
}

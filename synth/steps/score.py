"""`score`: a score computed by an expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from synth.errors import UserError
from synth.records import Score as ScoreRecord
from synth.records import UnitRecord
from synth.steps.make import Expr, MakeScore, Source, Unmakeable
from synth.steps.step import ScoreName
from synth.steps.subject import PartStep
from synth.steps.unit import Unit

__all__ = ["Score"]


class Score(PartStep):
    """Score records, or their parts, by an expression.

    It sees the record and its problem, their scores, those of its steps and options (`steps.NAME`, `options.NAME`: lists), of each judge
    (`judgements.NAME`), its `siblings` (what the same step made for the same problem), `group` (it and they), `right` and `wrong` ones
    among them, its `parent` and `children`. Filters make one number of many: `mean`, `median`, `min`, `max`, `sum`, `product`,
    `geomean`, `stdev`, `entropy`, `softmax`, `rank(group)`, `z(group)`, `known` (without missing ones). Where a score is missing that the
    expression needs, the value is null.
    """

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (ScoreRecord,)

    step: Literal["score"] = "score"
    score: ScoreName
    """Name of the score."""
    value: Expr
    """Its value: a number, or true and false as 1 and 0."""
    label: Expr | None = None
    """Its label, a word; it sees `value`: `"high" if value > 0.5 else "low"`."""
    reason: Expr | None = None
    """Why, in words; it sees `value`."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score,)

    def expressions(self) -> Mapping[str, str]:
        named = {"value": self.value, "label": self.label, "reason": self.reason}
        return {name: source for name, source in named.items() if source is not None}

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        return {**super().sees(), "value": None}

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        entry = MakeScore(score=self.score, value=self.value, label=self.label, reason=self.reason)
        made: list[UnitRecord] = []
        for subject in self.subjects(records, unit):
            source = Source(step=self, subject=subject, unit=unit, judge=f"{self.name}/{self.version}")
            try:
                made += entry.of(source, {}, 0)
            except Unmakeable as why:
                raise UserError(
                    str(why), where=f"step {self.name}, {subject}", fix="correct the expression: docs/expressions.md"
                ) from why
        return made

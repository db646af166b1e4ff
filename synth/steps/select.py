"""`select`: at most so many for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.errors import UserError
from synth.prompts import Expression
from synth.records import Critique, Pair, Rationale, Rejection, UnitRecord, content_id
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Select"]

_TYPES: dict[str, type[UnitRecord]] = {k.alias: k for k in (Rationale, Critique, Pair)}


class Select(Step):
    """Keep the best few records of each problem, or some at random, and reject the rest."""

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rejection,)

    step: Literal["select"] = "select"
    target: Literal["rationale", "critique", "pair"] = "rationale"
    """What is chosen from."""
    keep: Annotated[int, Field(ge=1)]
    """How many, for each problem."""
    best: str | None = None
    """An expression with a number as its value, the higher the better; without it the earliest are kept."""
    seed: int | None = None
    """Among equals choose at random instead of the earliest; the same seed chooses the same."""

    def takes_type(self) -> type[UnitRecord]:
        return _TYPES[self.target]

    def expressions(self) -> Mapping[str, str]:
        return {"best": self.best} if self.best else {}

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        rank = {
            r.id: (-self._value(r, unit), content_id([self.seed, r.id]) if self.seed is not None else "")
            for r in records
        }
        groups: dict[str, list[UnitRecord]] = {}
        for record in sorted(records, key=lambda r: rank[r.id]):  # stable: equals stay in the order they were made
            groups.setdefault(unit.problem_of(record).id, []).append(record)
        return [
            self.reject(record, f"at most {self.keep} a problem", {"rank": i + 1, "of": len(group)})
            for group in groups.values()
            for i, record in enumerate(group)
            if i >= self.keep
        ]

    def _value(self, record: UnitRecord, unit: Unit) -> float:
        if self.best is None:
            return 0.0
        where = f"step {self.name}, {record.id}"
        value = Expression(self.best).value(unit.variables(record), where)
        try:
            return float("-inf") if value is None else float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"the expression {self.best!r} gives no number: {error}", where=where) from error

"""`select`: at most so many for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from synth.errors import UserError
from synth.prompts import Expression
from synth.records import Rationale, Rejection, UnitRecord
from synth.steps.rejection import reject
from synth.steps.step import Flow, Step
from synth.steps.unit import Unit

__all__ = ["Select"]


class Select(Step):
    """Keep the best few rationales of each problem and put out the rest."""

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rejection,)

    step: Literal["select"] = "select"
    keep: Annotated[int, Field(ge=1)]
    """How many, for each problem."""
    best: str | None = None
    """An expression with a number as its value, the higher the better; without it the earliest are kept."""

    def expressions(self) -> Mapping[str, str]:
        return {"best": self.best} if self.best else {}

    def flow(self, _teachers: int) -> Flow:
        return Flow(calls=0, records=1)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        rank = {r.id: self._value(r, unit) for r in records}
        out: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in records):
            candidates = [r for r in records if r.problem == problem]
            ordered = sorted(candidates, key=lambda r: -rank[r.id])  # stable: equals stay in the order they were made
            out += [
                reject(r, self.name, f"at most {self.keep} a problem", {"rank": i + 1, "of": len(ordered)})
                for i, r in enumerate(ordered)
                if i >= self.keep
            ]
        return out

    def _value(self, rationale: Rationale, unit: Unit) -> float:
        if self.best is None:
            return 0.0
        try:
            value: Any = Expression(self.best)(unit.variables(rationale))
            return float("-inf") if value is None else float(value)
        except Exception as error:
            where = f"step {self.name}, {rationale.id}"
            raise UserError(f"the expression {self.best!r} gives no number: {error}", where=where) from error

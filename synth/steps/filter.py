"""`filter`: reject what does not satisfy an expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from synth.prompts import Expression
from synth.records import Critique, Node, Pair, Problem, Rationale, Rejection, UnitRecord
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Filter"]

Filtered = Literal["problem", "rationale", "node", "critique", "pair"]
_TYPES: dict[str, type[UnitRecord]] = {k.alias: k for k in (Problem, Rationale, Node, Critique, Pair)}
_SCORE = re.compile(r"\b(score|label)\.(\w+)")


class Filter(Step):
    """Reject records for which an expression is not true. A record that lacks a score the expression compares is rejected too."""

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rejection,)

    step: Literal["filter"] = "filter"
    target: Filtered = "rationale"
    """What is filtered."""
    keep: str
    """The expression, such as `score.correct` or `rationale.steps | length >= 2`."""

    def takes_type(self) -> type[UnitRecord]:
        return _TYPES[self.target]

    def expressions(self) -> Mapping[str, str]:
        return {"keep": self.keep}

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        expression = Expression(self.keep)
        out = []
        for record in records:
            variables = unit.variables(record)
            kept = expression.holds(variables, f"step {self.name}, {record.id}")
            if not kept:
                out.append(self.reject(record, self.keep, self._observed(variables)))
        return out

    def _observed(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The scores and labels the expression speaks of, and for a score its label too: it says more."""
        seen: dict[str, Any] = {}
        for space, name in _SCORE.findall(self.keep):
            seen[f"{space}.{name}"] = variables[space][name]
            if variables["label"][name] is not None:
                seen[f"label.{name}"] = variables["label"][name]
        return seen

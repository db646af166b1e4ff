"""What a step works on: a record, or each of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from synth.prompts import Expression
from synth.records import Critique, Node, Pair, Part, Problem, Rationale, UnitRecord
from synth.steps.sight import ByName, Verdict
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Each", "PartStep", "Subject"]

Each = Literal[
    "problem",
    "rationale",
    "node",
    "critique",
    "pair",
    "step of rationale",
    "option of problem",
    "option of rationale",
]
"""Over what a step runs: records of a type, or the parts of each. Options are the choices of the problem."""

_TYPES: dict[str, type[UnitRecord]] = {k.alias: k for k in (Problem, Rationale, Node, Critique, Pair)}


class Subject(NamedTuple):
    """A record, or a part of it."""

    record: UnitRecord
    problem: Problem
    part: Part | None = None
    text: str | None = None
    """Of the part."""
    before: str | None = None
    """Of a step: the steps before it, a line each."""

    def variables(self, unit: Unit) -> dict[str, Any]:
        """What expressions and prompts see of the part, beside what they see of the record."""
        if self.part is None or self.part.index is None:
            return {}
        verdicts = {name: Verdict.of(scores) for name, scores in unit.scores_of(self.record, self.part).items()}
        seen = {
            "index": self.part.index,
            "number": self.part.index + 1,
            "text": self.text,
            "score": ByName({name: v.value for name, v in verdicts.items()}),
            "label": ByName({name: v.label for name, v in verdicts.items()}),
        }
        if self.part.kind == "option":
            return {"option": {**seen, "letter": self.problem.lettered_choices[self.part.index][0]}}
        assert isinstance(self.record, Rationale)
        return {"step": {**seen, "before": self.before, "last": self.part.index == len(self.record.steps) - 1}}

    def __str__(self) -> str:
        if self.part is None:
            return self.record.id
        return f"{self.record.id}, {self.part.kind} {(self.part.index or 0) + 1}"


OPTION = frozenset({"index", "number", "text", "letter", "score", "label"})
STEP = frozenset({"index", "number", "text", "before", "last", "score", "label"})


class PartStep(Step):
    """A step that runs over records or over their parts."""

    parts: ClassVar[Mapping[str, frozenset[str]]] = {"option": OPTION, "step": STEP}

    each: Each = "rationale"
    """Over what it runs: `rationale`, `problem`, `node`, `critique`, `pair`, or the parts of them: `step of rationale`,
    `option of problem`, `option of rationale`. `where` is then looked at for each part."""

    def takes_type(self) -> type[UnitRecord]:
        return _TYPES[self.each.rpartition(" ")[2]]

    @property
    def part_kind(self) -> str | None:
        """`step` or `option`; None where it runs over whole records."""
        return self.each.split(" ")[0] if " of " in self.each else None

    def needed(self) -> frozenset[str]:
        return self.needs | ({"choices"} if self.part_kind == "option" else set())

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        kind = self.part_kind
        return {kind: self.parts[kind]} if kind else {}

    def is_for(self, record: UnitRecord, unit: Unit) -> bool:
        return True if self.part_kind else super().is_for(record, unit)

    def subjects(self, records: Sequence[UnitRecord], unit: Unit) -> Iterator[Subject]:
        """The records, or the parts of each for which `where` is true."""
        kind = self.part_kind
        if kind is None:
            yield from (Subject(record, unit.problem_of(record)) for record in records)
            return
        where = Expression(self.where) if self.where is not None else None
        for record in records:
            for subject in _parts_of(record, unit.problem_of(record), kind):
                if where is None or where.holds(
                    unit.variables(record).beside(subject.variables(unit)), f"step {self.name}, {subject}"
                ):
                    yield subject


def _parts_of(record: UnitRecord, problem: Problem, kind: str) -> Iterator[Subject]:
    if kind == "option":
        for index, text in enumerate(problem.choices):
            yield Subject(record, problem, Part(kind="option", index=index), text)
        return
    assert isinstance(record, Rationale)
    for index, text in enumerate(record.steps):
        before = "\n".join(record.steps[:index])
        yield Subject(record, problem, Part(kind="step", index=index), text, before)

"""`pass_rate`: how many of the solutions of a problem reach its answer, and what became of the answer it had before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Problem, Rationale, Score, UnitRecord
from synth.steps.analysis import analysis_of
from synth.steps.counterfactual import asks_for_exception
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit

__all__ = ["PassRate"]


class PassRate(Step):
    """Score each problem by its rationales that are marked by the score `correct`.

    `pass_rate` is the share of them that are right, 0 where there are none: the pass rate, by which a problem is hard or
    easy. For a problem derived from another, `original_follows` is the share that still give the answer the original had,
    or call that option supported by the passage (contradicted, where the question asks for the exception).
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["pass_rate"] = "pass_rate"
    score: ScoreName = "correct"
    """The score that marks rationales."""

    def gives_scores(self) -> tuple[str, ...]:
        return ("pass_rate", "original_follows")

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for problem in records:
            solutions = [
                r for r in unit.all(Rationale) if r.problem == problem.id and unit.score(r, self.score) is not None
            ]
            right = sum(bool(s.value) for r in solutions if (s := unit.score(r, self.score)) is not None)
            made.append(self._score(problem, "pass_rate", right, len(solutions)))
            if problem.parent is not None:
                parent = unit.get(problem.parent)
                assert isinstance(parent, Problem)
                still = sum(_still_follows(r, parent) for r in solutions)
                made.append(self._score(problem, "original_follows", still, len(solutions)))
        return made

    def _score(self, problem: Problem, name: str, n: int, of: int) -> Score:
        return self.derive(
            Score,
            [problem],
            target=problem.id,
            name=name,
            value=n / of if of else 0.0,
            judge="pass_rate/1",
            reason=f"{n} of {of}",
        )


def _still_follows(rationale: Rationale, parent: Problem) -> bool:
    if rationale.answer == parent.answer:
        return True
    analysis = analysis_of(rationale)
    if analysis is None or parent.answer is None:
        return False
    relation = analysis.options[ord(parent.answer) - ord("A")].relation
    return relation == ("contradicted" if asks_for_exception(parent.question) else "supported")

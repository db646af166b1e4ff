"""`pass_rate`: how many of the solutions of a problem reach its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Problem, Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit

__all__ = ["PassRate"]


class PassRate(Step):
    """Score each problem by its rationales that are marked by the score `correct`.

    `pass_rate` is the share of them that are right, 0 where there are none: by it a problem is hard or easy.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["pass_rate"] = "pass_rate"
    score: ScoreName = "correct"
    """The score that marks rationales."""
    over: str | tuple[str, ...] | None = None
    """The step, or steps, whose rationales count; those of all steps if not given."""

    names_steps: ClassVar[tuple[str, ...]] = ("of", "over")

    def named_by(self, option: str) -> type[UnitRecord]:
        return Rationale if option == "over" else super().named_by(option)

    def gives_scores(self) -> tuple[str, ...]:
        return ("pass_rate",)

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for problem in records:
            makers = (self.over,) if isinstance(self.over, str) else self.over
            solutions = [
                r
                for r in unit.all(Rationale)
                if r.problem == problem.id
                and (makers is None or r.step in makers)
                and unit.score(r, self.score) is not None
            ]
            right = sum(bool(s.value) for r in solutions if (s := unit.score(r, self.score)) is not None)
            made.append(self._score(problem, "pass_rate", right, len(solutions)))
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

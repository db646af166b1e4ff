"""`reference`: the solutions that came with the problems, as rationales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Author, Problem, Rationale, UnitRecord
from synth.steps.segmentation import Segmenter, cut
from synth.steps.step import Step
from synth.steps.unit import Unit
from synth.texts import split_thought
from synth.verify import find_answer

__all__ = ["Reference"]


class Reference(Step):
    """Make a rationale of each problem's reference solution; problems without one are left alone."""

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["reference"] = "reference"
    author: Author = "human"
    """Who wrote the solutions."""
    segment: Segmenter = "steps"
    """The definition of "step" by which they are cut."""

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made = []
        for problem in records:
            if problem.reference_solution is None:
                continue
            solution = split_thought(problem.reference_solution)
            answer, span = find_answer(solution.response, kind=problem.compared_as, choices=problem.choices)
            steps, segmenter = cut(solution.thought, solution.response, span, self.segment)
            made.append(
                self.derive(
                    Rationale,
                    [problem],
                    problem=problem.id,
                    author=self.author,
                    thought=solution.thought,
                    thought_kind="raw" if solution.thought else None,
                    response=solution.response,
                    answer_span=span,
                    steps=steps,
                    segmenter=segmenter,
                    # Collections often keep the answer in a column of its own and leave it out of the solution.
                    answer=answer if answer is not None else problem.answer,
                )
            )
        return made

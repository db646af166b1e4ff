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
    answer: Literal["gold", "stated"] = "gold"
    """What the answer of a solution is that states none: the gold one, since collections often keep the answer in a column of its
    own; or none (`stated`), so that `verify_answer` says of it `unparsed`."""

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        made = []
        for problem in records:
            if problem.reference_solution is None:
                continue
            solution = split_thought(problem.reference_solution)
            found, span = find_answer(solution.response, kind=problem.compared_as, choices=problem.choices)
            answer = problem.answer_stated if found is None and self.answer == "gold" else found
            steps, segmenter = cut(solution.thought, solution.response, span, self.segment)
            made.append(
                self.derive(
                    Rationale,
                    [problem],
                    key=None if self.answer == "gold" else ["answer: stated"],
                    problem=problem.id,
                    author=self.author,
                    thought=solution.thought,
                    thought_kind="raw" if solution.thought else None,
                    response=solution.response,
                    answer_span=span,
                    steps=steps,
                    segmenter=segmenter,
                    answer=answer,
                )
            )
        return made

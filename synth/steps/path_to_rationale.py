"""`path_to_rationale`: the paths of a thought tree as rationales, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.records import Node, Rationale, UnitRecord
from synth.steps.step import Step
from synth.steps.unit import Unit
from synth.verify import state_answer

__all__ = ["PathToRationale"]


class PathToRationale(Step):
    """Make a rationale of each path that ends in an answer: its thoughts are the steps."""

    takes: ClassVar[type[UnitRecord]] = Node
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["path_to_rationale"] = "path_to_rationale"

    async def run(self, records: Sequence[Node], unit: Unit) -> Iterable[UnitRecord]:
        made = []
        for leaf in (n for n in records if n.terminal and n.answer is not None):
            steps, problem = tuple(n.text for n in unit.path_to(leaf)), unit.problem_of(leaf)
            response, span = state_answer(
                "\n".join(steps), str(leaf.answer), kind=problem.compared_as, choices=problem.choices
            )
            made.append(
                self.derive(
                    Rationale,
                    [leaf],
                    problem=leaf.problem,
                    author="teacher",
                    model=leaf.model,
                    style="path",
                    response=response,
                    answer_span=span,
                    steps=steps,
                    segmenter="given/1",
                    answer=leaf.answer,
                    node=leaf.id,
                    call=leaf.call,
                )
            )
        return made

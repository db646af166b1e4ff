"""Twins of problems with a known algorithm: the input is changed where a step looks, and where no step up to it does."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

import synth
from synth.algorithms import algorithm_in
from synth.records import UnitRecord
from synth.verify import state_answer

__all__ = ["TraceTwins"]

_DRAWS = 50
"""Of an edit at a step; where there is one, a few are enough."""


class TraceTwins(synth.Step):
    """Change the input of an algorithm so that its next step must stay the same, and so that it must change (arXiv:2302.10258).

    Of each step that is drawn up to two problems are made, with `meta.twin` (`same` or `changed`: what becomes of the next step), `meta.twin_of`
    (the id of the problem), `meta.twin_at` (how many steps come before it), `meta.same_steps` (how many first steps the traces share, by execution),
    and with their true traces. A rationale of the problem itself takes that one step as the changed twin has it, and is true from there on. Problems
    without an algorithm, and algorithms that read all of their input in every step, have no twins.
    """

    takes: ClassVar[type[UnitRecord]] = synth.Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (synth.Problem, synth.Rationale)

    step: Literal["trace_twins"] = "trace_twins"
    positions: Annotated[int, Field(ge=1, le=100)] = 1
    """Of how many steps of each problem; of shorter traces of all."""
    seed: int = 0
    """Another seed draws others."""

    async def run(self, records: Sequence[Any], unit: Any) -> Iterable[UnitRecord]:  # noqa: ARG002
        made: list[UnitRecord] = []
        for problem in records:
            found = algorithm_in(problem.meta)
            if found is None:
                continue
            algorithm, given = found
            trace = algorithm.trace(given)
            random = Random(f"{self.seed}/{problem.id}")
            for done in sorted(random.sample(range(len(trace)), min(self.positions, len(trace)))):
                for twin in ("same", "changed"):
                    other = _edited(algorithm, given, trace, done, twin, random)
                    if other is None:
                        continue
                    made += self._twin(problem, algorithm, given, other, twin, done)
                    if twin == "changed":
                        made.append(self._misread(problem, algorithm, given, other, done))
        return made

    def _twin(self, problem: Any, algorithm: Any, given: Any, other: Any, twin: str, done: int) -> list[UnitRecord]:
        answer = algorithm.solve(other)
        lines = algorithm.lines(other)
        child = self.derive(
            synth.Problem,
            [problem],
            key=[twin, done],
            question=algorithm.ask(other),
            answer=answer,
            answer_kind=problem.answer_kind,
            reference_solution="\n".join([*lines, f"The answer is {answer}."]),
            meta={
                **problem.meta,
                "instance": other.model_dump(mode="json"),
                "difficulty": len(lines),
                "twin": twin,
                "twin_of": problem.id,
                "twin_at": done,
                "same_steps": algorithm.shared(given, other),
            },
            parent=problem.id,
            source=problem.source,
        )
        return [child, self._rationale(child, lines, answer, "program", "truth")]

    def _misread(self, problem: Any, algorithm: Any, given: Any, other: Any, done: int) -> UnitRecord:
        trace = algorithm.trace(given)
        states = [*trace[:done], algorithm.trace(other)[done]]
        while (state := algorithm.next(given, states[-1])) is not None and len(states) < 2 * len(trace):
            states.append(state)
        lines = [algorithm.form.say(state) for state in states]
        return self._rationale(problem, lines, algorithm.answer(given, states[-1]), "perturbed", f"misread {done}")

    def _rationale(self, problem: Any, lines: Sequence[str], answer: str, author: str, key: str) -> UnitRecord:
        response, span = state_answer("\n".join(lines), answer, kind=problem.compared_as)
        return self.derive(
            synth.Rationale,
            [problem],
            key=key,
            problem=problem.id,
            author=author,
            response=response,
            answer_span=span,
            steps=tuple(lines),
            segmenter="lines/1",
            answer=answer,
        )


def _edited(algorithm: Any, given: Any, trace: Sequence[Any], done: int, twin: str, random: Random) -> Any:
    """An edited instance of which running the algorithm shows that the steps are the same as far as they are to be; None where none is found."""
    for _ in range(_DRAWS):
        other = algorithm.vary(given, trace, done, twin == "changed", random)
        if other is None:
            continue
        shared = algorithm.shared(given, other)
        if shared > done if twin == "same" else shared == done < len(algorithm.trace(other)):
            return other
    return None

"""What became of the answer of the original, under a passage that was to change it."""

from typing import ClassVar, Literal

import synth
from synth.steps.analysis import analysis_of
from synth.steps.counterfactual import asks_for_exception


class OriginalFollows(synth.Step):
    """Score each derived problem by the share of its verified rationales that still give the answer the original had, or call
    that option supported by the passage (contradicted, where the question asks for the exception); 0 where there are none.
    """

    takes: ClassVar = synth.Problem
    gives: ClassVar = (synth.Score,)

    step: Literal["original_follows"] = "original_follows"

    def gives_scores(self):
        return ("original_follows",)

    async def run(self, records, unit):
        return [self._score(problem, unit) for problem in records if problem.parent is not None]

    def _score(self, problem, unit):
        solutions = [
            r for r in unit.all(synth.Rationale) if r.problem == problem.id and unit.score(r, "correct") is not None
        ]
        still = sum(still_follows(r, unit.get(problem.parent)) for r in solutions)
        return self.derive(
            synth.Score,
            [problem],
            target=problem.id,
            name="original_follows",
            value=still / len(solutions) if solutions else 0.0,
            judge="original_follows/1",
            reason=f"{still} of {len(solutions)}",
        )


def still_follows(rationale, parent):
    """Whether a rationale comes to the answer of the original problem."""
    if rationale.answer == parent.answer:
        return True
    analysis = analysis_of(rationale)
    if analysis is None or parent.answer is None:
        return False
    relation = analysis.options[ord(parent.answer) - ord("A")].relation
    return relation == ("contradicted" if asks_for_exception(parent.question) else "supported")

"""Pairs of replies with and without a constraint."""

from typing import ClassVar, Literal

import synth
from synth.constraints import check_rationale


class WithAndWithout(synth.Step):
    """Prefer the reply to each level over the reply to the level before, for the one constraint that they differ in (arXiv:2508.02150).

    Where code can say, the first complies with that constraint and the second does not; there is no pair else. What only a judge
    decides is taken as the request has it. The reason of a pair is the id of the constraint.
    """

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Pair,)

    step: Literal["with_and_without"] = "with_and_without"

    async def run(self, records, unit):
        """The pairs."""
        by_constraints = {}
        for rationale in records:
            problem = unit.problem_of(rationale)
            root = problem.parent or problem.id
            by_constraints.setdefault((root, key(problem.constraints)), []).append(rationale)
        made = []
        for chosen in records:
            problem = unit.problem_of(chosen)
            if not problem.constraints:
                continue
            before = by_constraints.get((problem.parent or problem.id, key(problem.constraints[:-1])), [])
            made += [self.pair(chosen, other, problem) for other in before if differ(chosen, other, problem)]
        return made

    def pair(self, chosen, other, problem):
        """The pair of two replies."""
        return self.derive(
            synth.Pair,
            [chosen, other],
            problem=problem.id,
            chosen=chosen.id,
            rejected=other.id,
            reason=problem.constraints[-1].id,
            length_difference=len(chosen.reasoning) - len(other.reasoning),
        )


def key(constraints):
    """What a list of constraints is known by."""
    return tuple(one.model_dump_json() for one in constraints)


def differ(chosen, other, problem):
    """Whether two replies are an example of the last constraint and one against it, as far as code can say."""
    if chosen.response == other.response:
        return False
    last = problem.model_copy(update={"constraints": problem.constraints[-1:]})
    (ours,), (theirs,) = check_rationale(last, chosen), check_rationale(last, other)
    return (ours.label, theirs.label) in {("right", "wrong"), ("unknown", "unknown")}

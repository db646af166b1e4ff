"""`prefixes`: problems that begin with a part of a solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from synth.records import Problem, Rationale, Reward, Score, UnitRecord
from synth.steps.continuing import Beginning
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Prefixes", "starts"]


class Prefixes(Step):
    """Make problems that begin with the first steps of a solution, from which a solver has less left to do.

    A solution of T steps gives starts with 0 to T - 1 of them (`begun`, byte for byte as its author wrote it); never one that states the answer,
    so a solution of one step gives none. The score `starts` of each solution says how many problems it gave, and why not more. Give it right
    solutions: `where: score.correct`. The problem and its gold answer stay as they are; `meta.prefix` has `start` (which of the stages, from 0), `given`
    and `of` (steps), and `solution`, the id of the rationale; `reference_solution` is the text that was cut.

    Sources: starts that slide from the end of a solution back to the question, arXiv:2402.05808 (R3); prefixes of solutions that a model cannot
    find itself, arXiv:2506.04723 (SPARKLE); one step at a time, arXiv:2510.25992 (SRL).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Problem, Score)

    step: Literal["prefixes"] = "prefixes"
    stages: Annotated[int, Field(ge=1, le=100)] | Literal["all"] = "all"
    """How many starts there are: M gives those with round(j T / M) steps for j from 0 to M - 1, and of equal ones the last; `all` gives each."""
    curriculum: Literal["mixed", "staged"] = "staged"
    """`staged`: each problem has a `stage`, 0 for those that begin nearest to the end; in the last stage are problems as they were, with
    nothing given. `mixed`: no stages, and no copy of the problem as it was, for it is there."""
    target: Literal["rest", "next_step"] = "rest"
    """What the solver is to write. `rest`: all that is left; its answer is compared. `next_step`: the next step alone, compared with that of the
    solution (reward `step_similarity`); one problem for each step after the first."""
    reward: Annotated[str, Field(pattern=r"^[a-z]\w*$")] | None = None
    """Function of `synth.rewards` that rewards what is written, such as `partial`, with its defaults; that of the problem if not given."""
    whole: bool = False
    """Also a start with all steps, which mostly gives the answer away: what is left is to state it."""

    def gives_scores(self) -> tuple[str, ...]:
        return ("starts",)

    def gives_problem_scores(self) -> tuple[str, ...]:
        return ()

    def problems_with(self, models: Mapping[str, Any], authors: Sequence[Any]) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.reward is not None and self.target == "next_step":
            yield "reward", "a next step is rewarded by step_similarity", "leave out reward, or set target: rest"
        if self.whole and self.target == "next_step":
            yield "whole", "after all steps there is no next one", "leave out whole, or set target: rest"

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        known: set[tuple[str, str]] = set()
        for rationale in records:
            problem = unit.problem_of(rationale)
            if rationale.step_spans is None and rationale.steps:
                made.append(self._score(rationale, 0, "its steps are no slices of its text"))
                continue
            wanted = self._starts(problem, rationale)
            found = [self._begun(problem, rationale, *place) for place, stated in wanted if not stated]
            new = [p for p in found if (problem.id, self._key(p)) not in known]
            known |= {(problem.id, self._key(p)) for p in new}
            made += new
            steps = len(rationale.steps)
            why = f"{steps} steps" if steps > 1 else "one step: nothing to begin with" if steps else "no steps"
            stating = sum(stated for _, stated in wanted)
            why += f", {stating} starts state the answer" if stating else ""
            again = f", {len(found) - len(new)} as an earlier solution begins" if len(new) < len(found) else ""
            made.append(self._score(rationale, len(new), why + again))
        return made

    @staticmethod
    def _key(problem: Problem) -> str:
        return problem.begun or ""

    def _starts(self, problem: Problem, rationale: Rationale) -> list[tuple[tuple[int, int], bool]]:
        """The starts that are asked for, each with whether it states the answer."""
        total, found = len(rationale.steps), []
        for start, given in starts(total, self.stages, whole=self.whole):
            if given or (self.curriculum == "staged" and self.target == "rest"):
                states = given < total and (
                    Beginning.of(rationale, given).states_answer(problem) or self._is_after_answer(rationale, given)
                )
                found.append(((start, given), states))
        return found

    def _is_after_answer(self, rationale: Rationale, given: int) -> bool:
        """Whether the statement of the answer stands before the step that is wanted."""
        spans, statement = rationale.step_spans, rationale.answer_span
        if self.target == "rest" or spans is None or statement is None or rationale.steps_of_thought:
            return False
        return statement[1] <= spans[given][0]

    def _begun(self, problem: Problem, rationale: Rationale, start: int, given: int) -> Problem:
        total = len(rationale.steps)
        whole = (rationale.thought if rationale.steps_of_thought else rationale.response) or ""
        beginning = Beginning.of(rationale, given)
        begun = next(b for b in (beginning.sent, beginning.text) if whole.startswith(b))
        last = (total if self.stages == "all" else self.stages) - (0 if self.whole else 1)
        place = {"start": start, "given": given, "of": total, "solution": rationale.id}
        return self.derive(
            Problem,
            [rationale],
            **_content(problem),
            reference_solution=whole,
            begun=begun or None,
            stage=last - start if self.curriculum == "staged" else None,
            reward=self._reward(problem, rationale, given),
            meta={**problem.meta, "prefix": place},
            parent=problem.id,
        )

    def _reward(self, problem: Problem, rationale: Rationale, given: int) -> Reward | None:
        if self.target == "rest":
            return problem.reward if self.reward is None else Reward(name=self.reward, args={})
        return Reward(name="step_similarity", args={"step": rationale.steps[given]})

    def _score(self, rationale: Rationale, made: int, reason: str) -> Score:
        judge = f"{self.name}/{self.version}"
        return self.derive(
            Score, [rationale], target=rationale.id, name="starts", value=made, reason=reason, judge=judge
        )


def starts(steps: int, stages: int | Literal["all"], *, whole: bool = False) -> list[tuple[int, int]]:
    """Where problems may begin within a solution, as (stage, number of steps that are given), ascending.

    Args:
        steps: how many steps the solution has, T.
        stages: M for round(j T / M) steps at stage j from 0 to M - 1; `all` for each number below T. Of stages with equally many steps the first
            remains, which is the last in a curriculum that slides back to the question.
        whole: whether all steps are a start too.
    """
    if stages == "all":
        found = {given: given for given in range(steps)}
        last = steps
    else:
        found = {}
        for stage in range(stages):
            found.setdefault(round(Fraction(stage * steps, stages)), stage)
        found.pop(steps, None)
        last = stages
    if steps < 2:
        return []
    pairs = [(stage, given) for given, stage in sorted(found.items())]
    return [*pairs, (last, steps)] if whole else pairs


def _content(problem: Problem) -> dict[str, Any]:
    """What stays of a problem of which a part of the solution is given."""
    kept = set(Problem.model_fields) - {
        "id",
        "unit",
        "step",
        "meta",
        "parent",
        "begun",
        "stage",
        "reward",
        "reference_solution",
    }
    return {name: getattr(problem, name) for name in kept}

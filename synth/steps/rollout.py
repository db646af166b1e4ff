"""`rollout`: what each step of a solution is worth, by how often continuations from it come to the right answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.errors import UserError
from synth.models import Model
from synth.prompts import Expression
from synth.records import Part, Problem, Rationale, Score, UnitRecord
from synth.steps.continuations import Continuations, ValuingStep
from synth.steps.continuing import Beginning
from synth.steps.make import Expr
from synth.steps.step import ScoreName
from synth.steps.unit import Unit
from synth.verify import ANSWER, Verdict

__all__ = ["Rollout", "first_zero_by_halving"]


class Rollout(ValuingStep):
    """Score each step of a rationale by continuations from it: `step_value` is the share of them that the verifier calls right.

    The value of step i is that of the beginning which ends with it; that of the last step is the outcome of the rationale itself.
    A continuation that does not come, that is cut off, or of which the verifier cannot say whether it is right, is missing and not wrong.
    Rationales of problems without a gold answer are left alone by the verifier `answer`. Beginnings that rationales of a problem share are
    continued once. `step_value_known` says how many continuations a value rests on, `step_value_first_zero` the index of the first step from which no
    continuation is right, from 0.

    Sources: Monte-Carlo values of steps as in arXiv:2312.08935 (Math-Shepherd); the first step without a way to the answer as in
    arXiv:2404.10346 (Self-Explore, `first_zero`); its search by halving as in arXiv:2406.06592 (OmegaPRM, `binary`).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    by_products: ClassVar[frozenset[type[UnitRecord]]] = frozenset({Rationale})

    step: Literal["rollout"] = "rollout"
    samples: Annotated[int, Field(ge=1, le=1024)] = 8
    """Continuations of each beginning, of each model."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """Sampling temperature."""
    probe: Literal["all", "first_zero", "binary"] = "all"
    """Which beginnings are continued. `all`: each. `first_zero`: one after the other up to the first from which none is right.
    `binary`: by halving, at most ⌈log2 n⌉ of n steps, as if no later beginning could be better. The last two leave alone rationales
    that are right themselves: there is no first wrong step to find."""
    at: Expr | None = None
    """Which beginnings, as an expression: a list of numbers of steps (`[1, 2]`). With `probe: all`. Those that a rationale does not have
    are left out."""
    start: bool = False
    """Whether the bare question is continued as well; `step_value` of the problem is then how often it is solved."""
    enough: Annotated[int, Field(ge=1)] | None = None
    """Stop at so many right continuations of a beginning, which are then asked for one after the other."""
    keep: Literal["none", "one_right", "all"] = "none"
    """Which continuations become rationales, each with its verdict as the score `correct`. A later step works on them where its `of`
    names this one."""
    score: ScoreName = "step_value"
    """Name of the score."""

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return (Score,) if self.keep == "none" else (Score, Rationale)

    def gives_scores(self) -> tuple[str, ...]:
        return (
            self.score,
            f"{self.score}_known",
            f"{self.score}_first_zero",
            *(("correct",) if self.keep != "none" else ()),
        )

    def gives_problem_scores(self) -> tuple[str, ...]:
        return (self.score,) if self.start else ()

    def expressions(self) -> Mapping[str, str]:
        return {"at": self.at} if self.at is not None else {}

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        yield from self.equal_samples(self.samples, models)
        if self.enough is not None and self.enough > self.samples:
            yield "enough", f"{self.enough} right ones of {self.samples} samples cannot be", "samples or fewer"
        if self.at is not None and self.probe != "all":
            yield "at", f"probe: {self.probe} finds the beginnings itself", "leave out at, or set probe: all"

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        if self.verifier == ANSWER:
            records = [r for r in records if unit.problem_of(r).checkable]
        under_way: dict[tuple[str, str, int, str], asyncio.Task[Continuations]] = {}
        made: list[UnitRecord] = []
        async with asyncio.TaskGroup() as group:

            def continued(model: Model, problem: Problem, beginning: Beginning | None) -> asyncio.Task[Continuations]:
                """The continuations of a beginning, asked for once, in the name of the first rationale that has it."""
                kept, text = (beginning.kept, beginning.text) if beginning else (0, "")
                key = (model.name, problem.id, kept, text)
                if key not in under_way:
                    first = next((b for r in records if (b := _shared(r, problem, kept, text))), beginning)
                    under_way[key] = group.create_task(self._continuations(model, problem, first, unit))
                return under_way[key]

            scored = [
                (rationale, model, group.create_task(self._values(rationale, model, continued, unit)))
                for rationale in records
                for model in unit.models(self.by)
            ]
            problems = {unit.problem_of(r).id: unit.problem_of(r) for r in records} if self.start else {}
            starts = [(p, m, continued(m, p, None)) for p in problems.values() for m in unit.models(self.by)]
        firsts: dict[str, int] = {}
        for rationale, model, values in scored:
            made += self._scores(rationale, model, values.result())
            first = self._first_zero(rationale, values.result())
            if first is not None:
                firsts[rationale.id] = min(first, firsts.get(rationale.id, first))
        for rationale in records:
            if (first := firsts.get(rationale.id)) is not None:
                last = first == len(rationale.steps)
                reason = "only the outcome is wrong" if last else f"no continuation is right from step {first} on"
                judge = f"{self.name}/{self.version}"
                made.append(self._score(rationale, None, first - 1, reason, judge, "_first_zero"))
        for problem, model, under in starts:
            judge, share = self._judge(model), under.result()
            made.append(self._score(problem, None, share.value, share.reason, judge))
        unlike: dict[int, Continuations] = {}
        for _, _, values in scored:  # in the order of the records, and not of the replies
            for _, found in sorted(values.result()[1].items(), key=lambda item: item[0]):
                if found is not None:
                    unlike.setdefault(id(found), found)
        return [*made, *(record for one in unlike.values() for record in self._kept(one))]

    async def _values(
        self,
        rationale: Rationale,
        model: Model,
        continued: Callable[[Model, Problem, Beginning | None], Awaitable[Continuations]],
        unit: Unit,
    ) -> tuple[Verdict, dict[int, Continuations | None]]:
        """The outcome of a rationale, and the continuations of its beginnings by number of steps; None where the beginning
        states the answer itself.
        """
        problem, outcome = unit.problem_of(rationale), await self.verify(rationale, unit)
        found: dict[int, Continuations | None] = {}

        async def value(kept: int) -> float | None:
            beginning = Beginning.of(rationale, kept)
            found[kept] = None if beginning.states_answer(problem) else await continued(model, problem, beginning)
            return None if (share := found[kept]) is None else share.value

        last = len(rationale.steps)
        if self.probe == "all":
            async with asyncio.TaskGroup() as group:
                for kept in self._places(rationale, unit):
                    found[kept] = None
                    group.create_task(value(kept))
        elif outcome.label == "right":
            pass
        elif self.probe == "first_zero":
            for kept in range(1, last):
                if await value(kept) == 0:
                    break
        else:
            await first_zero_by_halving(last, value)
        return outcome, found

    def _places(self, rationale: Rationale, unit: Unit) -> list[int]:
        last = len(rationale.steps)
        if self.at is None:
            return list(range(1, last))
        where = f"step {self.name}, {rationale.id}"
        places = Expression(self.at).value(unit.variables(rationale), where)
        if places is None:
            return []
        if not isinstance(places, (list, tuple)) or not all(type(p) is int for p in places):
            what = f"at is to be a list of numbers of steps, and is {places!r:.100}"
            raise UserError(what, where=where, fix="give a list such as [1, 2]")
        return sorted({p for p in places if 1 <= p < last})

    async def _continuations(
        self, model: Model, problem: Problem, beginning: Beginning | None, unit: Unit
    ) -> Continuations:
        requests = self.going_on(problem, beginning, model, self.samples)
        target: UnitRecord = (beginning and beginning.rationale) or problem
        at_once = 1 if self.enough is not None else len(requests)
        found = Continuations((), 0)
        for first in range(0, len(requests), at_once):
            asked = [(model, request, target) for request in requests[first : first + at_once]]
            replies = await self.ask_all(asked, unit)
            found = found.plus(await self.outcomes(problem, beginning, asked, replies, unit))
            if self.enough is not None and found.right >= self.enough:
                break
        return found

    def _scores(
        self, rationale: Rationale, model: Model, values: tuple[Verdict, dict[int, Continuations | None]]
    ) -> list[Score]:
        outcome, found = values
        judge = self._judge(model)
        made = []
        for kept in sorted(found):
            share = found[kept]
            value, reason = (
                (share.value, share.reason) if share else (None, "the answer is stated before this step ends")
            )
            made.append(self._score(rationale, kept - 1, value, reason, judge))
            if share is not None:
                made.append(self._score(rationale, kept - 1, len(share.verified), "continuations", judge, "_known"))
        if not rationale.steps:
            return made
        last = float(outcome.label == "right") if outcome.decided else None
        made.append(self._score(rationale, len(rationale.steps) - 1, last, f"the outcome: {outcome.detail}", judge))
        return made

    def _first_zero(self, rationale: Rationale, values: tuple[Verdict, dict[int, Continuations | None]]) -> int | None:
        """The number of steps of the shortest beginning of value 0; None where there is none, or a shorter one has no known value."""
        outcome, found = values
        known = {kept: share.value for kept, share in found.items() if share is not None}
        if outcome.decided:
            known[len(rationale.steps)] = float(outcome.label == "right")
        first = min((kept for kept, value in known.items() if value == 0 and kept), default=None)
        before = known if self.probe == "binary" else range(1, first or 1)
        return None if first is None or any(known.get(k) is None for k in before if k < first) else first

    def _judge(self, model: Model) -> str:
        return f"{self.name}/{self.version} of {model.name}, k={self.samples}"

    def _score(
        self, record: UnitRecord, step: int | None, value: float | None, reason: str, judge: str, of: str = ""
    ) -> Score:
        return self.derive(
            Score,
            [record],
            target=record.id,
            part=None if step is None else Part(kind="step", index=step),
            name=f"{self.score}{of}",
            value=value,
            judge=judge,
            reason=reason,
        )

    def _kept(self, found: Continuations) -> list[UnitRecord]:
        if self.keep == "none":
            return []
        chosen = found.verified
        if self.keep == "one_right":
            chosen = tuple(pair for pair in chosen if pair[1].label == "right")[:1]
        made: list[UnitRecord] = []
        for rationale, verdict in chosen:
            made += [rationale, self.verdict(rationale, verdict)]
        return made


def _shared(rationale: Rationale, problem: Problem, kept: int, text: str) -> Beginning | None:
    """The beginning of a rationale, where it is this one."""
    spans = rationale.step_spans
    if not kept or rationale.problem != problem.id or len(rationale.steps) < kept:
        return None
    if spans is not None and spans[kept - 1][1] != len(text):  # cheaper than to compare the texts
        return None
    beginning = Beginning.of(rationale, kept)
    return beginning if beginning.text == text else None


async def first_zero_by_halving(steps: int, value: Callable[[int], Awaitable[float | None]]) -> int:
    """The number of steps of the shortest beginning whose value is 0, in at most ⌈log2 steps⌉ questions.

    It takes for granted that the whole solution has the value 0, and that no beginning is worth more than a shorter one of
    value 0. A value that is not known counts as more than 0. Source: arXiv:2406.06592.

    Args:
        steps: how many steps the solution has, at least 1.
        value: the value of the beginning with so many steps.
    """
    low, high = 1, steps
    while low < high:
        middle = (low + high) // 2
        if await value(middle) == 0:
            high = middle
        else:
            low = middle + 1
    return low

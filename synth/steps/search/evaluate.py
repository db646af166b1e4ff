"""What nodes are worth: what a judge says of them, how often continuations come to the right answer, what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import BeforeValidator

from synth.errors import UserError
from synth.models import Model, Reply, Request, Task
from synth.prompts import Expression
from synth.records import UnitRecord
from synth.steps.continuations import Continuations
from synth.steps.continuing import Beginning
from synth.steps.search.expand import as_rationale
from synth.steps.search.tree import Branch, End, Growth, reward_of
from synth.verify import Verdict

__all__ = ["EVALUATORS", "WORTH", "Evaluator", "combined", "continuations", "evaluators_in", "outcomes"]

Evaluator = Callable[[Growth, Sequence[Branch]], Awaitable[list[float | None]]]
"""Asks about new branches, all at once; the value of each, None where there is none."""

WORTH = {"sure": 20.0, "likely": 1.0, "impossible": 0.001}
"""What a verdict counts, arXiv:2305.10601, released code."""


class _Verdict(Reply):
    """An evaluation."""

    reasons: str = ""
    verdict: Annotated[
        Literal["sure", "likely", "impossible"],
        BeforeValidator(lambda v: v.lower().strip(" .") if isinstance(v, str) else v),
    ]


async def verdicts(growth: Growth, new: Sequence[Branch]) -> list[float | None]:
    """The mean of what judges say of each."""
    step, problem = growth.step, growth.problem
    asked: list[tuple[Model, Request, UnitRecord]] = []
    owners: list[Branch] = []
    for branch in new if step.evaluations else ():
        of_branch = []
        for model in growth.unit.models(step.judge or step.by):
            form = step.form_of_fields(model)
            shown = {"problem": problem, "steps": branch.texts, "format": form, "answer": branch.answer}
            task = Task("evaluate", problem, subject=branch.node, format=form)
            first = step.request(step.load("evaluate_prompt"), shown, task, shape=_Verdict)
            of_branch += [(model, request, problem) for request in step.samples_of(first, step.evaluations)]
        if not growth.budget.take(len(of_branch)):
            break
        asked += of_branch
        owners += [branch] * len(of_branch)
    said: dict[Branch, list[float]] = {}
    for branch, reply in zip(owners, await growth.ask(asked) if asked else [], strict=True):
        if reply is not None:
            said.setdefault(branch, []).append(WORTH[reply.value.verdict])
    return [fmean(said[branch]) if branch in said else None for branch in new]


async def rollout(growth: Growth, new: Sequence[Branch]) -> list[float | None]:
    """The share of continuations from each that are right; of one that has ended, its outcome."""
    asked: dict[Branch, asyncio.Task[Continuations]] = {}
    async with asyncio.TaskGroup() as group:
        for branch in (b for b in new if not b.terminal):
            if not growth.budget.take(growth.step.samples * len(growth.unit.models(growth.step.by))):
                break
            asked[branch] = group.create_task(continuations(growth, _beginning(growth, branch), growth.step.samples))
    await outcomes(growth)
    of_ends = {end.branch: reward_of(verdict) for end, verdict in growth.ended}
    for branch, task in asked.items():
        for rationale, verdict in task.result().verified if growth.step.keep == "all" and branch.beginning else ():
            growth.solutions.setdefault(rationale.id, (rationale, verdict, None))
    return [asked[branch].result().value if branch in asked else of_ends.get(branch) for branch in new]


async def outcome(growth: Growth, new: Sequence[Branch]) -> list[float | None]:
    """The mean of what became of all solutions that go through each, so far."""
    for end, verdict in await outcomes(growth):
        reward = reward_of(verdict)
        if reward is not None:
            end.branch.back_up(reward)
    return [branch.mean for branch in new]


async def nothing(growth: Growth, new: Sequence[Branch]) -> list[float | None]:  # noqa: ARG001
    """No values."""
    return [None] * len(new)


async def continuations(growth: Growth, beginning: Beginning | None, samples: int) -> Continuations:
    """What comes of continuations of one beginning, of each model. The budget was taken by the caller."""
    step, problem, unit = growth.step, growth.problem, growth.unit
    asked: list[tuple[Model, Request, UnitRecord]] = [
        (model, request, problem)
        for model in unit.models(step.by)
        for request in step.going_on(problem, beginning, model, samples)
    ]
    return await step.outcomes(problem, beginning, asked, await growth.ask(asked), unit)


def _beginning(growth: Growth, branch: Branch) -> Beginning:
    if branch.beginning is not None:
        return branch.beginning
    path = as_rationale(growth, branch)
    return Beginning.of(path, len(path.steps))


async def outcomes(growth: Growth) -> list[tuple[End, Verdict]]:
    """The outcomes of the solutions that ended since it was asked last."""
    ends, growth.ends = growth.ends, []
    verdicts_ = await asyncio.gather(*(growth.step.verify(end.rationale, growth.unit) for end in ends))
    found = list(zip(ends, verdicts_, strict=True))
    for end, verdict in found:
        if end.rationale.id in growth.solutions:
            growth.solutions[end.rationale.id] = (end.rationale, verdict, end.branch)
    growth.ended += found
    return found


EVALUATORS: dict[str, Evaluator] = {"verdicts": verdicts, "rollout": rollout, "outcome": outcome, "none": nothing}
"""By the names pipelines call them, alone or in an expression."""


def evaluators_in(source: str) -> tuple[str, ...]:
    """The evaluators that an expression names.

    Raises:
        UserError: it does not compile.
    """
    unknown = set(Expression(source).unknown_names({"problem": None, "node": None, "steps": None}))
    return tuple(name for name in ("outcome", "rollout", "verdicts") if name in unknown)


async def combined(growth: Growth, new: Sequence[Branch], source: str) -> list[float | None]:
    """The value of an expression over what evaluators say.

    Raises:
        UserError: it cannot be evaluated, or is no number.
    """
    names = evaluators_in(source)
    values = {name: await EVALUATORS[name](growth, new) for name in names}
    found = []
    for i, branch in enumerate(new):
        assert branch.node is not None
        where = f"step {growth.step.name}, {branch.node.id}"
        seen = {
            "problem": growth.problem,
            "node": branch.node,
            "steps": branch.texts,
            **{n: values[n][i] for n in names},
        }
        value = Expression(source).value(seen, where)
        if value is not None and (isinstance(value, str) or not isinstance(value, (int, float))):
            raise UserError(
                f"evaluate is to be a number, and is {value!r:.100}", where=where, fix="correct the expression"
            )
        found.append(None if value is None else float(value))
    return found

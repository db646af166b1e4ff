"""How a tree grows: next steps proposed one by one, or continuations of the solution so far."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from synth.models import Completion, Model, Reply, Request, Task
from synth.records import Node, Rationale, UnitRecord
from synth.steps.continuing import Beginning
from synth.steps.search.tree import Branch, End, Growth

__all__ = ["EXPANDERS", "Expander"]

Expander = Callable[[Growth, Sequence[Branch]], Awaitable[list[Branch]]]
"""Asks for what comes after some branches, all at once. Gives the branches that are new, in the order of the questions, and notes the
solutions that came to their end."""


class _Thought(Reply):
    """A proposal."""

    thought: Annotated[str, Field(min_length=1)]
    finished: bool = True  # asked for in JSON: small models fill every string of a schema, also an answer they have not
    answer: str = ""


class _Asked(NamedTuple):
    branch: Branch
    model: Model
    request: Request
    reply: Completion


async def _replies(
    growth: Growth, chosen: Sequence[Branch], requests: Callable[[Branch, Model], Sequence[Request]]
) -> list[_Asked]:
    """The replies to what is asked of each model after each branch, as far as the budget goes."""
    asked: list[tuple[Model, Request, UnitRecord]] = []
    branches: list[Branch] = []
    for branch in chosen:
        of_branch = [(m, r) for m in growth.unit.models(growth.step.by) for r in requests(branch, m)]
        if not growth.budget.take(len(of_branch)):
            break
        branch.expanded = True
        asked += [(model, request, growth.problem) for model, request in of_branch]
        branches += [branch] * len(of_branch)
    replies = await growth.ask(asked) if asked else []
    return [
        _Asked(branch, model, request, reply)
        for branch, (model, request, _), reply in zip(branches, asked, replies, strict=True)
        if reply is not None
    ]


def _grown(growth: Growth, parent: Branch, node: Node, beginning: Beginning | None) -> Branch:
    branch = Branch(node, parent, beginning)
    branch.abandoned = node.depth + 1 >= growth.step.depth_limit or (
        beginning is not None and beginning.states_answer(growth.problem)
    )
    parent.attach(branch)
    growth.branches.append(branch)
    return branch


async def propose(growth: Growth, chosen: Sequence[Branch]) -> list[Branch]:
    """Next steps in words, each with whether it ends the solution; arXiv:2305.10601."""
    step, problem = growth.step, growth.problem

    def requests(branch: Branch, model: Model) -> list[Request]:
        form = step.form_of_fields(model)
        last = branch.depth + 2 >= step.depth_limit
        shown = {"problem": problem, "steps": branch.texts, "format": form, "last": last}
        task = Task("propose", problem, subject=branch.node, format=form)
        return step.samples_of(step.request(step.load("propose_prompt"), shown, task, shape=_Thought), step.width)

    new = []
    for branch, model, _, reply in await _replies(growth, chosen, requests):
        said: _Thought = reply.value
        if branch.child(said.thought) is not None:
            continue
        last = branch.depth + 2 >= step.depth_limit
        answer = said.answer or None if said.finished or last else None
        above = [branch.node] if branch.node is not None else []
        node = step.derive(
            Node,
            [problem, *above],
            replies=[reply.key],
            problem=problem.id,
            parent=above[0].id if above else None,
            depth=branch.depth + 1,
            text=said.thought,
            terminal=answer is not None or last,
            answer=answer,
            model=model.name,
            call=reply.call,
        )
        grown = _grown(growth, branch, node, None)
        new.append(grown)
        if grown.terminal:
            growth.ends.append(End(grown, as_rationale(growth, grown)))
    return new


def as_rationale(growth: Growth, branch: Branch) -> Rationale:
    """The steps down to a branch as a solution, for verifiers and continuations; it is no record of the run."""
    assert branch.node is not None
    return growth.step.derive(
        Rationale,
        [branch.node],
        problem=growth.problem.id,
        author="teacher",
        model=branch.node.model,
        style="path",
        response="\n".join(branch.texts),
        steps=tuple(branch.texts),
        segmenter="given/1",
        answer=branch.answer,
    )


async def next_step(growth: Growth, chosen: Sequence[Branch]) -> list[Branch]:
    """One more line of the solution so far."""
    return await _continue(growth, chosen, whole=False)


async def rollouts(growth: Growth, chosen: Sequence[Branch]) -> list[Branch]:
    """The rest of the solution, whose steps all become nodes."""
    return await _continue(growth, chosen, whole=True)


async def _continue(growth: Growth, chosen: Sequence[Branch], *, whole: bool) -> list[Branch]:
    step, problem = growth.step, growth.problem

    def requests(branch: Branch, model: Model) -> list[Request]:
        samples = step.samples_of_root if branch.node is None else step.width
        limits: dict[str, Any] = {} if whole else {"stop": ["\n"]}
        requests = step.going_on(problem, branch.beginning, model, samples, **limits)
        # Its continuations gave the branch its value; the same ones again would be no new solutions.
        before = step.samples if whole and branch.node is not None and "rollout" in step.evaluators else 0
        return [request._replace(sample=request.sample + before) for request in requests]

    new: list[Branch] = []
    for branch, model, request, reply in await _replies(growth, chosen, requests):
        rationale = step.read_on(problem, branch.beginning, model, request, reply)
        kept = branch.beginning.kept if branch.beginning is not None else 0
        own = rationale.steps[kept:]
        ends = whole or (rationale.answer_span is not None and len(own) <= 1)
        if not own and ends and branch.node is None:
            own = (rationale.text or rationale.response,)  # an answer without a step is the step
        last = branch
        for number, text in enumerate(own if whole else own[:1], kept + 1):
            known = last.child(text)
            if known is None:
                beginning = Beginning.of(rationale, number) if number <= len(rationale.steps) else None
                known = _grown(growth, last, _node(growth, last, text, model, reply), beginning)
                new.append(known)
            last = known
        if ends and last.node is not None:
            last.terminal = True
            last.answer = last.answer if last.answer is not None else rationale.answer
            growth.ends.append(End(last, rationale))
            growth.solutions[rationale.id] = (rationale, None, last)
    return new


def _node(growth: Growth, parent: Branch, text: str, model: Model, reply: Completion) -> Node:
    above = [parent.node] if parent.node is not None else []
    return growth.step.derive(
        Node,
        [growth.problem, *above],
        replies=[reply.key],
        key=parent.depth + 1,
        problem=growth.problem.id,
        parent=above[0].id if above else None,
        depth=parent.depth + 1,
        text=text,
        model=model.name,
        call=reply.call,
    )


EXPANDERS: dict[str, Expander] = {"propose": propose, "next_step": next_step, "rollouts": rollouts}
"""By the names pipelines call them."""

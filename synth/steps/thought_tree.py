"""`thought_tree`: solutions grown step by step as a tree, with proposals, evaluations and a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.records import Node, Problem, UnitRecord, record_fields
from synth.steps.search import SEARCHES, Scored
from synth.steps.step import ModelStep
from synth.steps.unit import Unit

__all__ = ["ThoughtTree"]

WORTH = {"sure": 20.0, "likely": 1.0, "impossible": 0.001}
"""What a verdict counts, arXiv:2305.10601, released code."""


class _Thought(Reply):
    """A proposal."""

    thought: Annotated[str, Field(min_length=1)]
    finished: bool = True  # asked for in JSON: small models fill every string of a shape, also an answer they have not
    answer: str = ""


class _Verdict(Reply):
    """An evaluation."""

    reasons: str = ""
    verdict: Annotated[
        Literal["sure", "likely", "impossible"],
        BeforeValidator(lambda v: v.lower().strip(" .") if isinstance(v, str) else v),
    ]


class _Proposal(NamedTuple):
    path: tuple[Node, ...]
    model: Model
    reply: Completion


class ThoughtTree(ModelStep):
    """Grow a tree of thoughts: propose next steps, evaluate each, expand the promising ones.

    Every node is kept with its parent, its `value` (mean of the evaluations: sure 20, likely 1, impossible 0.001) and its
    `visits` (1 where it was expanded). A thought that states an answer ends its branch, as does the greatest depth. Equal
    thoughts of one parent are one. `path_to_rationale` makes rationales of the ends. Source: arXiv:2305.10601.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Node,)

    step: Literal["thought_tree"] = "thought_tree"
    prompt: str = "trees/propose"
    """Name of a shipped prompt, or path of your own (`.j2`), that asks for a next step."""
    evaluate_prompt: str = "trees/evaluate"
    """The same, that asks for an evaluation."""
    judge: str | None = None
    """The role that evaluates; the one that proposes if not given."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """Sampling temperature."""
    search: Literal["breadth", "depth", "best"] = "breadth"
    """Which nodes are expanded: level by level the `beam` best, the best child first and then back, or the best anywhere."""
    proposals: Annotated[int, Field(ge=1, le=64)] = 3
    """Next steps asked of each model for each node that is expanded."""
    evaluations: Annotated[int, Field(ge=0, le=64)] = 3
    """Evaluations of each node by each judge; 0: all count the same."""
    beam: Annotated[int, Field(ge=1)] = 5
    """Nodes of a level that are expanded, in a breadth-first search."""
    cut: float = 0.0
    """A node of lower value is not expanded."""
    max_depth: Annotated[int, Field(ge=1)] = 5
    """Steps of a path."""
    max_nodes: Annotated[int, Field(ge=1)] = 60
    """Nodes of a tree: no further expansion is begun beyond it."""
    max_answers: Annotated[int, Field(ge=1)] | None = None
    """Ends with an answer after which no further expansion is begun."""

    def roles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().roles(), *((self.judge,) if self.judge and self.evaluations else ()))))

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        shown = {"problem": record_fields(Problem), "steps": None, "format": None}
        evaluating = {"evaluate_prompt": {**shown, "answer": None}} if self.evaluations else {}
        return {"prompt": {**shown, "last": None}, **evaluating}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.proposals > 1 and self.temperature == 0:
            yield (
                "temperature",
                f"{self.proposals} proposals at temperature 0 are one",
                "set temperature above 0, or proposals: 1",
            )

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        return [node for problem in records for node in await self._grow(problem, unit)]

    async def _grow(self, problem: Problem, unit: Unit) -> list[Node]:
        made: dict[str, Node] = {}
        search = SEARCHES[self.search](self.beam)
        search.add([Scored(0.0, ())])
        while (paths := search.next()) and len(made) < self.max_nodes:
            if self.max_answers is not None and sum(n.answer is not None for n in made.values()) >= self.max_answers:
                break
            for path in paths:
                if path:
                    made[path[-1].id] = path[-1].model_copy(update={"visits": 1})
            children = await self._evaluate(await self._propose(paths, problem, unit), problem, unit)
            made |= {path[-1].id: path[-1] for path in children}
            going = [p for p in children if not p[-1].terminal and (p[-1].value or 0.0) >= self.cut]
            search.add([Scored(path[-1].value or 0.0, path) for path in going])
        return list(made.values())

    async def _propose(self, paths: Sequence[tuple[Node, ...]], problem: Problem, unit: Unit) -> list[_Proposal]:
        asked: list[tuple[Model, Request, UnitRecord]] = []
        parents: list[tuple[Node, ...]] = []
        for path in paths:
            for model in unit.models(super().roles()):
                shown = self._shown(problem, path, model) | {"last": len(path) + 1 >= self.max_depth}
                task = Task("propose", problem, subject=path[-1] if path else None, format=self.form_of_fields(model))
                first = self.request(self.load(), shown, task, shape=_Thought)
                asked += [(model, request, problem) for request in self.samples_of(first, self.proposals)]
                parents += [path] * self.proposals
        replies = await self.ask_all(asked, unit)
        return [
            _Proposal(path, model, reply)
            for path, (model, _, _), reply in zip(parents, asked, replies, strict=True)
            if reply is not None
        ]

    async def _evaluate(self, proposed: Sequence[_Proposal], problem: Problem, unit: Unit) -> list[tuple[Node, ...]]:
        """The proposals as paths whose last node has its value; equal ones of one parent once."""
        drafts: dict[tuple[str | None, str], _Proposal] = {}
        for p in proposed:
            drafts.setdefault((p.path[-1].id if p.path else None, " ".join(p.reply.value.thought.split())), p)
        bare = [(*p.path, self._node(p, problem)) for p in drafts.values()]
        if not self.evaluations:
            return bare
        asked: list[tuple[Model, Request, UnitRecord]] = []
        owner: list[str] = []
        for path in bare:
            for model in unit.models(self.judge or super().roles()):
                shown = self._shown(problem, path, model) | {"answer": path[-1].answer}
                task = Task("evaluate", problem, subject=path[-1], format=self.form_of_fields(model))
                first = self.request(self.load("evaluate_prompt"), shown, task, shape=_Verdict)
                asked += [(model, request, problem) for request in self.samples_of(first, self.evaluations)]
                owner += [path[-1].id] * self.evaluations
        worth: dict[str, list[float]] = {}
        for node, reply in zip(owner, await self.ask_all(asked, unit), strict=True):
            if reply is not None:
                worth.setdefault(node, []).append(WORTH[reply.value.verdict])
        return [
            (
                *path[:-1],
                path[-1].model_copy(update={"value": fmean(worth[path[-1].id]) if path[-1].id in worth else None}),
            )
            for path in bare
        ]

    def _shown(self, problem: Problem, path: Sequence[Node], model: Model) -> dict[str, Any]:
        return {"problem": problem, "steps": [n.text for n in path], "format": self.form_of_fields(model)}

    def _node(self, proposal: _Proposal, problem: Problem) -> Node:
        path, model, reply = proposal
        said: _Thought = reply.value
        last = len(path) + 1 >= self.max_depth
        answer = said.answer or None if said.finished or last else None
        return self.derive(
            Node,
            [problem, *path[-1:]],
            replies=[reply.key],
            problem=problem.id,
            parent=path[-1].id if path else None,
            depth=len(path),
            text=said.thought,
            terminal=answer is not None or last,
            answer=answer,
            model=model.name,
            call=reply.call,
        )

"""`search`: solutions searched for as a tree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.errors import UserError
from synth.records import Node, Part, Problem, Rationale, Score, UnitRecord
from synth.steps.search.evaluate import EVALUATORS, combined, outcomes
from synth.steps.search.expand import EXPANDERS
from synth.steps.search.omega import Omega, State
from synth.steps.search.options import OMEGA, SearchOptions
from synth.steps.search.policy import POLICIES, Scored
from synth.steps.search.tree import Branch, Budget, Growth, reward_of
from synth.steps.unit import Unit
from synth.verify import ANSWER, Verdict

__all__ = ["Search"]

VALUE = "step_value"
"""The name of the values of steps that are shares of right solutions."""


class Search(SearchOptions):
    """Search for solutions as a tree: what grows it (`expand`), what its nodes are worth (`evaluate`), and which are expanded (`policy`).

    Every node is kept with its parent, its `value` and its `visits`. Of `uct` and `evaluate: outcome` these are Q = W / N and N, the
    outcomes backed up through it; of `omega` the share of right continuations and how often it was chosen; else what the evaluator
    says, and 1 where it was expanded. Equal steps after the same steps are one node. `path_to_rationale` makes rationales of the ends
    of proposals; continued solutions are rationales themselves, with `correct` where the verifier can say it, the values of their nodes
    on their steps (`step_value` if they are shares of right solutions, else `step_worth`), and with `omega` `step_correct` up to the first
    wrong one. `search_ended` on the problem says why the search ended, and how many nodes there are. The
    same replies make the same tree: there is no other chance in it.

    Sources: `breadth` and `depth` over proposals, arXiv:2305.10601; `uct`, Kocsis and Szepesvári, 2006, over steps as in
    arXiv:2501.01478; `omega`, arXiv:2406.06592.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Node, Rationale, Score)

    step: Literal["search"] = "search"

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return (Node, Rationale, Score) if self.keeps else (Node, Score)

    def gives_scores(self) -> tuple[str, ...]:
        worth = (self.value_name,) if self.value_name else ()
        of_steps = (*worth, "correct") if self.keeps else ()
        labels = ("step_correct",) if self.policy == OMEGA and of_steps else ()
        return tuple(dict.fromkeys(("search_ended", *of_steps, *labels, *self.gives_problem_scores())))

    def gives_problem_scores(self) -> tuple[str, ...]:
        return ("search_ended", VALUE) if self.policy == OMEGA else ("search_ended",)

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        return [record for problem in records for record in await self._search(problem, unit)]

    async def _search(self, problem: Problem, unit: Unit) -> list[UnitRecord]:
        if problem.begun:
            what = "a search begins at the question, and the problem gives the beginning of a solution"
            raise UserError(
                what,
                where=f"step {self.name}, {problem.id}",
                fix="leave it out: when: problem.begun is none; or generate",
            )
        growth = Growth(self, problem, unit, Budget(self.max_calls, self.max_tokens_in_all))
        if self.policy == OMEGA:
            omega = Omega(growth)
            ended = await omega.grow()
            return [*self._of_omega(omega), self._end(growth, ended, len(omega.states) - 1 + len(omega.searched))]
        ended = await self._grow(growth)
        nodes = [branch.record(backed_up=self._backed_up) for branch in growth.branches]
        if self.keeps and (self.verifier != ANSWER or problem.checkable):
            await outcomes(growth)
        solutions = self._solutions(growth) if self.keeps else []
        return [*nodes, *solutions, self._end(growth, ended, len(nodes))]

    @property
    def _backed_up(self) -> bool:
        return self.policy == "uct" or self.evaluator == "outcome"

    async def _grow(self, growth: Growth) -> str:
        """Grow a tree until nothing is left or something is used up; gives the reason."""
        policy = POLICIES[self.policy](self, growth.root)
        policy.add([Scored(0.0, growth.root)])
        searches = 0
        while chosen := policy.next():
            if len(growth.branches) >= self.node_limit:
                return "max_nodes"
            if self.max_answers is not None and sum(b.answer is not None for b in growth.branches) >= self.max_answers:
                return "max_answers"
            if self.policy == "uct":
                chosen = chosen[: self.max_searches - searches]
                if not chosen:
                    return "max_searches"
                searches += len(chosen)
            first = not growth.root.expanded
            new = await EXPANDERS[self.expander](growth, chosen)
            await self._evaluate(growth, new, backs_up=policy.backs_up)
            if first and self.expander == "rollouts":
                outcomes = {reward_of(verdict) for _, verdict in growth.ended} - {None}
                if not growth.solutions:
                    return growth.budget.ended or "no_solutions"
                if len(outcomes) == 1:
                    return "all_right" if outcomes == {1.0} else "all_wrong"
            if growth.budget.ended is not None:
                return growth.budget.ended
            going = [branch for branch in new if not branch.terminal and not branch.abandoned]
            policy.add([Scored(branch.value if branch.value is not None else -math.inf, branch) for branch in going])
        return "done"

    async def _evaluate(self, growth: Growth, new: Sequence[Branch], *, backs_up: bool) -> None:
        known = self.evaluator in EVALUATORS
        values = await (EVALUATORS[self.evaluator](growth, new) if known else combined(growth, new, self.evaluator))
        for branch, value in zip(new, values, strict=True):
            branch.value = value
            if self.min_value is not None and value is not None and value < self.min_value:
                branch.abandoned = True
            if backs_up and self.evaluator != "outcome" and value is not None:
                branch.back_up(value)

    def _solutions(self, growth: Growth) -> list[UnitRecord]:
        made: list[UnitRecord] = []
        for rationale, verdict, end in self._kept(growth, {i for i, s in growth.solutions.items() if s[2] is not None}):
            path = end.path if end is not None else ()
            made.append(
                rationale.model_copy(update={"node": path[-1].node.id}) if path and path[-1].node else rationale
            )
            made += [] if verdict is None else [self.verdict(rationale, verdict)]
            if self.value_name is None:
                continue
            what = "outcomes" if self.evaluator == "outcome" else "values"
            values = [(b.mean, b.visits) if self._backed_up else (b.value, 0) for b in path[: len(rationale.steps)]]
            for index, (value, visits) in enumerate(values):
                reason = f"mean of {visits} {what}" if visits else None
                made.append(self._of_step(rationale, index, self.value_name, value, reason=reason))
        return made

    def _kept(self, growth: Growth, on_paths: set[str]) -> list[tuple[Rationale, Verdict | None, Branch | None]]:
        """The solutions that become rationales; one that continues another that does not is by itself."""
        if self.keep == "none":
            return []
        chosen = {i: s for i, s in growth.solutions.items() if self.keep == "all" or i in on_paths}
        return [
            (r if r.parent is None or r.parent in chosen else r.model_copy(update={"parent": None}), verdict, end)
            for r, verdict, end in chosen.values()
        ]

    def _of_omega(self, omega: Omega) -> list[UnitRecord]:
        problem, growth = omega.growth.problem, omega.growth
        made: list[UnitRecord] = []
        nodes: dict[State, Node] = {}
        for state, above in omega.nested():
            assert state.beginning is not None
            assert state.beginning.rationale is not None
            nodes[state] = self._node(
                problem, state.beginning.rationale, state.steps, nodes.get(above) if above else None, above
            )
            nodes[state] = nodes[state].model_copy(update={"value": state.found.value, "visits": state.visits})
        made += nodes.values()
        ends: dict[str, str] = {}
        for searched in omega.searched:
            steps = searched.rationale.steps
            known = (omega.states.get(steps[:n]) for n in range(len(steps) - 1, 0, -1))
            above = next((s for s in known if s is not None), None)
            end = self._node(problem, searched.rationale, steps, nodes.get(above) if above else None, above)
            ends[searched.rationale.id] = end.id
            made.append(end.model_copy(update={"value": 0.0, "terminal": True, "answer": searched.rationale.answer}))
        labels = {s.rationale.id: s for s in omega.searched}
        for rationale, verdict, _ in self._kept(growth, set(labels)):
            made.append(rationale.model_copy(update={"node": ends.get(rationale.id)}))
            made += [] if verdict is None else [self.verdict(rationale, verdict)]
            for index in range(len(rationale.steps) - 1):
                found = omega.states.get(rationale.steps[: index + 1])
                if found is not None:
                    made.append(self._of_step(rationale, index, VALUE, found.found.value, reason=found.found.reason))
            if rationale.steps and verdict is not None:
                last = len(rationale.steps) - 1
                made.append(
                    self._of_step(rationale, last, VALUE, reward_of(verdict), reason=f"the outcome: {verdict.detail}")
                )
            if (located := labels.get(rationale.id)) is not None:
                sound = located.first_wrong if located.certain else located.sound
                made += (self._of_step(rationale, i, "step_correct", 1.0, "right") for i in range(sound))
                label, value = ("wrong", 0.0) if located.certain else ("unsure", None)
                made.append(self._of_step(rationale, located.first_wrong, "step_correct", value, label))
        root = omega.states.get(())
        if root is not None:
            made.append(self._score_of(problem, VALUE, root.found.value, reason=root.found.reason))
        return made

    def _node(
        self, problem: Problem, rationale: Rationale, steps: Sequence[str], parent: Node | None, above: State | None
    ) -> Node:
        return self.derive(
            Node,
            [problem, rationale],
            replies=[rationale.id],
            key=len(steps),
            problem=problem.id,
            parent=parent.id if parent is not None else None,
            depth=parent.depth + 1 if parent is not None else 0,
            text="\n".join(steps[len(above.steps) if above is not None else 0 :]),
            model=rationale.model,
            call=rationale.call,
        )

    def _end(self, growth: Growth, reason: str, nodes: int) -> Score:
        spent = f"{growth.budget.calls} calls, {growth.budget.tokens} tokens"
        return self._score_of(growth.problem, "search_ended", float(nodes), reason, f"{nodes} nodes, {spent}")

    def _of_step(
        self,
        rationale: Rationale,
        index: int,
        name: str,
        value: float | None,
        label: str | None = None,
        reason: str | None = None,
    ) -> Score:
        return self._score_of(rationale, name, value, label, reason, part=Part(kind="step", index=index))

    def _score_of(
        self,
        record: UnitRecord,
        name: str,
        value: float | None,
        label: str | None = None,
        reason: str | None = None,
        judge: str | None = None,
        part: Part | None = None,
    ) -> Score:
        return self.derive(
            Score,
            [record],
            target=record.id,
            part=part,
            name=name,
            value=value,
            label=label,
            reason=reason,
            judge=judge or f"{self.name}/{self.version}",
        )

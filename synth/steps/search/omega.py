"""OmegaPRM: solutions that went wrong are searched for their first wrong step by halving; arXiv:2406.06592."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import NamedTuple

from synth.records import Rationale
from synth.steps.continuations import Continuations
from synth.steps.continuing import Beginning
from synth.steps.rollout import first_zero_by_halving
from synth.steps.search.evaluate import continuations
from synth.steps.search.tree import Growth

__all__ = ["Omega", "Searched", "State", "exploration", "quality"]

Prefix = tuple[str, ...]
"""The steps of a beginning."""


def quality(value: float, length: float, *, alpha: float = 0.5, beta: float = 0.9, scale: float = 500) -> float:
    """Q = alpha^(1 - MC) beta^(length / L): high where a beginning seldom fails and the solution that failed is short.

    Args:
        value: MC, the share of right continuations of the beginning, in [0, 1].
        length: length of the solution's continuation, in tokens.
        alpha: base of the value, in (0, 1].
        beta: base of the length, in (0, 1].
        scale: L.
    """
    return float(alpha ** (1 - value) * beta ** (length / scale))


def exploration(visits: int, all_visits: int, c_puct: float = 0.125) -> float:
    """U = c_puct sqrt(sum of N) / (1 + N).

    Args:
        visits: N, how often the beginning was chosen.
        all_visits: the sum of N over all beginnings.
        c_puct: weight of exploration.
    """
    return c_puct * math.sqrt(all_visits) / (1 + visits)


class State:
    """A beginning whose continuations are known.

    Args:
        steps: its steps; none for the bare question.
        beginning: the beginning itself; None for the bare question.
        found: its continuations.
    """

    def __init__(self, steps: Prefix, beginning: Beginning | None, found: Continuations) -> None:
        self.steps = steps
        self.beginning = beginning
        self.found = found
        self.visits = 0


class Candidate(NamedTuple):
    """A beginning from which a right solution can be reached, and one from it that is wrong."""

    state: State
    rationale: Rationale

    @property
    def own(self) -> int:
        """How many steps follow the beginning."""
        return len(self.rationale.steps) - len(self.state.steps)

    @property
    def length(self) -> int:
        """Of what follows the beginning, in tokens; in words where the endpoint does not say."""
        return self.rationale.tokens if self.rationale.tokens is not None else len(self.rationale.response.split())


class Searched(NamedTuple):
    """A wrong solution whose first wrong step was looked for."""

    rationale: Rationale
    first_wrong: int
    """Index of that step, from 0."""
    sound: int
    """How many leading steps are known to allow a right solution."""
    certain: bool
    """Whether the value of every beginning that was looked at is known."""


class Omega:
    """One search of OmegaPRM.

    Args:
        growth: the search; its options and budget.
    """

    def __init__(self, growth: Growth) -> None:
        self.growth = growth
        self.states: dict[Prefix, State] = {}
        """In the order in which they were made; the bare question is first."""
        self.searched: list[Searched] = []
        self._pool: list[Candidate] = []
        self._seen: set[Prefix] = set()

    async def grow(self) -> str:
        """Search until the pool is empty or something is used up; gives the reason."""
        growth, step = self.growth, self.growth.step
        models = len(growth.unit.models(step.by))
        if not growth.budget.take(step.samples_of_root * models):
            return str(growth.budget.ended)
        root = State((), None, await continuations(growth, None, step.samples_of_root))
        self._take_in(root)
        if root.found.value is None:
            return "no_solutions"
        if root.found.value in {0.0, 1.0}:
            return "all_right" if root.found.value else "all_wrong"
        while self._pool:
            if len(self.states) + len(self.searched) - 1 >= step.node_limit:
                return "max_nodes"
            chosen: list[Candidate] = []
            while self._pool and len(chosen) < step.at_once and len(self.searched) + len(chosen) < step.max_searches:
                best = max(range(len(self._pool)), key=lambda i: self._rank(self._pool[i]))  # of equals the earlier
                most = math.ceil(math.log2(self._pool[best].own)) * step.samples * models
                if not growth.budget.take(most):
                    break
                chosen.append(self._pool.pop(best))
                chosen[-1].state.visits += 1
            if not chosen:
                return growth.budget.ended or "max_searches"
            await self._search(chosen)
        return "done"

    def _rank(self, candidate: Candidate) -> float:
        step = self.growth.step
        value = candidate.state.found.value
        assert value is not None
        own = quality(value, candidate.length, alpha=step.alpha, beta=step.beta, scale=step.length)
        visits = sum(state.visits for state in self.states.values())
        return own + exploration(candidate.state.visits, visits, step.c_puct)

    async def _search(self, chosen: list[Candidate]) -> None:
        """Halve the solutions, all at once; what several of them begin with is continued once, in the name of the first."""
        growth, step = self.growth, self.growth.step
        under_way: dict[Prefix, asyncio.Task[State]] = {}
        reserved = sum(math.ceil(math.log2(c.own)) for c in chosen)

        async def probe(steps: Prefix) -> State:
            first = next(c.rationale for c in chosen if c.rationale.steps[: len(steps)] == steps)
            beginning = Beginning.of(first, len(steps))
            if beginning.states_answer(growth.problem):
                return State(steps, beginning, Continuations((), 0))
            return State(steps, beginning, await continuations(growth, beginning, step.samples))

        async with asyncio.TaskGroup() as group:

            def state_of(steps: Prefix) -> asyncio.Task[State] | State:
                if steps in self.states:
                    return self.states[steps]
                if steps not in under_way:
                    under_way[steps] = group.create_task(probe(steps))
                return under_way[steps]

            async def locate(candidate: Candidate) -> Searched:
                rationale, kept = candidate.rationale, len(candidate.state.steps)
                sound, certain = kept, True

                async def value(more: int) -> float | None:
                    nonlocal sound, certain
                    found = state_of(rationale.steps[: kept + more])
                    state = found if isinstance(found, State) else await found
                    share = state.found.value
                    certain = certain and share is not None
                    sound = kept + more if share else sound
                    return share

                first = await first_zero_by_halving(candidate.own, value)
                return Searched(rationale, kept + first - 1, sound, certain)

            tasks = [group.create_task(locate(candidate)) for candidate in chosen]
        self.searched += [task.result() for task in tasks]
        made = [task.result() for task in under_way.values()]
        asked = sum(
            state.beginning is not None and not state.beginning.states_answer(self.growth.problem) for state in made
        )
        growth.budget.calls -= (reserved - asked) * step.samples * len(growth.unit.models(step.by))
        for candidate in chosen:  # in their order, and along each, whichever came back first
            of_candidate = [s for s in made if candidate.rationale.steps[: len(s.steps)] == s.steps]
            for state in sorted(of_candidate, key=lambda s: len(s.steps)):
                if state.steps not in self.states:
                    self._take_in(state)

    def _take_in(self, state: State) -> None:
        self.states[state.steps] = state
        for rationale, verdict in state.found.verified:
            self.growth.solutions.setdefault(rationale.id, (rationale, verdict, None))
        if not 0 < (state.found.value or 0) < 1:
            return
        for rationale, verdict in state.found.verified:
            candidate = Candidate(state, rationale)
            if verdict.label != "right" and candidate.own and rationale.steps not in self._seen:
                self._seen.add(rationale.steps)
                self._pool.append(candidate)

    def nested(self) -> Iterator[tuple[State, State | None]]:
        """The states but the bare question, shorter ones first, each with the longest of the others that it begins with."""
        for state in sorted(self.states.values(), key=lambda s: len(s.steps)):
            if state.steps:
                above = (self.states.get(state.steps[:n]) for n in range(len(state.steps) - 1, 0, -1))
                yield state, next((s for s in above if s is not None), None)

"""Which node is expanded next. A policy is given what was made, and says what to expand."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from synth.steps.search.tree import Branch

__all__ = [
    "POLICIES",
    "BestFirst",
    "BreadthFirst",
    "DepthFirst",
    "Policy",
    "PolicyOptions",
    "Scored",
    "Uct",
    "upper_confidence",
]

T = TypeVar("T")


class Scored(NamedTuple, Generic[T]):
    """A node and how promising it is."""

    value: float
    node: T


class Policy(ABC, Generic[T]):
    """Says what to expand next. Equal nodes are taken in the order in which they were made: there is no chance in it."""

    backs_up: bool = False
    """Whether the values of nodes are the means of what was found below them."""

    @abstractmethod
    def add(self, children: Sequence[Scored[T]]) -> None:
        """Take in what an expansion made, with its values; ended branches are not among them."""

    @abstractmethod
    def next(self) -> list[T]:
        """What to expand now, all at once; empty when nothing is left."""


class BreadthFirst(Policy[T]):
    """Level by level, each time the `beam` most promising: beam search, the breadth-first search of arXiv:2305.10601."""

    def __init__(self, beam: int = 1) -> None:
        self._beam = beam
        self._level: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._level += children

    def next(self) -> list[T]:
        best = sorted(self._level, key=lambda s: -s.value)[: self._beam]  # stable: of equals the earlier
        self._level = []
        return [s.node for s in best]


class DepthFirst(Policy[T]):
    """The most promising child first, down to an end, then back; the depth-first search of arXiv:2305.10601."""

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._stack: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._stack += sorted(children, key=lambda s: s.value)

    def next(self) -> list[T]:
        return [self._stack.pop().node for _ in range(min(self._at_once, len(self._stack)))]


class BestFirst(Policy[T]):
    """The most promising node anywhere in the tree."""

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._open: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._open += children

    def next(self) -> list[T]:
        chosen = []
        for _ in range(min(self._at_once, len(self._open))):
            best = max(range(len(self._open)), key=lambda i: self._open[i].value)  # of equals the earlier
            chosen.append(self._open.pop(best).node)
        return chosen


def upper_confidence(mean: float, visits: int, parent_visits: int, c: float) -> float:
    """Q + c sqrt(ln N_parent / N), the bound by which UCT descends (Kocsis and Szepesvári, 2006).

    Args:
        mean: Q, the mean of the rewards below the node.
        visits: N of the node, at least 1.
        parent_visits: N of its parent, at least 1.
        c: weight of exploration.
    """
    return mean + c * math.sqrt(math.log(parent_visits) / visits)


class Uct(Policy[Branch]):
    """Descend from the root by the upper confidence bound to a node that was not expanded yet.

    Where several are expanded at once, each that is chosen counts as a visit without reward for the choice of the next.

    Args:
        root: the root of the tree, which the search grows.
        c: weight of exploration.
        at_once: how many nodes are expanded at once.
    """

    backs_up = True

    def __init__(self, root: Branch, c: float = math.sqrt(2), at_once: int = 1) -> None:
        self._root = root
        self._c = c
        self._at_once = at_once

    def add(self, children: Sequence[Scored[Branch]]) -> None:
        """Nothing to take in: it reads the tree."""

    def next(self) -> list[Branch]:
        chosen: list[Branch] = []
        pending: dict[Branch, int] = {}
        for _ in range(self._at_once):
            leaf = self._descend(pending, frozenset(chosen))
            if leaf is None:
                break
            chosen.append(leaf)
            for branch in (self._root, *leaf.path):
                pending[branch] = pending.get(branch, 0) + 1
        return chosen

    def _descend(self, pending: dict[Branch, int], chosen: frozenset[Branch]) -> Branch | None:
        branch = self._root
        while branch.expanded:
            below = [b for b in branch.children.values() if not b.closed and b not in chosen]
            if not below:
                return None
            parent_visits = branch.visits + pending.get(branch, 0)
            branch = max(below, key=lambda b: self._bound(b, parent_visits, pending))  # of equals the earlier
        return None if branch in chosen else branch

    def _bound(self, branch: Branch, parent_visits: int, pending: dict[Branch, int]) -> float:
        visits = branch.visits + pending.get(branch, 0)
        if not visits:
            return math.inf
        return upper_confidence(branch.total / visits, visits, max(1, parent_visits), self._c)


class PolicyOptions(Protocol):
    """The options of `search` that policies read."""

    @property
    def beam(self) -> int: ...
    @property
    def at_once(self) -> int: ...
    @property
    def c(self) -> float: ...


POLICIES: dict[str, Callable[[PolicyOptions, Branch], Policy[Any]]] = {
    "breadth": lambda options, _: BreadthFirst(options.beam),
    "depth": lambda options, _: DepthFirst(options.at_once),
    "best": lambda options, _: BestFirst(options.at_once),
    "uct": lambda options, root: Uct(root, options.c, options.at_once),
}
"""Policies that choose nodes, by the names pipelines call them; each is made of the options of the step and the root of the tree. A
package may add its own. `omega` chooses solutions instead of nodes and is in `omega.py`."""

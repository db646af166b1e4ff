"""The order in which a tree of thoughts is grown. A search is told what was made and says what to expand next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["SEARCHES", "BestFirst", "BreadthFirst", "DepthFirst", "Scored", "Search"]

T = TypeVar("T")


class Scored(NamedTuple, Generic[T]):
    """A node and how promising it is."""

    value: float
    node: T


class Search(ABC, Generic[T]):
    """Says what to expand next. Another search (such as Monte-Carlo) is another class with these two methods.

    Args:
        beam: how many nodes of a level are expanded, where a search goes by levels.
    """

    def __init__(self, beam: int = 1) -> None:
        self.beam = beam

    @abstractmethod
    def add(self, children: Sequence[Scored[T]]) -> None:
        """Take in what an expansion made, best known by its value; ended branches are not among them."""

    @abstractmethod
    def next(self) -> list[T]:
        """What to expand now, all at once; empty when nothing is left."""


class BreadthFirst(Search[T]):
    """Level by level, each time the `beam` most promising: beam search, the breadth-first search of arXiv:2305.10601."""

    def __init__(self, beam: int = 1) -> None:
        super().__init__(beam)
        self._level: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._level += children

    def next(self) -> list[T]:
        best = sorted(self._level, key=lambda s: -s.value)[: self.beam]  # stable: of equals the earlier
        self._level = []
        return [s.node for s in best]


class DepthFirst(Search[T]):
    """The most promising child first, down to an end, then back; the depth-first search of arXiv:2305.10601."""

    def __init__(self, beam: int = 1) -> None:
        super().__init__(beam)
        self._stack: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._stack += sorted(children, key=lambda s: s.value)

    def next(self) -> list[T]:
        return [self._stack.pop().node] if self._stack else []


class BestFirst(Search[T]):
    """The most promising node anywhere in the tree."""

    def __init__(self, beam: int = 1) -> None:
        super().__init__(beam)
        self._open: list[Scored[T]] = []

    def add(self, children: Sequence[Scored[T]]) -> None:
        self._open += children

    def next(self) -> list[T]:
        if not self._open:
            return []
        best = max(self._open, key=lambda s: s.value)  # of equals the earlier
        self._open.remove(best)
        return [best.node]


SEARCHES: dict[str, Callable[[int], Search[Any]]] = {"breadth": BreadthFirst, "depth": DepthFirst, "best": BestFirst}
"""By the names pipelines call them."""

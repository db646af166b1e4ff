"""Shortest paths in graphs with lengths."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator

from synth.algorithms import Algorithm, BellmanFord, Bfs, Dijkstra, Graph
from synth.generators.generator import At, NotUnique, Range, Twin, Values, within
from synth.generators.random_graphs import edge_changed, random_graph
from synth.generators.traced import Traced

__all__ = ["ShortestPathProblems"]


class ShortestPathProblems(Traced):
    """Find the length of a shortest path in a directed graph, by Dijkstra's algorithm or by that of Bellman and Ford.

    The difficulty is the number of steps: of Dijkstra's algorithm one a node settled, of Bellman and Ford's one a round over all edges.
    """

    name: ClassVar[str] = "shortest_path"
    method: Literal["dijkstra", "bellman-ford"] = "dijkstra"
    """By which algorithm."""
    nodes: Annotated[Range, within(2, 100)] = Values(7, 7)
    """How many nodes there are."""
    degree: Annotated[Range, within(1, 10)] = Values(2, 2)
    """Edges out of a node on average."""
    longest: Annotated[Range, within(1, 1000)] = Values(9, 9)
    """The greatest length of an edge."""
    negative: bool = False
    """Whether edges may have negative lengths; there is no cycle of negative length. For `method=bellman-ford`."""

    @model_validator(mode="after")
    def _can_be_negative(self) -> Self:
        if self.negative and self.method == "dijkstra":
            raise ValueError("negative lengths need method=bellman-ford")
        return self

    def draw(self, random: Random, at: At) -> tuple[Algorithm[Graph, Any], Graph]:
        """A graph in which there is a path."""
        graph = random_graph(random, at["nodes"], at["degree"], at["longest"], negative=self.negative)
        return (Dijkstra() if self.method == "dijkstra" else BellmanFord()), graph

    def edit(self, algorithm: Algorithm[Any, Any], given: Graph, kind: Twin, random: Random) -> Graph:
        """A change where the search does not come, or of an edge. There still is a path: the question does not say what the answer is without one."""
        if kind == "same":
            other = super().edit(algorithm, given, kind, random)
        else:
            other = edge_changed(given, random, 0 if self.negative else max(length for _, _, length in given.edges))
        if not isinstance(other, Graph) or Bfs().solve(other) == "-1":
            raise NotUnique
        return other

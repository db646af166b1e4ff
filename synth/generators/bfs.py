"""Breadth-first search."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, ClassVar

from synth.algorithms import Algorithm, Bfs, Graph, Instance
from synth.generators.generator import At, Range, Twin, Values, within
from synth.generators.random_graphs import edge_changed, random_graph
from synth.generators.traced import Traced

__all__ = ["BfsProblems"]


class BfsProblems(Traced):
    """Count the edges of a shortest path in a directed graph, by breadth-first search.

    The difficulty is the number of steps, one a node taken from the queue.
    """

    name: ClassVar[str] = "bfs"
    nodes: Annotated[Range, within(2, 100)] = Values(7, 7)
    """How many nodes there are."""
    degree: Annotated[Range, within(1, 10)] = Values(2, 2)
    """Edges out of a node on average."""

    def draw(self, random: Random, at: At) -> tuple[Bfs, Graph]:
        """A graph in which there is a path."""
        return Bfs(), random_graph(random, at["nodes"], at["degree"], 1)

    def edit(self, algorithm: Algorithm[Any, Any], given: Graph, kind: Twin, random: Random) -> Instance | None:
        """A change where the search does not come, or a new edge, or one that is gone."""
        return super().edit(algorithm, given, kind, random) if kind == "same" else edge_changed(given, random, 1)

"""Random graphs for generators."""

from __future__ import annotations

from random import Random

from synth.algorithms import Bfs, Graph, node_name
from synth.generators.generator import NotUnique

__all__ = ["edge_changed", "random_graph"]


def random_graph(random: Random, nodes: int, degree: int, longest: int, *, negative: bool = False) -> Graph:
    """A directed graph in which the target is reached from the start over two edges at least, unless it has all edges.

    Args:
        random: the only source of randomness.
        nodes: how many there are, from 2.
        degree: edges out of a node on average.
        longest: the length of an edge is from 1 to this.
        negative: whether edges may be negative. No cycle is: each node has a height, and an edge is as much longer as its end is higher.

    Raises:
        NotUnique: in this draw it is not.
    """
    names = tuple(node_name(i) for i in range(nodes))
    pairs = [(a, b) for a in names for b in names if a != b]
    chosen = sorted(random.sample(pairs, min(len(pairs), nodes * degree)))
    heights = {name: random.randint(0, longest) if negative else 0 for name in names}
    edges = tuple((a, b, random.randint(1, longest) + heights[b] - heights[a]) for a, b in chosen)
    start, target = random.sample(names, 2)
    graph = Graph(nodes=names, edges=edges, start=start, target=target)
    if int(Bfs().solve(graph)) < (2 if len(chosen) < len(pairs) else 1):
        raise NotUnique
    return graph


def edge_changed(graph: Graph, random: Random, longest: int) -> Graph:
    """The graph with an edge that is gone, new, or longer.

    Args:
        graph: the graph.
        random: the only source of randomness.
        longest: of a new edge, and by how much an edge gets longer. With 0 no edge is new or longer, so that no cycle gets shorter.
    """
    edges = list(graph.edges)
    place = random.randrange(len(edges))
    source, to, length = edges.pop(place)
    how = random.choice(["gone", "new", "longer"]) if longest else "gone"
    if how == "longer":
        edges.insert(place, (source, to, length + random.randint(1, longest)))
    elif how == "new":
        a, b = random.sample(graph.nodes, 2)
        if any((a, b) == edge[:2] for edge in graph.edges):
            raise NotUnique
        edges = sorted([*graph.edges, (a, b, random.randint(1, longest))])
    return graph.model_copy(update={"edges": tuple(edges)})

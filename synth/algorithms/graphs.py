"""Searches in directed graphs: breadth first, and for shortest paths by Dijkstra and by Bellman and Ford.

A step reads the edges out of the nodes that it visits and no other part of the graph. Where several nodes are equal, the one that the list of
nodes names first comes first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from math import inf
from random import Random
from typing import Annotated, ClassVar, NamedTuple, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from synth.algorithms.algorithm import Algorithm, Edit, Instance, Trace
from synth.algorithms.form import NUMBER, WORD, Form, listed, paired
from synth.records import AnswerKind

__all__ = ["BellmanFord", "Bfs", "Dijkstra", "Graph", "node_name"]

S = TypeVar("S", bound=NamedTuple)
NOT_REACHED = "-1"
"""The answer where there is no path. Questions about lengths are asked only where there is one, since lengths may be negative."""
Node = Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9]{0,3}$")]
Near = tuple[tuple[str, int], ...]
"""Nodes with their distances."""


def node_name(number: int) -> str:
    """The name of a node by its number from 0: A to Z, A1 to Z1, A2…"""
    round_, letter = divmod(number, 26)
    return f"{chr(ord('A') + letter)}{round_ or ''}"


class Graph(Instance):
    """A directed graph, and two of its nodes."""

    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=500)]
    """Names, in the order by which equals are decided."""
    edges: Annotated[tuple[tuple[str, str, int], ...], Field(max_length=5_000)]
    """From, to, length; of two nodes at most one edge each way."""
    start: str
    """From where."""
    target: str
    """To where."""

    @model_validator(mode="after")
    def _is_graph(self) -> Self:
        known = set(self.nodes)
        if len(known) < len(self.nodes) or not {self.start, self.target} <= known:
            raise ValueError("nodes named twice, or start or target is none of them")
        if any(a not in known or b not in known or a == b for a, b, _ in self.edges):
            raise ValueError("an edge to a node that there is not, or to itself")
        if len({(a, b) for a, b, _ in self.edges}) < len(self.edges):
            raise ValueError("an edge is there twice")
        return self

    def out(self, node: str) -> list[tuple[str, int]]:
        """Where the edges of a node lead, with their lengths, in the order of nodes."""
        return self.in_order((to, length) for source, to, length in self.edges if source == node)

    def in_order(self, found: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Nodes with numbers, in the order of nodes."""
        place = {node: i for i, node in enumerate(self.nodes)}
        return sorted(found, key=lambda item: (place.get(item[0], inf), item[0]))


class _OnGraphs(Algorithm[Graph, S]):
    """What searches have in common."""

    instance: ClassVar[type[Instance]] = Graph
    kind: ClassVar[AnswerKind] = "number"
    weighted: ClassVar[bool] = True
    """Whether lengths count."""

    @abstractmethod
    def visited(self, given: Graph, trace: Trace[S], done: int) -> set[str]:
        """The nodes whose edges the first `done` steps read."""

    def vary(self, given: Graph, trace: Trace[S], done: int, read: Edit, random: Random) -> Graph | None:
        """A new node behind one that the step visits first; else an edge that is longer, gone or new where no step up to it has been."""
        before, after = self.visited(given, trace, done), self.visited(given, trace, done + 1)
        new = next(name for i in range(len(given.nodes) + 1) if (name := node_name(i)) not in given.nodes)
        bigger = (*given.nodes, new)
        length = random.randint(1, 9)
        if read:
            fresh = [node for node in given.nodes if node in after - before]
            if not fresh:
                return None
            return given.model_copy(
                update={"nodes": bigger, "edges": (*given.edges, (random.choice(fresh), new, length))}
            )
        unread = [node for node in given.nodes if node not in after]
        edges = [i for i, (source, _, _) in enumerate(given.edges) if source in unread]
        ways = ["longer", "gone"] if self.weighted else ["gone"]
        how = random.choice(["behind" if unread else "before", "before", *(ways if edges else [])])
        if how in {"behind", "before"}:
            edge = (
                (random.choice(unread), new, length) if how == "behind" else (new, random.choice(given.nodes), length)
            )
            return given.model_copy(update={"nodes": bigger, "edges": (*given.edges, edge)})
        changed = list(given.edges)
        place = random.choice(edges)
        source, to, old = changed.pop(place)
        if how == "longer":
            changed.insert(place, (source, to, old + length))
        return given.model_copy(update={"edges": tuple(changed)})


class Visited(NamedTuple):
    """After a node was taken from the queue."""

    node: str
    distance: int
    queue: Near
    seen: tuple[str, ...]
    """In the order of their discovery."""


class Bfs(_OnGraphs[Visited]):
    """Breadth-first search, until the target is taken from the queue; the lengths of edges do not count."""

    name: ClassVar[str] = "bfs"
    weighted: ClassVar[bool] = False
    form: ClassVar[Form[Visited]] = Form(
        Visited, "Visit {node} at distance {distance}; queue: {queue}; seen: {seen}.", node=WORD, distance=NUMBER,
        queue=listed(paired(WORD, NUMBER)), seen=listed(WORD),
    )  # fmt: skip

    def ask(self, given: Graph) -> str:
        """The number of edges."""
        edges = ", ".join(f"{a}->{b}" for a, b, _ in given.edges)
        return (
            f"A directed graph has the edges {edges}. How many edges are on a shortest path from {given.start} to {given.target}? "
            f"If there is none, the answer is {NOT_REACHED}. Find it by breadth-first search."
        )

    def first(self, given: Graph) -> Visited:
        """The start waits."""
        return Visited("none", 0, ((given.start, 0),), (given.start,))

    def next(self, given: Graph, state: Visited) -> Visited | None:
        """Takes the first of the queue."""
        if state.node == given.target or not state.queue:
            return None
        (node, distance), *queue = state.queue
        new = [to for to, _ in given.out(node) if to not in state.seen]
        return Visited(node, distance, (*queue, *((to, distance + 1) for to in new)), (*state.seen, *new))

    def answer(self, given: Graph, last: Visited) -> str:
        """The distance of the target."""
        return str(last.distance) if last.node == given.target else NOT_REACHED

    def visited(self, given: Graph, trace: Trace[Visited], done: int) -> set[str]:  # noqa: ARG002
        """Those taken from the queue."""
        return {state.node for state in trace[:done]}


class Settled(NamedTuple):
    """After the distance of a node is known."""

    node: str
    distance: int
    settled: tuple[str, ...]
    open: Near
    """Those reached, in the order of nodes."""


class Dijkstra(_OnGraphs[Settled]):
    """Dijkstra's algorithm, until the target is settled; lengths are not negative."""

    name: ClassVar[str] = "dijkstra"
    form: ClassVar[Form[Settled]] = Form(
        Settled, "Settle {node} at {distance}; settled: {settled}; open: {open}.", node=WORD, distance=NUMBER, settled=listed(WORD),
        open=listed(paired(WORD, NUMBER)),
    )  # fmt: skip

    def ask(self, given: Graph) -> str:
        """The length."""
        return _ask(given, "Dijkstra's algorithm")

    def first(self, given: Graph) -> Settled:
        """The start is reached."""
        return Settled("none", 0, (), ((given.start, 0),))

    def next(self, given: Graph, state: Settled) -> Settled | None:
        """Settles the nearest."""
        if state.node == given.target or not state.open:
            return None
        node, distance = min(given.in_order(state.open), key=lambda item: item[1])
        settled = (*state.settled, node)
        reached = {to: far for to, far in state.open if to != node}
        for to, length in given.out(node):
            if to not in settled:
                reached[to] = min(reached.get(to, distance + length), distance + length)
        return Settled(node, distance, settled, tuple(given.in_order(reached.items())))

    def answer(self, given: Graph, last: Settled) -> str:
        """The distance of the target."""
        return str(last.distance) if last.node == given.target else NOT_REACHED

    def visited(self, given: Graph, trace: Trace[Settled], done: int) -> set[str]:  # noqa: ARG002
        """Those settled."""
        return {state.node for state in trace[:done]}


class Relaxed(NamedTuple):
    """After all edges were looked at once."""

    round: int
    improved: tuple[str, ...]
    """In this round."""
    known: Near
    """All that are reached, in the order of nodes."""


class BellmanFord(_OnGraphs[Relaxed]):
    """The algorithm of Bellman and Ford in rounds, each with the distances of the one before it; a round that improves nothing is the last.

    Lengths may be negative; there is no cycle of negative length.
    """

    name: ClassVar[str] = "bellman-ford"
    form: ClassVar[Form[Relaxed]] = Form(
        Relaxed, "Round {round} improves {improved}; known: {known}.", round=NUMBER, improved=listed(WORD),
        known=listed(paired(WORD, NUMBER)),
    )  # fmt: skip

    def ask(self, given: Graph) -> str:
        """The length."""
        return _ask(given, "the algorithm of Bellman and Ford")

    def first(self, given: Graph) -> Relaxed:
        """The start alone is known."""
        return Relaxed(0, (given.start,), ((given.start, 0),))

    def next(self, given: Graph, state: Relaxed) -> Relaxed | None:
        """Looks at all edges out of known nodes."""
        if not state.improved or not 0 <= state.round < len(given.nodes):
            return None
        before = dict(state.known)
        known = dict(before)
        for source, to, length in given.edges:
            if source in before:
                known[to] = min(known.get(to, before[source] + length), before[source] + length)
        listed_ = given.in_order(known.items())
        improved = tuple(node for node, far in listed_ if before.get(node) != far)
        return Relaxed(state.round + 1, improved, tuple(listed_))

    def answer(self, given: Graph, last: Relaxed) -> str:
        """The distance of the target."""
        return str(dict(last.known).get(given.target, NOT_REACHED))

    def visited(self, given: Graph, trace: Trace[Relaxed], done: int) -> set[str]:
        """Those known before the last of these rounds."""
        if done == 0:
            return set()
        return {given.start} if done == 1 else {node for node, _ in trace[done - 2].known}


def _ask(given: Graph, way: str) -> str:
    edges = ", ".join(f"{a}->{b} {length}" for a, b, length in given.edges)
    return (
        f"A directed graph has these edges with their lengths: {edges}. "
        f"What is the length of a shortest path from {given.start} to {given.target}? Find it by {way}."
    )

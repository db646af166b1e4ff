"""Layouts of charts: where each bar and each node stands. Templates draw them as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

__all__ = ["Bar", "Histogram", "Leaf", "Tree", "Visit", "histogram", "tree_of"]

BINS = 24


class Bar(NamedTuple):
    """One bin: from, to, and how many of each kind."""

    low: float
    high: float
    counts: tuple[int, ...]


class Histogram(NamedTuple):
    """A distribution: bins of equal width, or one a value where there are few."""

    bars: tuple[Bar, ...]
    kinds: tuple[str, ...]
    """What the counts of a bar are of."""
    n: int
    most: int
    """The highest bar, all kinds together."""
    median: float | None
    discrete: bool
    """Whether each bar is one value."""


def histogram(rows: Iterable[tuple[float, str, int]], kinds: Sequence[str], bins: int = BINS) -> Histogram:
    """The distribution of values that come with how often they are there.

    Args:
        rows: value, kind, how many; a value may come again.
        kinds: the kinds in the order in which they are stacked.
        bins: most bars.
    """
    some = sorted((float(v), k, n) for v, k, n in rows if isfinite(v))
    total = sum(n for *_, n in some)
    values = sorted({v for v, *_ in some})
    if not values:
        return Histogram((), tuple(kinds), 0, 0, None, True)
    low, high = values[0], values[-1]
    width = (high - low) / bins
    discrete = len(values) <= min(bins, 12) or width == 0
    if discrete:
        places = {v: i for i, v in enumerate(values)}
        edges = [(v, v) for v in values]
    else:
        places = {v: min(int((v - low) / width), bins - 1) for v in values}
        edges = [(low + i * width, low + (i + 1) * width) for i in range(bins)]
    counts = [[0] * len(kinds) for _ in edges]
    order = {kind: i for i, kind in enumerate(kinds)}
    median, seen = None, 0
    for value, kind, n in some:
        counts[places[value]][order[kind]] += n
        seen += n
        if median is None and seen * 2 >= total:
            median = value
    bars = tuple(Bar(*edge, tuple(c)) for edge, c in zip(edges, counts, strict=True))
    return Histogram(bars, tuple(kinds), total, max(sum(c) for c in counts), median, discrete)


class Leaf(NamedTuple):
    """A node of a drawn tree: what it is and where it stands, in rows and columns."""

    node: Mapping[str, Any]
    x: int
    y: float
    above: tuple[int, float] | None
    verbalized: bool
    """Whether a rationale verbalizes its path."""


class Visit(NamedTuple):
    """One moment of a walk through a tree: a node begins, or the one begun last ends."""

    node: Mapping[str, Any] | None
    """The node that begins; None where one ends."""
    ends: bool
    """Whether nothing is below it."""


class Tree(NamedTuple):
    """A thought tree, laid out."""

    leaves: tuple[Leaf, ...]
    rows: float
    depth: int
    visits: tuple[Visit, ...]
    """The same from top to bottom; not nested, for a tree of a model's making may be as deep as it likes."""


def tree_of(nodes: Sequence[Mapping[str, Any]], verbalized: Iterable[str] = ()) -> Tree:
    """Nodes in a tidy left-to-right layout: ends one row apart, each node amid those below it.

    Args:
        nodes: rows of the table `nodes`, of one problem; one whose parent is not among them is a root.
        verbalized: ids of leaves whose path a rationale verbalizes; these paths are marked.
    """
    known = {n["id"]: n for n in nodes}
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for node in nodes:
        parent = node["parent"] if node["parent"] in known and node["parent"] != node["id"] else None
        below.setdefault(parent, []).append(node)
    marked: set[str] = set()
    for leaf in verbalized:
        at: str | None = leaf
        while at is not None and at in known and at not in marked:
            marked.add(at)
            at = known[at]["parent"]
    places: dict[str, tuple[int, float]] = {}
    visits: list[Visit] = []
    order: list[Mapping[str, Any]] = []
    row = 0.0
    todo: list[tuple[Mapping[str, Any], int, bool]] = [(r, 0, False) for r in reversed(below.get(None, []))]
    while todo:
        node, depth, after = todo.pop()
        mine = below.get(node["id"], [])
        if not after:
            visits.append(Visit(node, not mine))
            todo.append((node, depth, True))
            todo += [(b, depth + 1, False) for b in reversed(mine)]
            continue
        visits.append(Visit(None, not mine))
        if mine:
            y = sum(places[b["id"]][1] for b in mine) / len(mine)
        else:
            y, row = row, row + 1
        places[node["id"]] = (depth, y)
        order.append(node)
    leaves = tuple(
        Leaf(n, *places[n["id"]], places.get(n["parent"]) if n["parent"] != n["id"] else None, n["id"] in marked)
        for n in order
    )
    return Tree(leaves, row, max((depth for depth, _ in places.values()), default=0), tuple(visits))

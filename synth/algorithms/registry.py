"""All algorithms by name, and the one that a problem is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth.algorithms.algorithm import Algorithm, Instance
from synth.algorithms.arithmetic import Columns
from synth.algorithms.graphs import BellmanFord, Bfs, Dijkstra
from synth.algorithms.searching import BinarySearch
from synth.algorithms.sequences import Automaton, Brackets, Parity, Permutation
from synth.algorithms.sorting import BubbleSort, InsertionSort, MergeSort
from synth.algorithms.symbolic import WordChain

__all__ = ["ALGORITHMS", "algorithm_in"]

_ALL: tuple[Algorithm[Any, Any], ...] = (
    Automaton(), BellmanFord(), Bfs(), BinarySearch(), Brackets(), BubbleSort(), Columns(), Dijkstra(), InsertionSort(), MergeSort(),
    Parity(), Permutation(), WordChain(),
)  # fmt: skip
ALGORITHMS: Mapping[str, Algorithm[Any, Any]] = {algorithm.name: algorithm for algorithm in _ALL}
"""Every algorithm by its name."""


def algorithm_in(meta: Mapping[str, Any]) -> tuple[Algorithm[Any, Any], Instance] | None:
    """The algorithm and the instance that the `meta` of a problem holds; None where it holds none, or not a valid one."""
    name, data = meta.get("algorithm"), meta.get("instance")
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is None or not isinstance(data, Mapping):
        return None
    given = algorithm.read_instance(data)
    return None if given is None else (algorithm, given)

"""Edits that a step does not read leave it as it is, and edits that it reads change it: by execution of both (arXiv:2302.10258)."""

from __future__ import annotations

from itertools import permutations, product
from random import Random

import pytest

from synth.algorithms import (
    Automaton,
    BellmanFord,
    Bfs,
    BinarySearch,
    Brackets,
    Calculation,
    Chain,
    Columns,
    Dfa,
    Dijkstra,
    Graph,
    InsertionSort,
    Numbers,
    Parity,
    Permutation,
    Signs,
    Sorted,
    Swaps,
    Unsorted,
    WordChain,
    algorithm_in,
)
from synth.generators import generator_of, made_rows


def check(algorithm, instance, random: Random, draws: int = 6) -> tuple[int, int]:
    """Counts the edits at every step that it does not read, and that it reads; each is checked by running the algorithm on both."""
    trace, lines = algorithm.trace(instance), algorithm.lines(instance)
    same = changed = 0
    for done in range(len(trace)):
        for _ in range(draws):
            far = algorithm.vary(instance, trace, done, False, random)
            if far is not None:
                assert algorithm.read_instance(far.model_dump(mode="json")) == far
                assert algorithm.ask(far) != algorithm.ask(instance)
                assert algorithm.lines(far)[: done + 1] == lines[: done + 1]
                same += 1
            near = algorithm.vary(instance, trace, done, True, random)
            if near is not None:
                assert algorithm.read_instance(near.model_dump(mode="json")) == near
                other = algorithm.lines(near)
                assert other[:done] == lines[:done]
                assert other[done : done + 1] != lines[done : done + 1]
                changed += 1
    return same, changed


def graphs(size: int):
    """Every directed graph of so many nodes, with lengths that differ; of four and five nodes a sample by hash."""
    names = tuple("ABCDE"[:size])
    pairs = [(a, b) for a in names for b in names if a != b]
    for number, there in enumerate(product([False, True], repeat=len(pairs)) if size < 5 else _some(len(pairs))):
        if size == 4 and number % 7:
            continue
        edges = tuple((a, b, 1 + 3 * i % 7) for i, (a, b) in enumerate(pairs) if there[i])
        yield Graph(nodes=names, edges=edges, start="A", target=names[-1])


def _some(bits: int):
    random = Random(0)
    return ([random.random() < 0.35 for _ in range(bits)] for _ in range(400))


SMALL = {
    "insertion sort": (InsertionSort(), lambda n: (Unsorted(numbers=p) for p in (product(range(n), repeat=n) if n < 5 else permutations(range(n))))),
    "binary search": (
        BinarySearch(),
        lambda n: (Sorted(numbers=tuple(range(3, 4 * n + 3, 4)), target=t) for t in range(2, 4 * n + 4)),
    ),
    "parity": (Parity(), lambda n: (Numbers(modulus=3, numbers=p) for p in product(range(3), repeat=n))),
    "brackets": (Brackets(), lambda n: (Signs(signs=p, kinds=2) for p in product("()[]", repeat=n))),
    "automaton": (
        Automaton(),
        lambda n: (
            Dfa(table={"S": {"a": x, "b": y}, "T": {"a": y, "b": "S"}}, start="S", word="".join(w))
            for x, y in product("ST", repeat=2)
            for w in product("ab", repeat=n)
        ),
    ),
    "permutation": (
        Permutation(),
        lambda n: (Swaps(size=3, swaps=s, place=1) for s in product([(1, 2), (1, 3), (2, 3)], repeat=n)),
    ),
    "word chain": (
        WordChain(),
        lambda n: (Chain(words=("abcd", "efgh", "ijkl"), parents=p) for p in product(permutations((1, 2, 3), 2), repeat=min(n, 3))),
    ),
    "columns": (
        Columns(),
        lambda n: (Calculation(base=3, begin="21", operations=o) for o in product([("+", "12"), ("*", "2"), ("-", "1")], repeat=min(n, 4))),
    ),
    "bfs": (Bfs(), graphs),
    "dijkstra": (Dijkstra(), graphs),
    "bellman-ford": (BellmanFord(), graphs),
}  # fmt: skip


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("name", SMALL)
def test_every_step_of_every_small_instance(name: str, size: int):
    """Up to five items or nodes: at each step, next steps are the same or another as the edit says, and there are edits of both sorts."""
    algorithm, instances = SMALL[name]
    random = Random(size)
    same = changed = 0
    for instance in instances(size):
        more = check(algorithm, instance, random, draws=2)
        same, changed = same + more[0], changed + more[1]
    assert changed > 0 or (name == "bellman-ford" and size == 1)
    assert same > 0 or (name == "binary search" and size == 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sort", {"numbers": "6-50"}),
        ("binary_search", {"numbers": "6-50"}),
        ("parity", {"length": "6-50", "modulus": 7}),
        ("brackets", {"pairs": "3-25"}),
        ("automaton", {"length": "6-50"}),
        ("permutation", {"swaps": "6-50"}),
        ("symbolic", {"chain": "1-6"}),
        ("arithmetic", {"digits": "1-6", "operations": "1-6", "signs": "all", "base": 7}),
        ("bfs", {"nodes": "6-50"}),
        ("shortest_path", {"nodes": "6-50"}),
        ("shortest_path", {"nodes": "6-50", "method": "bellman-ford"}),
        ("shortest_path", {"nodes": "6-50", "method": "bellman-ford", "negative": True}),
    ],
)
def test_every_step_of_larger_instances(name: str, options: dict):
    """Up to fifty items or nodes, drawn."""
    random = Random(name)
    for row in made_rows(generator_of(name, {**options, "size": 45})):
        same, changed = check(*algorithm_in(row), random, draws=1)
        assert same + changed > 0

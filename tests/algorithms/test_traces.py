"""Algorithms against other ways to the same answer, their lines read back, and that a step needs no more than the line before it."""

from __future__ import annotations

import operator
import re
from collections import deque
from itertools import product
from math import inf
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from synth.algorithms import (
    ALGORITHMS,
    Automaton,
    BellmanFord,
    Bfs,
    BinarySearch,
    Brackets,
    BubbleSort,
    Calculation,
    Columns,
    Dfa,
    Dijkstra,
    Graph,
    InsertionSort,
    MergeSort,
    Numbers,
    Parity,
    Permutation,
    Signs,
    Sorted,
    Swaps,
    Unsorted,
    algorithm_in,
    in_base,
)
from synth.generators import all_generators, generator_of, made_rows

TRACED = {
    "arithmetic": "base=2-36&signs=all&digits=1-3", "automaton": "", "bfs": "", "binary_search": "", "brackets": "", "parity": "modulus=2-9",
    "permutation": "", "shortest_path": "", "shortest_path ": "method=bellman-ford&negative=true", "sort": "", "sort ": "method=bubble",
    "sort  ": "method=merge", "symbolic": "letters=5-8", "symbolic ": "examples=8&rule=hidden&chain=2",
}  # fmt: skip
"""Every generator with a trace, some in several ways."""


def rows_of(name: str, **more) -> list[dict]:
    """Rows of one of them."""
    options = dict(pair.split("=") for pair in TRACED[name].split("&") if pair)
    return list(made_rows(generator_of(name.strip(), {**options, **more})))


def test_all_traced_generators_are_here():
    """A new generator with a trace is tested too."""
    assert {name.strip() for name in TRACED} == {
        name for name, kind in all_generators().items() if "form" in next(made_rows(kind()))
    }


@pytest.mark.parametrize("name", TRACED)
def test_a_line_is_read_back_without_loss_and_is_all_the_next_step_needs(name: str):
    """State to line to state; the trace is the chain of `next` over states that were read from lines; the last says the answer."""
    for row in rows_of(name, size=40):
        algorithm, instance = algorithm_in(row)
        *lines, statement = row["reference_solution"].splitlines()
        state = algorithm.first(instance)
        for line in lines:
            read = algorithm.form.read(line)
            assert read == algorithm.next(instance, state)
            assert algorithm.form.say(read) == line
            assert algorithm.form.read(f"  Step 3:  {line.removesuffix('.')}") == read
            state = read
        assert algorithm.next(instance, state) is None
        assert statement == f"The answer is {algorithm.answer(instance, state)}."
        assert row["difficulty"] == len(lines)
        assert algorithm.read_instance(row["instance"]) == instance


@given(st.sampled_from(sorted(ALGORITHMS)), st.text(max_size=60))
@settings(deadline=None)
def test_other_lines_are_not_read(name: str, text: str):
    """No text raises; what is read is written as it was read."""
    form = ALGORITHMS[name].form
    state = form.read(text)
    assert state is None or form.read(form.say(state)) == state


def test_a_line_without_end_is_not_read():
    """A line of a true form, but of 30,000 letters."""
    numbers = tuple(range(10**9, 10**9 + 2_500))
    form = InsertionSort.form
    line = form.say(
        InsertionSort()
        .after(Unsorted(numbers=(1,)), InsertionSort().first(Unsorted(numbers=(1,))), 1)
        ._replace(sorted=numbers)
    )
    assert len(line) > 20_000
    assert form.read(line) is None
    assert form.read(form.say(form.read("Insert number 1, 5: 5.")._replace(sorted=numbers[:1_000]))) is not None


@pytest.mark.parametrize("length", range(1, 9))
def test_parity_brackets_and_sorts_of_all_short_sequences(length: int):
    """Exhaustive: counting bits, removing pairs, and Python's own sort say the same."""
    for bits in product(range(2), repeat=length):
        assert Parity().solve(Numbers(modulus=2, numbers=bits)) == str(sum(bits) % 2)
    for signs in product("()[]", repeat=min(length, 6)):
        text = "".join(signs)
        while text != (text := re.sub(r"\(\)|\[\]", "", text)):
            pass
        assert Brackets().solve(Signs(signs=signs)) == ("no" if text else "yes")
    for numbers in product(range(min(length, 5)), repeat=min(length, 5)) if length < 6 else ():
        expected = str(sorted(numbers))
        for sort in (InsertionSort(), *([BubbleSort(), MergeSort()] if len(numbers) > 1 else [])):
            assert sort.solve(Unsorted(numbers=numbers)) == expected, sort.name


def test_bubble_sort_compares_as_often_as_it_should():
    """N - 1 comparisons of sorted numbers; n (n - 1) / 2 of reversed ones; merge sort of n numbers takes n - 1 merges."""
    for n in range(2, 30):
        up, down = Unsorted(numbers=tuple(range(n))), Unsorted(numbers=tuple(reversed(range(n))))
        assert len(BubbleSort().lines(up)) == n - 1
        assert len(BubbleSort().lines(down)) == n * (n - 1) // 2
        assert len(MergeSort().lines(down)) == n - 1


def test_automata_and_swaps_of_all_short_words():
    """A table of the three remainders of binary numbers; swaps composed as functions."""
    states = ("R0", "R1", "R2")
    table = {
        state: {d: states[(2 * i + int(v)) % 3] for d, v in (("a", 0), ("b", 1))} for i, state in enumerate(states)
    }
    for length in range(1, 9):
        for word in map("".join, product("ab", repeat=length)):
            value = int(word.replace("a", "0").replace("b", "1"), 2)
            assert Automaton().solve(Dfa(table=table, start="R0", word=word)) == states[value % 3]
    for swaps in product([(1, 2), (1, 3), (2, 3)], repeat=4):
        for place in (1, 2, 3):
            ball = place  # backwards: from where did it come
            for a, b in reversed(swaps):
                ball = {a: b, b: a}.get(ball, ball)
            assert Permutation().solve(Swaps(size=3, swaps=swaps, place=place)) == str(ball)


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=50, unique=True).map(sorted), st.integers(-99, 99))
def test_binary_search_finds_what_is_there_in_as_few_steps_as_it_should(numbers: list[int], target: int):
    """The place by a look at all, and at most floor(log2 n) + 1 steps."""
    search, instance = BinarySearch(), Sorted(numbers=tuple(numbers), target=target)
    assert search.solve(instance) == str(numbers.index(target) + 1 if target in numbers else 0)
    assert len(search.lines(instance)) <= len(numbers).bit_length()


@given(
    st.integers(2, 36),
    st.integers(0, 10**6),
    st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 10**6)), min_size=1, max_size=6),
)
@settings(deadline=None)
def test_columns_give_what_python_calculates(base: int, begin: int, drawn: list[tuple[str, int]]):
    """Any base, carries and borrowings."""
    value, operations = begin, []
    by_sign = {"+": operator.add, "-": operator.sub, "*": operator.mul}
    for sign, drawn_number in drawn:
        number = drawn_number % base if sign == "*" else min(drawn_number, value) if sign == "-" else drawn_number
        value = by_sign[sign](value, number)
        operations.append((sign, in_base(number, base)))
    instance = Calculation(base=base, begin=in_base(begin, base), operations=tuple(operations))
    assert int(Columns().solve(instance), base) == value == instance.results()[-1]
    assert Columns().solve(instance) == in_base(value, base)


def floyd_warshall(graph: Graph) -> dict[tuple[str, str], float]:
    """All distances, by an algorithm that none of ours resembles."""
    far = {(a, b): 0 if a == b else inf for a in graph.nodes for b in graph.nodes}
    far.update({(a, b): length for a, b, length in graph.edges})
    for k in graph.nodes:
        for a in graph.nodes:
            for b in graph.nodes:
                far[a, b] = min(far[a, b], far[a, k] + far[k, b])
    return far


@pytest.mark.parametrize("options", ["", "method=bellman-ford", "method=bellman-ford&negative=true"])
@pytest.mark.parametrize("nodes", [2, 3, 5, 8, 20])
def test_shortest_paths_agree_with_another_algorithm(options: str, nodes: int):
    """Floyd and Warshall's distances, also with negative lengths."""
    given_ = dict(pair.split("=") for pair in options.split("&") if pair)
    for row in made_rows(generator_of("shortest_path", {**given_, "size": 25, "nodes": nodes, "longest": 99})):
        graph = Graph.model_validate(row["instance"])
        assert int(row["answer"]) == floyd_warshall(graph)[graph.start, graph.target]
        if not given_.get("negative"):
            assert Dijkstra().solve(graph) == BellmanFord().solve(graph) == row["answer"]


@pytest.mark.parametrize("size", range(2, 4))
def test_breadth_first_search_of_all_small_graphs(size: int):
    """Every directed graph of two or three nodes: the least number of edges, or -1."""
    names = "ABC"[:size]
    pairs = [(a, b) for a in names for b in names if a != b]
    for there in product([False, True], repeat=len(pairs)):
        edges = tuple((a, b, 1) for (a, b), is_there in zip(pairs, there, strict=True) if is_there)
        graph = Graph(nodes=tuple(names), edges=edges, start="A", target=names[-1])
        far = floyd_warshall(graph)["A", names[-1]]
        assert Bfs().solve(graph) == (str(far) if far < inf else "-1")
        queue: deque[str] = deque(["A"])
        order: list[str] = []
        while queue and names[-1] not in order:
            node = queue.popleft()
            order.append(node)
            queue.extend(b for a, b, _ in edges if a == node and b not in order and b not in queue)
        assert [Bfs().form.read(line).node for line in Bfs().lines(graph)] == order


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bfs", {"nodes": ["A"], "edges": [["A", "Z", 1]], "start": "A", "target": "A"}),
        ("bfs", {"nodes": ["A", "A"], "edges": [], "start": "A", "target": "A"}),
        ("dijkstra", {"nodes": ["A", "B"], "edges": [["A", "B", 1], ["A", "B", 2]], "start": "A", "target": "B"}),
        ("automaton", {"table": {"S": {"a": "T"}}, "start": "S", "word": "a"}),
        ("permutation", {"size": 3, "swaps": [[1, 4]], "place": 1}),
        ("permutation", {"size": 3, "swaps": [[1, 2]], "place": 9}),
        ("binary search", {"numbers": [3, 2], "target": 2}),
        ("columns", {"base": 2, "begin": "12", "operations": [["+", "1"]]}),
        ("columns", {"base": 10, "begin": "1", "operations": [["-", "2"]]}),
        ("columns", {"base": 10, "begin": "1", "operations": [["*", "22"]]}),
        ("word chain", {"words": ["ab"], "parents": [[2]]}),
        ("parity", {"modulus": 2}),
        ("parity", [1]),
        ("no such algorithm", {}),
        (["parity"], {}),
    ],
)
def test_what_is_no_instance_is_passed_over(name, data):
    """Data of others: neither an error nor an instance."""
    assert algorithm_in({"algorithm": name, "instance": data}) is None


@pytest.mark.parametrize("name", TRACED)
def test_states_of_other_instances_lead_nowhere_or_on_but_raise_nothing(name: str):
    """A stated line may be of any instance: the next step of this one is a state or None."""
    rows = [algorithm_in(row) for row in rows_of(name, size=12)]
    random = Random(1)
    for algorithm, instance in rows:
        _, other = random.choice(rows)
        for state in algorithm.trace(other):
            after = algorithm.next(instance, state)
            assert after is None or algorithm.form.read(algorithm.form.say(after)) == after

"""`check_steps` with `trace`: every true step is right, every misread one is wrong, and in doubt nothing is said."""

from __future__ import annotations

from random import Random

import pytest

from synth.algorithms import algorithm_in
from synth.generators import generator_of, made_rows
from synth.verify import trace_claims

META = {"algorithm": "parity", "instance": {"modulus": 2, "numbers": [1, 0, 1, 1]}}
LINES = [
    "Number 1 is 1: the sum is 1.",
    "Number 2 is 0: the sum is 1.",
    "Number 3 is 1: the sum is 0.",
    "Number 4 is 1: the sum is 1.",
]
ALL = [
    ("arithmetic", {"signs": "all", "base": "2-36"}),
    ("automaton", {}),
    ("bfs", {}),
    ("binary_search", {}),
    ("brackets", {}),
    ("parity", {"modulus": 7}),
    ("permutation", {}),
    ("shortest_path", {}),
    ("shortest_path", {"method": "bellman-ford"}),
    ("sort", {}),
    ("symbolic", {}),
]


def labels(lines: list[str], meta: dict = META) -> list[bool | None]:
    """Of each line what the checker says; None also where it says nothing."""
    found = [trace_claims(line, meta, lines[:i]) for i, line in enumerate(lines)]
    return [claims[0].holds if claims else None for claims in found]


@pytest.mark.parametrize(("name", "options"), ALL)
def test_planted_errors_are_found_and_nothing_else(name: str, options: dict):
    """A step misread with probability 0.2, and true steps from wherever that leads: the labels are those that were planted."""
    random = Random(name)
    planted_errors = 0
    for row in made_rows(generator_of(name, {**options, "size": 40})):
        algorithm, instance = algorithm_in(row)
        trace, state = algorithm.trace(instance), algorithm.first(instance)
        lines, planted = [], []
        while (true := algorithm.next(instance, state)) is not None and len(lines) < 50:
            wrong = algorithm.misread(instance, trace, state, random) if random.random() < 0.2 else None
            state = true if wrong is None else wrong
            lines.append(algorithm.form.say(state))
            planted.append(wrong is None)
        assert labels(lines, row) == planted
        planted_errors += planted.count(False)
    assert planted_errors >= 10


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (LINES, [True] * 4),
        (["Let me add them.", *LINES], [None, True, True, True, True]),
        ([f"Step {i}: {line}" for i, line in enumerate(LINES, 1)], [True] * 4),
        ([LINES[0], "Number 2 is 0: the sum is 0.", "Number 3 is 1: the sum is 1."], [True, False, True]),
        ([LINES[0], "Number 2 is nothing: so it stays.", LINES[3]], [True, None, None]),
        ([LINES[0], LINES[2]], [True, False]),
        ([*LINES, "Number 5 is 1: the sum is 0."], [True, True, True, True, None]),
        (["number 1 is 1, the sum is 1"], [None]),
        ([], []),
    ],
)
def test_what_is_said_of_a_line(lines: list[str], expected: list[bool | None]):
    """A wrong step is wrong alone; after a line that begins as a step and cannot be read, and after the end, nothing is decided."""
    assert labels(lines) == expected


def test_a_wrong_step_has_its_correction():
    """The correction is the line that would hold."""
    (claim,) = trace_claims("Number 1 is 1: the sum is 0.", META, [])
    assert (claim.holds, claim.correction) == (False, LINES[0])
    assert claim.reason == f"the next step is: {LINES[0]}"


@pytest.mark.parametrize(
    "meta", [{}, {"algorithm": "parity"}, {**META, "instance": {"modulus": 0}}, {**META, "algorithm": 3}]
)
def test_problems_without_an_instance_have_no_claims(meta: dict):
    """Data of others: neither an error nor a claim."""
    assert trace_claims(LINES[0], meta, []) == []

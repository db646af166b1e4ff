"""Knights and knaves (arXiv:2502.14768): exactly one solution, proofs whose every line follows, and the published puzzles."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from itertools import permutations, product
from math import sqrt
from pathlib import Path
from random import Random

import pytest

from synth.errors import InputError
from synth.generators import generator_of, made_rows
from synth.generators.cases import prove
from synth.generators.knights import solutions
from synth.generators.logic import worlds_of


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("knights", options)))


def true(statement: Sequence, roles: Sequence[bool]) -> bool:
    """Whether a statement holds, by its definition."""
    sign, *parts = statement
    if sign == "telling-truth":
        return roles[parts[0]]
    if sign == "lying":
        return not roles[parts[0]]
    values = [true(part, roles) for part in parts]
    return {
        "not": lambda: not values[0],
        "and": lambda: all(values),
        "or": lambda: any(values),
        "->": lambda: not values[0] or values[1],
        "<=>": lambda: values[0] == values[1],
    }[sign]()


def brute(statements: Sequence) -> list[list[bool]]:
    """All assignments, one after the other."""
    return [
        list(roles)
        for roles in product((True, False), repeat=len(statements))
        if all(true(s, roles) is role for s, role in zip(statements, roles, strict=True))
    ]


@pytest.mark.parametrize(
    "options", [{"people": "2-6", "size": 200}, {"people": 3, "depth": 3, "width": 3, "size": 100}]
)
def test_a_puzzle_has_exactly_one_solution(options: dict):
    """Trying all assignments finds the one of the answer and no other; no statements come twice."""
    made = rows(**options)
    for row in made:
        assert brute(row["statements"]) == solutions(row["statements"]) == [row["knights"]]
        roles = {name: "knight" if is_ else "knave" for name, is_ in zip(row["names"], row["knights"], strict=True)}
        assert json.loads(row["answer"]) == roles
        assert row["difficulty"] == len(row["names"]) == len(set(row["names"]))
    assert len({json.dumps(row["statements"]) for row in made}) == len(made)


def test_nobody_says_i_am_a_knave():
    """Such a statement has no solution, so nobody says it, also not within another statement."""
    for row in rows(people="2-4", size=300, depth=3):
        assert not any(f'["lying", {who}]' in json.dumps(said) for who, said in enumerate(row["statements"]))


def test_a_small_world_is_used_up():
    """Of two people all puzzles with one solution are found, and one more is refused with their number; those who name one person have none."""

    def said(who: int) -> list[list]:
        leaves = [[sign, i] for sign in ("telling-truth", "lying") for i in (0, 1) if [sign, i] != ["lying", who]]
        pairs = [[sign, *both] for sign in ("and", "or", "->", "<=>") for both in permutations(leaves, 2)]
        return [*leaves, *(["not", leaf] for leaf in leaves), *pairs]

    unique = sum(len(brute(both)) == 1 for both in product(said(0), said(1)))
    made = rows(people=2, size=unique)
    assert len({json.dumps(row["statements"]) for row in made}) == unique
    with pytest.raises(InputError, match=f"{unique} distinct problems with people=2 were found"):
        rows(people=2, size=unique + 1)
    with pytest.raises(InputError, match=r"^make:knights: 0 distinct problems .*\n  → ask for larger problems"):
        rows(people=2, depth=1)


def plain(said: Sequence) -> tuple:
    sign, *parts = said
    if sign in {"telling-truth", "lying"}:
        leaf = ("is", parts[0])
        return leaf if sign == "telling-truth" else ("not", leaf)
    return (sign, *map(plain, parts))


@pytest.mark.parametrize("people", [3, 5, 8])
def test_each_line_of_a_solution_follows(people: int):
    """A line follows from one statement and from what earlier lines of its case say; a case ends where nothing fits any more."""
    for row in rows(people=people, size=60):
        n = people
        constraints = [worlds_of(("<=>", ("is", who), plain(said)), n) for who, said in enumerate(row["statements"])]
        about = [sorted({who, *_people(said)}) for who, said in enumerate(row["statements"])]
        lines = prove(constraints, about, n)
        known: dict[tuple, dict[int, bool]] = {(): {}}  # what is known in each case
        open_case: tuple = ()
        closed = False
        for line in lines:
            if line.kind == "suppose":
                assert line.assumed[:-1] == open_case
                open_case = line.assumed
                known[open_case] = {**known[open_case[:-1]], line.thing: line.value}
                continue
            if line.kind == "so":
                assert open_case == (*line.assumed, (line.thing, not line.value))
                assert closed
                open_case = line.assumed
                known[open_case][line.thing] = line.value
                continue
            assert line.assumed == open_case
            assert line.known.items() <= known[open_case].items()
            fits = [
                roles
                for roles in product((True, False), repeat=n)
                if all(roles[i] is value for i, value in line.known.items())
                and true(row["statements"][line.by], roles) is roles[line.by]
            ]
            closed = line.kind == "clash"
            if closed:
                assert not fits
            else:
                assert fits
                assert {roles[line.thing] for roles in fits} == {line.value}
                known[open_case][line.thing] = line.value
        assert open_case == ()
        assert [known[()][i] for i in range(n)] == row["knights"]
        assert len(row["reference_solution"].splitlines()) == len(lines) + 2
        assert row["cases"] == sum(line.kind == "suppose" for line in lines)


def _people(said: Sequence) -> list[int]:
    sign, *parts = said
    return list(parts) if sign in {"telling-truth", "lying"} else [i for part in parts for i in _people(part)]


def test_permuting_people_permutes_the_solution():
    """The order in which people are listed has no influence on who is what, nor on there being one solution."""
    random = Random(3)
    for row in rows(people="3-6", size=100):
        n = len(row["names"])
        new = random.sample(range(n), n)  # person i becomes person new[i]

        def moved(said: Sequence, new: list[int] = new) -> list:
            sign, *parts = said
            return (
                [sign, new[parts[0]]] if sign in {"telling-truth", "lying"} else [sign, *(moved(p, new) for p in parts)]
            )

        statements = [moved(row["statements"][new.index(who)]) for who in range(n)]
        assert solutions(statements) == [[row["knights"][new.index(who)] for who in range(n)]]


def test_a_random_answerer_is_right_with_probability_two_to_the_minus_n():
    """Roles are not given away by their share: guessing them is right as often as chance says, within three standard errors."""
    random = Random(5)
    for people in (2, 3, 4):
        made = rows(people=people, size=200)
        hits = sum([random.random() < 0.5 for _ in range(people)] == row["knights"] for row in made for _ in range(20))
        share, chance = hits / (20 * len(made)), 2**-people
        assert abs(share - chance) < 3 * sqrt(chance * (1 - chance) / (20 * len(made)))


def test_twins_of_puzzles():
    """One twin reports the same statements in another way; of the other one person says something else, and somebody has another role."""
    made = rows(people="3-6", size=60, twins="both")
    for puzzle, same, changed in zip(made[::3], made[1::3], made[2::3], strict=True):
        assert same["statements"] == puzzle["statements"]
        assert same["question"] != puzzle["question"]
        assert changed["names"] == puzzle["names"]
        assert sum(a != b for a, b in zip(changed["statements"], puzzle["statements"], strict=True)) == 1
        assert changed["knights"] != puzzle["knights"]
        assert brute(changed["statements"]) == [changed["knights"]]


@pytest.mark.data
def test_published_puzzles_have_the_published_solution(data: Path):
    """The solver finds exactly one solution of each published puzzle, and it is theirs."""
    published = [json.loads(line) for line in (data / "knights_knaves.jsonl").read_text().splitlines()]
    assert len(published) == 225
    statements = [ast.literal_eval(row["statements"]) for row in published]
    assert [solutions(s) for s in statements] == [[row["solution"]] for row in published]
    assert len(set(statements)) == 225

"""Facts and rules: the answer by trying all worlds, chains of the wanted length, and the two worlds where nothing follows."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from math import sqrt

import pytest

from synth.generators import generator_of, made_rows


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("deduction", options)))


def worlds(row: dict) -> list[dict[str, bool]]:
    """All worlds that fit the facts and rules, over the traits that they name."""
    traits = sorted({row["asked"], *row["facts"], *(t for r in row["rules"] for t in [*r["given"], r["trait"]])})
    free = [t for t in traits if t not in row["facts"]]
    found = []
    for values in product((False, True), repeat=len(free)):
        world = dict.fromkeys(row["facts"], True) | dict(zip(free, values, strict=True))
        if all(world[r["trait"]] is r["value"] or not all(world[t] for t in r["given"]) for r in row["rules"]):
            found.append(world)
    return found


@pytest.mark.parametrize("steps", ["1-2", "3-4"])
def test_the_answer_is_what_holds_in_every_world(steps: str):
    """Trying all worlds gives the answer: yes or no where all agree, else neither."""
    for row in rows(steps=steps, distractors="0-3", size=120, twins="both"):
        answers = {world[row["asked"]] for world in worlds(row)}
        assert {frozenset({True}): "A", frozenset({False}): "B", frozenset({True, False}): "C"}[
            frozenset(answers)
        ] == row["answer"]


def test_each_line_of_a_chain_follows():
    """A step names traits that are known, and a rule of the problem; it never says what is not so in every world."""
    line = re.compile(r"(\w+) is ([\w ]+), and everyone who is ([\w ]+) is (not )?(\w+), so \1 is (not )?(\w+)\.")
    for row in rows(steps="1-4", size=120):
        known = set(row["facts"])
        lines = row["reference_solution"].splitlines()
        for one in lines[: len(lines) - (5 if row["answer"] == "C" else 1)]:
            _, given, again, no, trait, so_no, so = line.fullmatch(one).groups()
            assert (given, no, trait) == (again, so_no, so)
            assert set(given.split(" and ")) <= known
            assert {"given": given.split(" and "), "trait": trait, "value": no is None} in row["rules"]
            if no is None:
                known.add(trait)
        if row["answer"] != "C":
            assert len(lines) - 1 >= row["steps"] == row["difficulty"]


def test_where_nothing_follows_two_worlds_show_it():
    """The worlds of the solution fit every fact and rule, and differ in what is asked."""
    for row in [r for r in rows(steps="1-4", size=120) if r["answer"] == "C"]:
        shown = row["reference_solution"].splitlines()[-4:-2]
        said = [re.search(r"holds where \w+ (?:has none|is ([\w, ]+) and has none)", one)[1] for one in shown]
        has = [set(one.split(", ")) if one else set() for one in said]
        for world in has:
            assert set(row["facts"]) <= world
            assert all((r["trait"] in world) is r["value"] or not set(r["given"]) <= world for r in row["rules"])
        assert [row["asked"] in world for world in has] == [True, False]


def test_the_three_answers_are_about_equally_frequent():
    """A constant answer is right in at most two fifths of the problems."""
    counted = Counter(row["answer"] for row in rows(steps="1-4", distractors="0-6", size=600))
    assert all(abs(counted[letter] / 600 - 1 / 3) < 0.06 + 3 * sqrt(2 / 9 / 600) for letter in "ABC")

"""The reward of routes (arXiv:2510.02240): known routes, partial credit that grows with right parts, and bounds."""

from __future__ import annotations

from random import Random

import pytest

from synth.generators import generator_of, made_rows
from synth.generators.network import lines_of
from synth.generators.transit import route_text
from synth.rewards import by_column, route
from synth.rewards.route import legs_in
from synth.sources import open_source


def rewarded(row: dict, said: str, **more) -> float:
    args = {**row["reward_function"]["args"], **more}
    (value,) = route([said], answer=[row["answer"]], answer_kind=[row["answer_kind"]], **args)
    return value


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("transit", {"reward": "route", **options})))


def test_known_routes_have_known_rewards():
    """A right route without a change has 13 W; with changes the weight is 0.5 more and the detail 2 + 3 a part + 1 a change, at most 10."""
    made = rows(lines="2-6", stage=3, size=120)
    seen = set()
    for row in made:
        changes, weight = row["transfers"], row["weight"]
        expected = (
            weight * 13 if not changes else (weight + 0.5) * (10 + 0.5 * min(10, 2 + 3 * (changes + 1) + changes))
        )
        assert rewarded(row, f"The answer is {row['answer']}.") == pytest.approx(expected)
        seen.add(changes)
    assert {0, 1, 2} <= seen


def test_other_questions_have_ten_times_their_weight():
    """Right or wrong, without partial credit."""
    for row in rows(lines="2-6", stage="0-2", size=60):
        assert rewarded(row, f"The answer is {row['answer']}.") == pytest.approx(10 * row["weight"])
        other = {"yes": "no", "no": "yes"}.get(row["answer"]) or str(int(row["answer"]) + 1)
        assert rewarded(row, f"The answer is {other}.") == 0


def test_partial_credit_of_routes():
    """Wrong ends have none; each part that is put right adds some; all wrong answers stay below half of a right one."""
    random = Random(4)
    for row in [r for r in rows(lines="4-8", stage=3, size=100) if r["transfers"]]:
        legs = [tuple(leg) for leg in row["route"]]
        right = rewarded(row, f"The answer is {row['answer']}.")
        other = random.choice([line for line in row["network"] if line not in {leg[0] for leg in legs}] or [legs[0][0]])
        values = []
        for wrong in range(len(legs), -1, -1):  # how many parts are by a line that does not serve them
            said = [
                (other if i < wrong and other not in lines_of(row["network"], leg[1]) else leg[0], *leg[1:])
                for i, leg in enumerate(legs)
            ]
            values.append(rewarded(row, f"The answer is {route_text(said)}."))
        assert values == sorted(values)
        assert values[-1] == right
        assert all(value <= right / 2 for value in values if value != right)
        assert rewarded(row, f"The answer is {route_text([(legs[0][0], legs[0][2], legs[0][1]), *legs[1:]])}.") == 0
        assert rewarded(row, f"The answer is {route_text(legs[:-1])}.") == 0


def test_a_long_wrong_route_farms_nothing():
    """Parts beyond those of the gold route count nothing: going to and fro adds no reward."""
    row = next(r for r in rows(lines=5, stage=3, size=50) if r["transfers"] == 1)
    first, last = (tuple(leg) for leg in row["route"])
    to_and_fro = [first, (first[0], first[2], first[1]), first] * 5
    one = rewarded(row, f"The answer is {route_text([first, (first[0], first[2], first[1]), first, last])}.")
    assert (
        rewarded(row, f"The answer is {route_text([*to_and_fro, last])}.")
        <= one
        < rewarded(row, f"The answer is {row['answer']}.") / 2
    )


NETWORK = {"Red Line": ["Old Gate", "Elm Hill"], "Blue Line": ["Elm Hill", "Elm Hill Road"]}


@pytest.mark.parametrize(
    ("said", "legs"),
    [
        ("Red Line: Old Gate to Elm Hill; Blue Line: Elm Hill to Elm Hill Road", 2),
        ("red: old gate - ELM HILL", 1),
        ("1. Red Line: Old Gate → Elm Hill\nThen the Blue Line: Elm Hill → Elm Hill Road.", 2),
        ("Green Line: Old Gate to Elm Hill", 0),
        ("Red Line: Old Gate", 0),
        ("Red Line: Old Gate to Elm Hill to Old Gate", 0),
        ("", 0),
        (";" * 10_000, 0),
        ("Red Line: Old Gate to Elm Hill;" * 1000, 20),
    ],
)
def test_parts_of_a_route_are_read(said: str, legs: int):
    """Names in any case, with or without the word line; a station within the name of another is not that station."""
    found = legs_in(said, NETWORK)
    assert len(found) == legs
    if legs == 2:
        assert found == [("Red Line", "Old Gate", "Elm Hill"), ("Blue Line", "Elm Hill", "Elm Hill Road")]


def test_the_reward_stands_in_the_problem():
    """Problems name it with what it is computed from, and `by_column` takes it."""
    problem = next(iter(open_source("make:transit?stage=3&size=1&reward=route").problems())).problem
    assert problem.reward.name == "route"
    assert (
        by_column(
            [f"The answer is {problem.answer}."],
            answer=[problem.answer],
            answer_kind=["text"],
            reward=["synth.rewards.route"],
            reward_args=[problem.reward.model_dump_json(include={"args"})[8:-1]],
        )[0]
        >= 13
    )

"""Corrective intervention: the first wrong step replaced by a remark, pairs that share all before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, sums, yaml_file

import synth as package
from synth.models import ScriptedModel, World
from synth.models.sums import claim

STEPS, S, K = 5, 0.4, 4
LABELLED = """
pipeline: my/labelled
extends: process/intervene
imports: [rationale, score.step_correct]
override:
  {solve: null, locate: null, check: {of: input}, right: {of: [input, turn]}, turned_over_wrong: {of: [input, turn]},
  turn: {of: input, where: 0 in steps.step_correct, at: steps.step_correct.index(0)}}
"""
"""As the README has it: people's labels take the place of the judge."""


def solve(request, rng):
    """One wrong sum, in a step drawn evenly, and a wrong answer."""
    place = rng.randrange(STEPS)
    return "\n".join([*(claim(rng, sound=i != place) + "." for i in range(STEPS)), "The answer is -1."])


async def turned(folder, n=100, pipeline="process/intervene", **abilities):
    abilities = {"sensitivity": 1.0, "specificity": 1.0, "finish_rate": S, **abilities}
    world = World(steps=STEPS, lucky_rate=0, simulators={"solve": solve}, **abilities)
    await run(pipeline, sums(folder / "in.jsonl", n), folder / "run", ScriptedModel(world, name="student"))
    return folder / "run"


def located(folder):
    """Of each solution: its steps, and the first step that the judge called wrong."""
    return ask(
        folder,
        "SELECT r.id, r.problem, r.steps, min(s.part.index) FILTER (s.value = 0) FROM rationales r "
        "LEFT JOIN scores s ON s.target = r.id AND s.name = 'step_judged' WHERE r.step = 'solve' GROUP BY 1, 2, 3",
    )


async def test_one_of_four_remarks_helps_as_often_as_arithmetic_says(tmp_path):
    """P(some of K right) = 1 - (1 - s)^K = .8704, each by itself s; a call for each remark after each beginning; all positions are the planted ones."""
    assert pytest.approx(0.8704) == 1 - (1 - S) ** K
    folder = await turned(tmp_path)
    found = located(folder)
    assert len(found) == 200
    assert all(place == World.first_error(tuple(steps)) for _, _, steps, place in found)
    rows = ask(
        folder,
        "SELECT r.id, sum(s.value), count(*) FROM rationales r JOIN rationales c ON c.parent = r.id "
        "JOIN scores s ON s.target = c.id AND s.name = 'correct' GROUP BY 1",
    )
    assert len(rows) == 200
    assert {n for _, _, n in rows} == {K}
    assert near(sum(right > 0 for _, right, _ in rows) / 200, 0.8704, 200)
    assert near(sum(right for _, right, _ in rows) / (200 * K), S, 200 * K)
    calls = dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {
        "solve": 200,
        "locate": 200,
        "turn": K * len(found),
    }  # equal beginnings too are asked for samples of their own


async def test_the_position_is_recovered_as_often_as_the_judge_allows(tmp_path):
    """An error in step t is found exactly with specificity^t times sensitivity; a beginning with the error in it never comes out right."""
    sensitivity, specificity = 0.8, 0.9
    folder = await turned(tmp_path, n=150, sensitivity=sensitivity, specificity=specificity)
    found = located(folder)
    exact = [place == World.first_error(tuple(steps)) for _, _, steps, place in found]
    expected = sum(specificity**t * sensitivity for t in range(STEPS)) / STEPS
    assert near(sum(exact) / len(exact), expected, len(exact))
    late = {r for r, _, steps, place in found if place is not None and place > World.first_error(tuple(steps))}
    assert late
    helped = {r for (r,) in ask(folder, "SELECT r.rejected FROM pairs r")}
    assert helped
    assert not late & helped


@pytest.mark.parametrize("prefill", [False, True])
async def test_the_sides_share_all_before_the_first_wrong_step(tmp_path, prefill):
    """Bytes up to there are equal; the chosen side goes on with a remark, the rejected one with its wrong step."""
    able = frozenset({"chat", "json_schema", "seed", "logprobs"}) | (frozenset({"prefill"}) if prefill else frozenset())
    world = World(steps=STEPS, lucky_rate=0, finish_rate=S, sensitivity=1, specificity=1, simulators={"solve": solve})
    model = ScriptedModel(world, name="student", capabilities=able)
    await run("process/intervene", sums(tmp_path / "in.jsonl", 30), tmp_path / "run", model)
    rows = ask(
        tmp_path / "run",
        "SELECT p.first_differing_step, c.parent = r.id, c.response, r.response, c.steps, r.steps, c.parts.spans, k.value, s.value "
        "FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected "
        "JOIN scores k ON k.target = c.id AND k.name = 'correct' JOIN scores s ON s.target = r.id AND s.name = 'correct'",
    )
    assert len(rows) > 60
    assert {row[0] for row in rows} == set(range(STEPS))
    for place, own, chosen, rejected, winner, loser, _, right, wrong in rows:
        assert own
        assert (right, wrong) == (1, 0)
        assert place == World.first_error(tuple(loser))
        assert winner[:place] == loser[:place]
        start = rejected.index(loser[place])
        assert chosen[:start] == rejected[:start]
        assert chosen[start:].startswith(winner[place])
        assert winner[place].startswith(("Wait", "Before", "Hold", "Let me"))


async def test_a_correction_of_the_judge_takes_the_place_of_the_remarks(tmp_path):
    """The preset of the README: one continuation each, which goes on from the judge's correction."""
    made = preset(
        tmp_path / "p.yaml",
        "process/intervene",
        locate={
            "reply": {"per_step": {"reason": "text", "correction": "text", "verdict": "one_of(right, wrong)"}},
            "make": [
                {"score": "step_judged", "for": "reply", "step": "index", "value": 'item.verdict == "right"'},
                {
                    "critique": "item.reason",
                    "for": '(reply | selectattr("verdict", "eq", "wrong"))[:1]',
                    "step": "item.step - 1",
                    "correction": "item.correction",
                },
            ],
        },
        turn={
            "insert": 'unit.critiques | selectattr("target", "equalto", rationale.id) | map(attribute="correction") | list'
        },
    )
    folder = await turned(tmp_path, n=20, pipeline=made)
    rows = ask(
        folder,
        "SELECT c.steps, c.given, k.correction, k.part.index FROM rationales c JOIN critiques k ON k.target = c.parent",
    )
    assert len(rows) == 40
    assert all(steps[place] == correction.strip() and given == place + 1 for steps, given, correction, place in rows)


@pytest.mark.data
def test_labels_of_people_take_the_place_of_the_judge(data: Path, tmp_path: Path):
    """MR-GSM8K: real wrong solutions are turned at the step that people marked, and share all before it."""
    made = yaml_file(tmp_path / "p.yaml", LABELLED)
    model = ScriptedModel(World(finish_rate=1), name="student")
    package.run(
        str(made),
        data / "mr_gsm8k.jsonl",
        tmp_path / "run",
        mapping="steps/mr-gsm8k",
        models={"student": model},
        limit=40,
        skip_invalid=True,
    )
    rows = ask(
        tmp_path / "run",
        "SELECT c.steps, c.given, r.steps, min(s.part.index) FILTER (s.value = 0) FROM rationales c JOIN rationales r ON r.id = c.parent "
        "JOIN scores s ON s.target = r.id AND s.name = 'step_correct' GROUP BY ALL",
    )
    assert len(rows) > 100
    for winner, given, loser, first in rows:
        assert given == first + 1
        assert winner[:first] == loser[:first]
        assert winner[first] != loser[first]

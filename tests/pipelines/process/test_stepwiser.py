"""StepWiser: chunks, 16 rollouts each, three kinds of labels, and nothing asked about problems that teach nothing."""

from __future__ import annotations

import json
from math import comb

import pytest
from methods import near
from support import ask, run, sums

from synth.export import ExportOptions, export_group
from synth.models import ScriptedModel, World
from synth.models.sums import claim

BEFORE, TRUE, N = 0.6, (0.6, 0.5, 0.4, 0.2, 0.1, 0.0), 16
"""What the first chunk is worth, what the second one is, by problem, and rollouts."""


def worth(problem):
    """The true value of the second chunk: it goes through TRUE from problem to problem."""
    return TRUE[int(problem.answer) // 10 % len(TRUE)]


def solve(request, rng):
    """Three lines; of four samples the first is right, so that each problem is solved sometimes."""
    answer = request.task.problem.answer if request.sample == 0 else -1
    return "\n".join([*(claim(rng, sound=True) + "." for _ in range(3)), f"The answer is {answer}."])


def go_on(request, rng):
    """After one chunk right with 0.6, after two with what the second one is worth."""
    q = BEFORE if request.task.part.index == 0 else worth(request.task.problem)
    return f"So it is.\nThe answer is {request.task.problem.answer if rng.random() < q else -1}."


def cut(request, rng):
    """A chunk for each line."""
    return {"chunks": [{"purpose": "adds", "first_line": i} for i in (1, 2, 3)]}


async def judged(folder, n, **simulators):
    world = World(simulators={"solve": solve, "chunks": cut, "values": go_on, **simulators})
    await run("process/stepwiser", sums(folder / "in.jsonl", n), folder / "run", ScriptedModel(world, name="policy"))
    return folder / "run"


def right_by_ratio(q):
    """The chance that k of 16 at q are more than 0.8 of the j of 16 before them at 0.6; after j = 0 where k is above 0."""
    chance = [[comb(N, i) * p**i * (1 - p) ** (N - i) for i in range(N + 1)] for p in (BEFORE, q)]
    passes = [(j, k) for j in range(N + 1) for k in range(N + 1) if (5 * k > 4 * j if j else k > 0)]
    return sum(chance[0][j] * chance[1][k] for j, k in passes)


def test_the_figures_of_the_work():
    """Found there with 20,000 simulations each."""
    for q, found in zip((0.6, 0.5, 0.4, 0.2, 0), (0.764, 0.532, 0.285, 0.025, 0), strict=True):
        assert near(found, right_by_ratio(q), 20_000) or found == right_by_ratio(q)
    assert pytest.approx(0.185, abs=5e-4) == (1 - 0.1) ** N


async def test_labels_are_as_often_right_as_the_binomials_say(tmp_path):
    """For each true value of the second chunk: more than 0.8 of the first one's share, and whether any of 16 was right."""
    folder = await judged(tmp_path, 120)
    rows = ask(
        folder,
        "SELECT p.answer, s.name, s.value FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
        "WHERE s.name IN ('step_correct', 'label_abs') AND s.part.index = 1",
    )
    found = {}
    for answer, name, value in rows:
        found.setdefault((TRUE[int(answer) // 10 % len(TRUE)], name), []).append(value)
    assert len(found) == 2 * len(TRUE)
    for (q, name), labels in found.items():
        expected = right_by_ratio(q) if name == "step_correct" else 1 - (1 - q) ** N
        assert len(labels) == 80
        assert near(sum(labels) / 80, expected, 80), (q, name)
    calls = dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": 480, "chunks": 480, "values": 480 * 2 * N}


async def test_labels_are_those_of_their_formulas(tmp_path):
    """Gain and ratio of each chunk again from its values, with the share of solved samples before the first chunk."""
    folder = await judged(tmp_path, 18)
    rows = ask(
        folder,
        "SELECT r.id, s.name, list(s.value ORDER BY s.part.index) FROM scores s JOIN rationales r ON r.id = s.target "
        "WHERE s.part.kind = 'step' GROUP BY 1, 2",
    )
    found = {}
    for id_, name, values in rows:
        found.setdefault(id_, {})[name] = values
    assert len(found) == 72
    kinds = set()
    for of in found.values():
        values = of["step_value"]
        for before, value, ratio, gain in zip(
            (0.25, *values), values, of["step_correct"], of["label_effective"], strict=False
        ):
            assert ratio == (round(value / before, 9) > 0.8 if before else value > 0)
            assert gain == (value + (1 - before) ** 4 - (1 - value) ** 4 > 1e-9)
            kinds.add((ratio, gain, value > 0))
    assert {(0, 0, True), (0, 1, True), (1, 1, True), (0, 0, False)} <= kinds


async def test_chunks_are_the_text_and_the_last_one_is_the_outcome(tmp_path):
    folder = await judged(tmp_path, 6)
    rows = ask(
        folder,
        "SELECT r.steps, r.response, s.value, c.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'step_value' "
        "AND s.part.index = 2 JOIN scores c ON c.target = r.id AND c.name = 'correct' WHERE r.step = 'chunks'",
    )
    assert len(rows) == 24
    for steps, response, value, right in rows:
        assert "\n".join(steps) == response.rsplit("\n", 1)[0]
        assert value == right


async def test_judge_tasks_are_one_a_chunk_and_half_of_them_right(tmp_path):
    """Each row has the chunks before it, and its label is that of the run."""
    folder = await judged(tmp_path, 12)
    made = export_group(folder, {"steps": ExportOptions(balance=(1, 1))}, tmp_path / "out")
    rows = [json.loads(line) for line in made["steps"].path.read_text().splitlines()]
    labels = [row["label"] for row in rows]
    assert labels.count(True) == labels.count(False) > 20
    known = dict(ask(folder, "SELECT concat(target, ' ', part.index), value FROM scores WHERE name = 'step_correct'"))
    assert all(known[f"{row['record_id']} {row['index']}"] == row["label"] for row in rows)


@pytest.mark.parametrize("always", [True, False])
async def test_problems_that_are_always_or_never_solved_cost_their_solutions_alone(tmp_path, always):
    def alike(request, rng):
        return f"{claim(rng, sound=True)}.\nSo.\nThe answer is {request.task.problem.answer if always else -1}."

    folder = await judged(tmp_path, 5, solve=alike)
    assert ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1") == [("solve", 20)]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(0,)]

"""Trajectory DPO: rewards of steps from three rollouts, and pairs of whole solutions by them."""

from __future__ import annotations

import pytest
from methods import near
from support import ask, run, sums

from synth.models import ScriptedModel, World
from synth.models.sums import claim

STEPS, Q = 5, (0.2, 0.5, 0.8)


def solve(request, rng):
    """Of ten samples six are right; of these every second one has a wrong sum in its third step, and is lucky."""
    lucky, wrong = request.sample in {1, 3, 5}, request.sample > 5
    lines = [claim(rng, sound=not ((lucky or wrong) and i == 2)) + "." for i in range(STEPS)]
    return "\n".join([*lines, f"The answer is {-1 if wrong else request.task.problem.answer}."])


def go_on(request, rng):
    """Right with the problem's own chance, whatever stands before."""
    q = Q[int(request.task.problem.answer) // 10 % 3]
    return f"So.\nThe answer is {request.task.problem.answer if rng.random() < q else -1}."


async def collected(folder, n, pipeline="process/traj-dpo", **world):
    world = World(steps=STEPS, **{"simulators": {"solve": solve}, **world})
    await run(pipeline, sums(folder / "in.jsonl", n), folder / "run", ScriptedModel(world, name="policy"))
    return folder / "run"


async def test_a_label_of_three_rollouts_is_as_often_two_or_more_as_arithmetic_says(tmp_path):
    """3q² - 2q³, and the mean is q itself; states from the first fifth on, the last step by its outcome."""
    assert [round(3 * q**2 - 2 * q**3, 3) for q in Q] == [0.104, 0.5, 0.896]
    folder = await collected(tmp_path, 30, simulators={"solve": solve, "values": go_on})
    rows = ask(
        folder,
        "SELECT p.answer, s.value FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
        f"WHERE s.name = 'step_value' AND s.part.index < {STEPS - 1}",
    )
    assert len(rows) == 30 * 10 * (STEPS - 1)
    for place, q in enumerate(Q):
        values = [value for answer, value in rows if int(answer) // 10 % 3 == place]
        assert {round(v * 3, 6) for v in values} <= {0, 1, 2, 3}
        assert near(sum(v > 0.5 for v in values) / len(values), 3 * q**2 - 2 * q**3, len(values))
        assert near(sum(values) / len(values), q, len(values) * 3)
    assert ask(folder, "SELECT count(*) FROM calls WHERE step = 'values'") == [(30 * 10 * (STEPS - 1) * 3,)]


@pytest.mark.parametrize(("steps", "first"), [(5, 1), (6, 2), (11, 3)])
async def test_states_begin_at_a_fifth_of_the_steps(tmp_path, steps, first):
    def longer(request, rng):
        answer = request.task.problem.answer if request.sample % 2 else -1
        return "\n".join([*(claim(rng, sound=True) + "." for _ in range(steps)), f"The answer is {answer}."])

    folder = await collected(tmp_path, 1, simulators={"solve": longer, "values": go_on})
    places = ask(folder, "SELECT DISTINCT s.part.index + 1 FROM scores s WHERE s.name = 'step_value' ORDER BY 1")
    assert [kept for (kept,) in places] == list(range(first, steps + 1))


async def test_lucky_chains_stand_below_clean_ones(tmp_path):
    """From a wrong step on nothing comes out right: reward 0 by product and least, though the answer is right."""
    folder = await collected(tmp_path, 12, finish_rate=0.9, recover_rate=0)
    rows = ask(
        folder,
        "SELECT r.problem, r.steps, s.name, s.value FROM scores s JOIN rationales r ON r.id = s.target "
        "JOIN scores c ON c.target = r.id AND c.name = 'correct' AND c.value = 1 WHERE s.name LIKE 'by_%'",
    )
    assert len(rows) == 12 * 6 * 3
    for name in ("by_product", "by_min", "by_geomean"):
        for problem in {row[0] for row in rows}:
            rewards = {True: [], False: []}
            for about, steps, of, value in rows:
                if (about, of) == (problem, name):
                    rewards[World.first_error(tuple(steps)) is None].append(value)
            assert len(rewards[True]) == len(rewards[False]) == 3
            assert max(rewards[False]) == 0 <= min(rewards[True])
            assert max(rewards[True]) > 0
    aggregates = {}
    for problem, steps, name, value in rows:
        aggregates.setdefault((problem, tuple(steps)), {})[name] = value
    assert all(of["by_product"] <= of["by_min"] <= of["by_geomean"] + 1e-9 for of in aggregates.values())


PAIRS = (
    "SELECT p.reason, p.margin, c.problem = r.problem, c.response, r.response, k.value, s.value, x.value, y.value, r.steps FROM pairs p "
    "JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected JOIN scores k ON k.target = c.id AND k.name = 'correct' "
    "JOIN scores s ON s.target = r.id AND s.name = 'correct' JOIN scores x ON x.target = c.id AND x.name = 'by_product' "
    "JOIN scores y ON y.target = r.id AND y.name = 'by_product'"
)


async def test_pairs_of_both_kinds_hold_their_conditions(tmp_path):
    """One problem, two texts; right over wrong, and right over right with more than the margin between the rewards."""
    folder = await collected(tmp_path, 12, finish_rate=0.9, recover_rate=0)
    rows = ask(folder, PAIRS)
    kinds = {reason: [row for row in rows if row[0] == reason] for reason in {row[0] for row in rows}}
    assert set(kinds) == {"correctness", "score by_product"}
    assert len(kinds["correctness"]) == 120
    assert len(kinds["score by_product"]) > 60
    assert all(row[2] and row[3] != row[4] for row in rows)
    assert {(row[5], row[6]) for row in kinds["correctness"]} == {(1, 0)}
    for _, margin, _, _, _, right, also, high, low, _ in kinds["score by_product"]:
        assert (right, also) == (1, 1)
        assert margin == high - low > 0.4
    assert any(World.first_error(tuple(row[-1])) == 2 for row in kinds["score by_product"])


async def test_duplicates_and_problems_of_one_outcome_cost_nothing_more(tmp_path):
    """Equal texts count once; where all or none are right no state is continued, and beginnings that two share are continued once."""

    def alike(request, rng):
        gold, index = request.task.problem.answer, int(request.task.problem.answer) // 10
        right = (True, False, request.sample % 2 == 0)[index % 3]
        return f"First.\nSecond.\nThird{'' if right else ', it seems'}.\nThe answer is {gold if right else -1}."

    folder = await collected(tmp_path, 9, simulators={"solve": alike, "values": go_on})
    assert ask(folder, "SELECT count(*) FROM rejections WHERE step = 'distinct'") == [(6 * 9 + 3 * 8,)]
    asked = ask(folder, "SELECT count(DISTINCT unit), count(*) FROM calls WHERE step = 'values'")
    assert asked == [(3, 3 * 2 * 3)]
    assert ask(folder, "SELECT count(*) FROM pairs") == [(3,)]

"""Self-Explore: the pairs differ in the first step from which the student itself cannot recover, and in nothing before."""

from __future__ import annotations

from methods import near
from support import ask, run, sums

from synth.models import ScriptedModel, World
from synth.models.sums import claim

STEPS, P = 6, 0.6


def solve(request, rng, world):
    """Every second sample is right; others have one wrong sum, in a step drawn evenly."""
    place = rng.randrange(STEPS) if request.sample % 2 else None
    lines = [claim(rng, sound=i != place) + "." for i in range(STEPS)]
    return "\n".join([*lines, f"The answer is {request.task.problem.answer if place is None else -1}."])


async def explored(folder, n=60, **abilities):
    world = World(steps=STEPS, finish_rate=P, simulators={"solve": solve}, **abilities)
    await run(
        "process/self-explore", sums(folder / "in.jsonl", n), folder / "run", ScriptedModel(world, name="student")
    )
    return folder / "run"


async def test_pits_are_found_as_often_as_arithmetic_says(tmp_path):
    """Of 2 wrong solutions a problem, with k = 4: Π_{t<e}(1-(1-p)^4) are exact, and never too late."""
    folder = await explored(tmp_path)
    rows = ask(
        folder,
        "SELECT r.steps, s.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'step_value_first_zero' "
        "WHERE r.step = 'solve'",
    )
    assert len(rows) == 120
    gaps = [pit - World.first_error(tuple(steps)) for steps, pit in rows]
    assert max(gaps) <= 0
    misses = (1 - P) ** 4
    assert near(gaps.count(0) / 120, sum((1 - misses) ** t for t in range(STEPS)) / STEPS, 120)
    calls = ask(folder, "SELECT count(*) FROM calls WHERE step = 'explore'")[0][0]
    assert calls == sum(4 * min(int(pit) + 1, STEPS - 1) for _, pit in rows)


async def test_the_sides_of_a_pair_share_all_before_the_pit(tmp_path):
    """The loser's next step is its pit, the winner is right, and its text begins with the loser's up to there."""
    folder = await explored(tmp_path)
    rows = ask(
        folder,
        "SELECT c.response, r.response, c.steps, r.steps, p.first_differing_step, s.value, k.value, c.step, c.parent = r.id "
        "FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected "
        "JOIN scores s ON s.target = r.id AND s.name = 'step_value_first_zero' JOIN scores k ON k.target = c.id AND k.name = 'correct'",
    )
    assert len(rows) > 100
    for chosen, rejected, winner, loser, differs, pit, right, step, own in rows:
        assert (differs, right) == (pit, 1.0)
        assert winner[:differs] == loser[:differs]
        assert winner[differs] != loser[differs]
        shared = "\n".join(loser[:differs])
        assert chosen.startswith(shared)
        assert rejected.startswith(shared)
        assert differs == 0 or (step == "explore" and own)


async def test_without_a_right_solution_nothing_is_explored(tmp_path):
    folder = await explored(tmp_path, n=8, recover_rate=0.05)
    assert ask(folder, "SELECT count(*) FROM calls WHERE step = 'explore'")[0][0] > 0
    hopeless = ScriptedModel(World(solve_rate=0, lucky_rate=0), name="student")
    await run("process/self-explore", sums(tmp_path / "in.jsonl", 8), tmp_path / "none", hopeless)
    assert ask(tmp_path / "none", "SELECT count(*) FROM calls WHERE step = 'explore'") == [(0,)]


async def test_nothing_wrong_is_kept(tmp_path):
    folder = await explored(tmp_path, n=20)
    assert ask(
        folder,
        "SELECT count(*) FROM kept_rationales k JOIN scores s ON s.target = k.id AND s.name = 'correct' AND s.value = 0",
    ) == [(0,)]

"""process/mcts-ps (arXiv:2501.01478): the weights of the steps that could stand in one place sum to 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from methods import preset
from support import ask, run, sums

from synth.models import ScriptedModel, World


def stating(world: World, *, turned: bool):
    """The world, and with `turned` one that states the gold answer where it would not, and another where it would."""

    def script(request, rng):
        lines = world(request, rng).splitlines()
        gold = request.task.problem.answer
        right = lines[-1] == f"The answer is {gold}."
        return "\n".join([*lines[:-1], f"The answer is {gold if right != turned else -1}."])

    return script


async def weights(
    folder: Path, script, pipeline="process/mcts-ps"
) -> dict[tuple[str, ...], tuple[float | None, float]]:
    """Weight and value of each step by the path to it."""
    await run(pipeline, sums(folder.parent / "in.jsonl", 8), folder, ScriptedModel(script, name="student"))
    solutions = {i: (p, *s) for i, p, s in ask(folder, "SELECT id, problem, steps FROM rationales")}
    scores = ask(folder, "SELECT target, part.index, name, value FROM scores WHERE part IS NOT NULL")
    found: dict[tuple[str, ...], dict[str, float | None]] = {}
    for target, index, name, value in scores:
        found.setdefault(solutions[target][: index + 2], {})[name] = value
    return {path: (of.get("step_advantage"), of["step_value"]) for path, of in found.items()}


async def test_weights_of_siblings_sum_to_zero(tmp_path: Path):
    world = World(steps=4, solve_rate=0.5, finish_rate=0.5)
    found = await weights(tmp_path / "run", world)
    siblings: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for path, (weight, value) in found.items():
        if weight is not None:
            siblings.setdefault(path[:-1], []).append((weight, value))
    several = [of for of in siblings.values() if len(of) > 1]
    assert len(several) > 10
    for of in several:
        assert sum(weight for weight, _ in of) == pytest.approx(0, abs=1e-9)
        if len({value for _, value in of}) == 1:
            assert all(weight == 0 for weight, _ in of)
    assert any(weight > 0 for of in several for weight, _ in of)
    # Only problems with right and wrong solutions are kept.
    kept = ask(tmp_path / "run", "SELECT problem, count(DISTINCT s.value) FROM kept_rationales r JOIN scores s ON s.target = r.id "
               "AND s.name = 'correct' GROUP BY 1")  # fmt: skip
    assert kept
    assert {n for _, n in kept} == {2}


async def test_weights_change_their_sign_with_the_outcomes(tmp_path: Path):
    """Of the first four solutions, which are the same ones in both."""
    world = World(steps=4, solve_rate=0.5)
    first = preset(tmp_path / "p.yaml", "process/mcts-ps", tree={"max_searches": 1})
    found = [await weights(tmp_path / str(t), stating(world, turned=t), first) for t in (False, True)]
    assert found[0].keys() == found[1].keys()
    signs = set()
    for path, (weight, value) in found[0].items():
        other, outcome = found[1][path]
        assert outcome == pytest.approx(1 - value)
        if weight is not None:
            assert other == pytest.approx(-weight)
            signs.add((weight > 0) - (weight < 0))
    assert signs == {-1, 0, 1}

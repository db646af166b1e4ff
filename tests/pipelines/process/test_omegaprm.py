"""process/omegaprm (arXiv:2406.06592): what is kept is labelled up to its first wrong step, within the budget."""

from __future__ import annotations

from pathlib import Path

from support import ask, run, sums

from synth.export import export_run
from synth.models import ScriptedModel, World


async def test_every_solution_that_is_kept_has_its_first_wrong_step(tmp_path: Path):
    world = World(steps=8, solve_rate=0.5, finish_rate=1, recover_rate=0)
    await run(
        "process/omegaprm", sums(tmp_path / "in.jsonl", 12), tmp_path / "run", ScriptedModel(world, name="student")
    )
    folder = tmp_path / "run"
    solutions = dict(ask(folder, "SELECT id, steps FROM kept_rationales"))
    assert len(solutions) > 20
    found: dict[str, dict[int, float]] = {}
    for target, index, value in ask(folder, "SELECT target, part.index, value FROM scores WHERE name = 'step_correct'"):
        found.setdefault(target, {})[index] = value
    for rationale, steps in solutions.items():
        first = World.first_error(tuple(steps))
        assert found[rationale] == {**dict.fromkeys(range(first), 1.0), first: 0.0}
    searches = ask(folder, "SELECT problem, count(*) FROM rationales GROUP BY 1")
    # 8 calls a problem; 3 probes of 8 for each solution of 8 steps.
    assert dict(ask(folder, "SELECT unit, count(*) FROM calls GROUP BY 1 HAVING count(*) > 8")) == {
        problem: 8 + 24 * n for problem, n in searches
    }
    assert max(n for _, n in searches) == 4
    rows = export_run(folder, "prm", tmp_path / "out").path.read_text().splitlines()
    assert len(rows) == len(solutions)

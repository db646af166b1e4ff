"""rlvr/longer-horizons (arXiv:2510.07312). The chains themselves are held by tests/generators/test_compose.py."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

from methods import preset
from support import ROOT, ask, run

from synth.models import ScriptedModel, World

RATES = "SELECT p.stage, count(*), avg(s.value) FROM problems p JOIN scores s ON s.target = p.id AND s.name = 'pass_rate' GROUP BY 1 ORDER BY 1"


async def test_each_depth_is_solved_with_p_to_its_links(tmp_path: Path):
    """P = 0.8 for a link, links 1 to 4, 48 attempts a depth: within three standard deviations."""
    source = f"compose:{ROOT / 'samples' / 'arithmetic.jsonl'}?links=1-4&size=48"
    made = preset(tmp_path / "p.yaml", "rlvr/longer-horizons", **{"try": {"samples": 8}})
    world = World(solve_rate=1, lucky_rate=0, difficulty=lambda problem: 0.8 ** problem.meta["links"])
    await run(made, source, tmp_path / "run", ScriptedModel(world, name="student"))  # type: ignore[arg-type]
    found = ask(tmp_path / "run", RATES)
    assert [(stage, n) for stage, n, _ in found] == [(stage, 12) for stage in range(4)]
    for stage, n, share in found:
        wanted = 0.8 ** (stage + 1)
        assert abs(share - wanted) < 3 * sqrt(wanted * (1 - wanted) / (8 * n)), stage


async def test_rows_keep_the_answers_on_the_way(tmp_path: Path):
    await run(
        "rlvr/longer-horizons",
        ROOT / "samples" / "chains.jsonl",
        tmp_path / "run",
        ScriptedModel(World(), name="student"),
    )
    for meta, answer, solution in ask(tmp_path / "run", "SELECT meta, answer, reference_solution FROM kept_problems"):
        known = json.loads(meta)
        assert known["sub_answers"][-1] == answer
        assert len(known["atoms"]) == known["links"]
        assert all(f"gives {sub}." in solution for sub in known["sub_answers"])

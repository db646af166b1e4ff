"""rlvr/sparkle (arXiv:2506.04723): problems that are never solved, with a part of the solution given."""

from __future__ import annotations

import json
from itertools import pairwise
from math import sqrt
from pathlib import Path

import pytest
from methods import preset
from support import ask, run, write_rows, yaml_file

import synth as package
from synth.models import ScriptedModel, World

S, N = 0.6, 120
SOLUTION = "\n\n".join(f"We know that {i + 1} + 2 = {i + 3}." for i in range(4))
ROWS = [
    {
        "question": f"How many are {i}, r{i}?",
        "answer": str(i + 100),
        "reference_solution": f"{SOLUTION}\n\nThe answer is {i + 100}.",
    }
    for i in range(N)
]
NEVER = World(solve_rate=0, lucky_rate=0, steps=4)


def never(request, rng):
    return NEVER(request, rng)


def always(request, rng):
    return World(solve_rate=1)(request, rng)


def without_simulator(tmp_path: Path, more: str = "") -> Path:
    return yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nextends: rlvr/sparkle\n{more}")


async def test_level_l_of_four_is_solved_with_s_to_the_rest(tmp_path: Path):
    """S = 0.6 for each chunk; levels 1 to 3 within three standard deviations. The attempts before it all fail, by a world that never solves."""
    more = (
        "insert:\n  - after: prefixes\n    steps:\n"
        "      - {step: generate, name: again, of: prefixes, by: student}\n"
        "      - {step: verify_answer, name: reached, of: again, score: reached}\n"
        "override: {try: {samples: 1}}\n"
    )
    world = World(solve_rate=S**4, lucky_rate=0, steps=4, simulators={"try": never})
    rows = write_rows(tmp_path / "in.jsonl", ROWS)
    await run(without_simulator(tmp_path, more), rows, tmp_path / "run", ScriptedModel(world, name="student"))
    found = ask(
        tmp_path / "run",
        "SELECT (p.meta->'prefix'->>'given')::INT, count(*), avg(s.value) FROM problems p JOIN rationales r ON r.problem = p.id "
        "JOIN scores s ON s.target = r.id AND s.name = 'reached' GROUP BY 1 ORDER BY 1",
    )
    assert [(level, n) for level, n, _ in found] == [(1, N), (2, N), (3, N)]
    for level, n, share in found:
        wanted = S ** (4 - level)
        assert abs(share - wanted) < 3 * sqrt(wanted * (1 - wanted) / n), level


async def test_solved_problems_are_rejected_and_have_no_variants(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "rlvr/sparkle", **{"try": {"samples": 1}})
    rows = write_rows(tmp_path / "in.jsonl", ROWS[:6])
    world = World(solve_rate=1, simulators={"try": always})
    await run(made, rows, tmp_path / "run", ScriptedModel(world, name="student"))
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems WHERE parent IS NOT NULL") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(0,)]


@pytest.mark.data
def test_variants_are_nested_and_join_to_the_solution(data: Path, tmp_path: Path):
    """MATH-500, with a student that never solves: chunks + 1 variants (the problem itself is the first), and the last with `whole` is all."""
    made = preset(tmp_path / "p.yaml", "rlvr/sparkle", **{"try": {"samples": 1}, "prefixes": {"whole": True}})
    world = World(solve_rate=0, lucky_rate=0, simulators={"try": never})
    package.run(
        str(made),
        data / "math500.jsonl",
        tmp_path / "run",
        models={"student": ScriptedModel(world, name="student")},
        skip_invalid=True,
    )
    units: dict[str, list[tuple[str, str, dict]]] = {}
    for unit, begun, solution, meta in ask(
        tmp_path / "run",
        "SELECT unit, begun, reference_solution, meta FROM problems WHERE parent IS NOT NULL ORDER BY len(begun)",
    ):
        units.setdefault(unit, []).append((begun, solution, json.loads(meta)["prefix"]))
    steps = dict(ask(tmp_path / "run", "SELECT unit, steps FROM kept_rationales WHERE author = 'human'"))
    variants = 0
    for unit, some in units.items():
        texts = [begun for begun, _, _ in some]
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        assert all(solution.startswith(begun) for begun, solution, _ in some)
        assert len(set(texts)) == len(texts) <= 4
        assert some[-1][2]["given"] == some[-1][2]["of"] == len(steps[unit])
        variants += len(some)
    assert (len(units), variants) == (277, 922)

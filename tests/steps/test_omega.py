"""OmegaPRM (arXiv:2406.06592) in a world whose errors are known: where they are found, what it costs, what labels say."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from support import ask, contents, run, sums, yaml_file

from synth.models import ScriptedModel, World
from synth.steps.search import exploration, quality

PIPELINE = """
pipeline: my/omega
roles: {{teacher: solves}}
steps:
  - {{step: search, policy: omega, segment: lines, OPTIONS}}
"""


async def grown(path: Path, world: World, n: int, options: str, name: str = "run", **more: Any) -> Path:
    """The run folder of a search over `n` problems."""
    made = yaml_file(path / f"{name}.yaml", PIPELINE.format().replace("OPTIONS", options))
    await run(made, sums(path / "in.jsonl", n), path / name, ScriptedModel(world, **more))
    return path / name


def labels(folder: Path, name: str) -> dict[str, dict[int, float | None]]:
    """Scores on steps, by rationale and index."""
    found: dict[str, dict[int, float | None]] = {}
    for target, index, value in ask(
        folder, f"SELECT target, part.index, value FROM scores WHERE name = '{name}' AND part IS NOT NULL"
    ):
        found.setdefault(target, {})[index] = value
    return found


def ended(folder: Path) -> list[tuple[str, int]]:
    return ask(folder, "SELECT label, count(*) FROM scores WHERE name = 'search_ended' GROUP BY 1 ORDER BY 1")


def test_quality_and_exploration_are_those_of_the_formulas():
    table = [quality(0.5, 500), quality(0.875, 250), quality(0.125, 100), exploration(2, 9)]
    assert [round(v, 4) for v in table] == [0.6364, 0.8699, 0.5339, 0.125]
    assert quality(0.3, 999, alpha=1, beta=1) == 1  # what is left is exploration alone
    assert exploration(0, 0) == 0


@pytest.mark.parametrize("pieces", [16, 11, 2])
async def test_halving_finds_the_planted_error_with_the_fewest_probes(tmp_path: Path, pieces: int):
    """A policy that is right exactly where the beginning is sound: no wrong label, ⌈log2 M⌉ probes of k calls each."""
    k = 2
    world = World(steps=pieces, solve_rate=0.5, finish_rate=1, recover_rate=0, step_error_rate=0.1)
    folder = await grown(tmp_path, world, 6, f"root_samples: 8, samples: {k}")
    searched = dict(ask(folder, "SELECT id, steps FROM rationales"))
    assert len(searched) > 12
    places = set()
    for rationale, of_steps in labels(folder, "step_correct").items():
        first = World.first_error(tuple(searched[rationale]))
        assert of_steps == {**dict.fromkeys(range(first), 1.0), first: 0.0}
        places.add(first)
    assert labels(folder, "step_correct").keys() == searched.keys()
    assert len(places) > 1
    probed = sum(index < pieces - 1 for of_steps in labels(folder, "step_value").values() for index in of_steps)
    if pieces == 16:
        assert probed == 4 * len(searched)
    assert probed <= math.ceil(math.log2(pieces)) * len(searched)
    assert ask(folder, "SELECT count(*) FROM calls") == [(6 * 8 + k * probed,)]
    assert ask(folder, "SELECT DISTINCT value FROM nodes ORDER BY 1") == [(0.0,), (1.0,)] or pieces == 2
    assert set(dict(ended(folder))) <= {"done", "all_right", "all_wrong"}


async def test_what_is_called_right_is_sound_and_values_are_shares(tmp_path: Path):
    """Where an error cannot be undone, a beginning with a right continuation holds none: noise makes labels too strict, never too kind."""
    world = World(steps=8, solve_rate=0.5, finish_rate=0.6, recover_rate=0, step_error_rate=0.2)
    folder = await grown(tmp_path, world, 8, "samples: 4, max_searches: 12")
    solutions = dict(ask(folder, "SELECT id, steps FROM rationales"))
    of_solutions = labels(folder, "step_correct")
    right = late = 0
    for rationale, of_steps in of_solutions.items():
        order = [of_steps[i] for i in sorted(of_steps)]
        assert order == [1.0] * (len(order) - 1) + [0.0]
        first = World.first_error(tuple(solutions[rationale]))
        assert first is None or len(order) - 1 <= first
        right += len(order) - 1
        late += len(order) - 1 != first
    assert right > 100
    assert late > 0  # or the noise was none
    # Each wrong solution is searched once; deeper beginnings are searched too.
    assert len(of_solutions) == len(solutions) == ask(folder, "SELECT count(*) FROM nodes WHERE terminal")[0][0]
    assert {round(v * 4) / 4 == v for (v,) in ask(folder, "SELECT value FROM nodes")} == {True}
    assert ask(folder, "SELECT count(*) > 10 FROM rationales WHERE parent IS NOT NULL") == [(True,)]
    # Prefixes are nested, and nothing follows a beginning without a right continuation but the wrong solution itself.
    nested = "SELECT count(*) FROM nodes c JOIN nodes p ON p.id = c.parent WHERE c.depth <> p.depth + 1 OR p.terminal"
    assert ask(folder, nested) == [(0,)]
    lost = "SELECT count(*) FROM nodes c JOIN nodes p ON p.id = c.parent WHERE p.value = 0 AND c.value > 0"
    assert ask(folder, lost) == [(0,)]
    assert ask(folder, "SELECT sum(visits) FROM nodes")[0][0] > 0
    assert max(n for (n,) in ask(folder, "SELECT count(*) FROM nodes WHERE terminal GROUP BY problem")) <= 12


@pytest.mark.parametrize("at_once", [1, 3])
async def test_the_same_replies_make_the_same_tree(tmp_path: Path, at_once: int):
    world = World(steps=6, solve_rate=0.5, finish_rate=0.6)
    options = f"samples: 4, max_searches: 6, at_once: {at_once}, max_calls: 90"
    first = await grown(tmp_path, world, 5, options, "first", latency=0.001)
    again = await grown(tmp_path, world, 5, options, "again")
    assert contents(first) == contents(again)
    other = await grown(tmp_path, world, 5, options, "other", seed=1)
    assert contents(first) != contents(other)


@pytest.mark.parametrize("most", [8, 19, 20, 40])
async def test_the_budget_of_calls_is_held_exactly(tmp_path: Path, most: int):
    world = World(steps=6, solve_rate=0.5, finish_rate=0.6)
    folder = await grown(tmp_path, world, 6, f"samples: 4, root_samples: 8, max_calls: {most}")
    calls = [n for (n,) in ask(folder, "SELECT count(*) FROM calls GROUP BY unit")]
    assert max(calls) <= most
    reasons = dict(ended(folder))
    assert "max_calls" in reasons
    # What the search reports is what was asked: calls that halving did not need are free again.
    counted = dict(ask(folder, "SELECT unit, count(*) FROM calls GROUP BY unit"))
    said = dict(ask(folder, "SELECT target, reason FROM scores WHERE name = 'search_ended'"))
    assert {unit: int(re.search(r"(\d+) calls", reason)[1]) for unit, reason in said.items()} == counted
    # A search of 6 pieces needs 3 probes of 4 calls at most: below 20 no search is begun.
    assert (max(calls) == 8) == (most < 20)


async def test_budgets_of_tokens_and_nodes(tmp_path: Path):
    world = World(steps=8, solve_rate=0.5, finish_rate=0.6)
    assert "max_tokens_in_all" in dict(
        ended(await grown(tmp_path, world, 4, "samples: 4, max_tokens_in_all: 500", "a"))
    )
    assert "max_nodes" in dict(ended(await grown(tmp_path, world, 4, "samples: 4, max_nodes: 5", "b")))
    assert "max_searches" in dict(ended(await grown(tmp_path, world, 4, "samples: 4, max_searches: 2", "c")))


@pytest.mark.parametrize(("rate", "reason"), [(1.0, "all_right"), (0.0, "all_wrong")])
async def test_problems_without_a_contrast_are_not_searched(tmp_path: Path, rate: float, reason: str):
    folder = await grown(tmp_path, World(solve_rate=rate), 3, "samples: 4")
    assert ended(folder) == [(reason, 3)]
    assert ask(folder, "SELECT count(*) FROM calls") == [(12,)]
    assert ask(folder, "SELECT count(*) FROM nodes") == [(0,)]
    values = ask(folder, "SELECT DISTINCT value FROM scores WHERE name = 'step_value' AND part IS NULL")
    assert values == [(rate,)]


async def test_the_share_of_problems_that_are_searched_is_that_of_the_closed_form(tmp_path: Path):
    """1 - p^32 - (1 - p)^32: .275 of problems solved 1 time in 100, .806 of 1 in 20, all of 1 in 2."""
    for p, expected in ((0.01, 0.275), (0.05, 0.806), (0.5, 1.0)):
        assert abs(1 - p**32 - (1 - p) ** 32 - expected) < 1e-3
        n = 60
        folder = await grown(
            tmp_path, World(solve_rate=p, steps=1), n, "root_samples: 32, max_nodes: 1, samples: 1", f"p{p}"
        )
        kept = n - sum(count for label, count in ended(folder) if label.startswith("all_"))
        assert abs(kept / n - expected) <= 3 * math.sqrt(expected * (1 - expected) / n) + 1e-9


async def test_solutions_of_one_step_need_no_probe(tmp_path: Path):
    folder = await grown(tmp_path, World(solve_rate=0.5, steps=1), 4, "samples: 8")
    assert ask(folder, "SELECT count(*) FROM calls") == [(32,)]
    found = labels(folder, "step_correct")
    assert found
    assert all(of_steps == {0: 0.0} for of_steps in found.values())


async def test_continuations_that_never_end_are_missing_and_not_wrong(tmp_path: Path):
    """Half of the continuations reach the limit of tokens: values are shares of those that came."""
    from synth.models import Completion

    world = World(steps=8, solve_rate=0.5, finish_rate=1, recover_rate=0)

    def script(request, rng):
        if request.task.kind == "continue" and rng.random() < 0.5:
            return Completion(text="and so on", finish="length")
        return world(request, rng)

    made = yaml_file(tmp_path / "p.yaml", PIPELINE.format().replace("OPTIONS", "samples: 6, root_samples: 8"))
    await run(made, sums(tmp_path / "in.jsonl", 4), tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    assert {v for (v,) in ask(folder, "SELECT DISTINCT value FROM nodes")} <= {0.0, 1.0, None}
    reasons = [r for (r,) in ask(folder, "SELECT reason FROM scores WHERE name = 'step_value' AND part IS NOT NULL")]
    assert any("missing" in r for r in reasons)
    solutions = dict(ask(folder, "SELECT id, steps FROM rationales"))
    sure = {r: of for r, of in labels(folder, "step_correct").items() if None not in of.values()}
    assert sure
    assert all(max(of) == World.first_error(tuple(solutions[r])) for r, of in sure.items())

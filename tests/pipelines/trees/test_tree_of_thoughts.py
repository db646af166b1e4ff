"""trees/tree-of-thoughts (arXiv:2305.10601): what a search finds, and where it ends."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from support import ask, run, sums, yaml_file

from synth.models import ScriptedModel, World
from synth.records import Node


async def test_a_tree_of_thoughts_finds_what_one_walk_would_miss(tmp_path: Path):
    p, n = 0.5, 60
    model = ScriptedModel(World(solve_rate=p, steps=3, specificity=1, sensitivity=1))
    rows = sums(tmp_path / "in.jsonl", n)
    deep = yaml_file(
        tmp_path / "p.yaml", "pipeline: my/p\nextends: tree-of-thoughts\noverride: {tree: {evaluations: 1, beam: 2}}\n"
    )
    await run(deep, rows, tmp_path / "run", model)
    folder = tmp_path / "run"
    # With perfect judges a level is lost only if none of the proposals is sound: 3 of one node at first, then 6 or 3.
    r = p ** (1 / 3)
    solved = ask(folder, "SELECT count(DISTINCT problem) FROM kept_rationales")[0][0] / n
    assert solved >= 1 - 3 * (1 - r) ** 3 - 3 * math.sqrt(0.1 / n)
    assert solved > p + 0.2
    # Nodes: parents one level up, visited ones are those with children, values as the verdicts count.
    wrong = "SELECT count(*) FROM nodes c JOIN nodes p ON p.id = c.parent WHERE c.depth <> p.depth + 1 OR p.visits <> 1 OR p.terminal"
    assert ask(folder, wrong) == [(0,)]
    assert ask(
        folder,
        "SELECT count(*) FROM nodes WHERE visits = 1 AND id NOT IN (SELECT parent FROM nodes WHERE parent IS NOT NULL)",
    ) == [(0,)]
    assert {v for (v,) in ask(folder, "SELECT DISTINCT value FROM nodes")} == {20.0, 0.001}
    assert (
        ask(folder, "SELECT max(n) FROM (SELECT count(*) n FROM nodes WHERE depth > 0 GROUP BY problem, depth)")[0][0]
        <= 6
    )
    told = ask(folder, "SELECT steps, text, node IS NOT NULL, model FROM rationales")
    assert all(
        len(steps) == 3 and text == "\n".join(steps) and has and who == "scripted" for steps, text, has, who in told
    )
    pairs = ask(folder, "SELECT DISTINCT reason FROM pairs")
    assert pairs == [("siblings",)]


@pytest.mark.parametrize("search", ["breadth", "depth", "best"])
async def test_a_tree_ends_at_its_budget(tmp_path: Path, search: str):
    model = ScriptedModel(World(steps=9))
    made = yaml_file(
        tmp_path / "p.yaml",
        f"""
        pipeline: my/p
        roles: {{teacher: thinks}}
        steps:
          - {{step: search, policy: {search}, max_nodes: 10, max_depth: 9, evaluations: 0}}
          - {{step: path_to_rationale}}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", model)
    counts = [n for (n,) in ask(tmp_path / "run", "SELECT count(*) FROM nodes GROUP BY problem")]
    limit = 10 + (3 * 5 - 1 if search == "breadth" else 2)
    assert all(10 <= n <= limit for n in counts)
    assert ask(tmp_path / "run", "SELECT DISTINCT value FROM nodes") == [(None,)]


async def test_an_answer_before_the_end_does_not_end_a_branch(tmp_path: Path):
    """What small models do: they fill the field of the answer at every step, and say that they are not finished."""
    asked = []

    def script(request, rng):
        depth = request.task.subject.depth + 1 if isinstance(request.task.subject, Node) else 0
        asked.append(depth)
        return json.dumps({"thought": f"Step {depth}.", "finished": depth == 2, "answer": str(depth)})

    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: search, width: 1, max_depth: 9, evaluations: 0}
        """,
    )
    await run(pipeline, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(script))
    assert asked == [0, 1, 2]
    found = ask(tmp_path / "run", "SELECT depth, answer, terminal FROM nodes ORDER BY depth")
    assert found == [(0, None, False), (1, None, False), (2, "2", True)]

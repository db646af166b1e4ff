"""rlvr/logic-rl (arXiv:2502.14768): puzzles of rising size without a call, each with its stage and its reward."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from pathlib import Path

from support import ask, run

from synth.rewards import by_column


async def made(folder: Path, size: int, options: str = "") -> Path:
    await run("rlvr/logic-rl", f"make:knights?people=3-7&size={size}&reward=tags{options}", folder)
    return folder


async def test_puzzles_have_their_stage_and_reward(tmp_path: Path):
    """As many of each number of people, no call, every true solution kept; the reward of each is 3 for it, in tags."""
    folder = await made(tmp_path / "run", 50)
    assert ask(folder, "SELECT count(*) FROM calls") == [(0,)]
    assert ask(folder, "SELECT count(*), count(DISTINCT problem) FROM kept_rationales") == [(50, 50)]
    stages = Counter(ask(folder, "SELECT stage, CAST(meta->>'difficulty' AS INTEGER) FROM problems"))
    assert stages == {(stage, 3 + stage): 10 for stage in range(5)}
    rows = ask(folder, "SELECT answer, answer_kind, reward->>'name', CAST(reward->'args' AS TEXT) FROM problems")
    columns = dict(
        zip(("answer", "answer_kind", "reward", "reward_args"), map(list, zip(*rows, strict=True)), strict=True)
    )
    assert set(columns["reward"]) == {"tags"}
    right = [f"<think>Hm.</think><answer>{answer}</answer>" for answer in columns["answer"]]
    assert by_column(right, **columns) == [3.0] * 50
    assert by_column(columns["answer"], **columns) == [-3.0] * 50


async def test_a_tenth_is_for_testing(tmp_path: Path):
    """Within three standard errors; a twin is where its puzzle is."""
    folder = await made(tmp_path / "twins", 60, "&twins=both")
    query = """SELECT count(*), count(DISTINCT coalesce(p.meta->>'twin_of', p.meta->>'item')), count(DISTINCT
        (coalesce(p.meta->>'twin_of', p.meta->>'item'), s.label)) FROM problems p JOIN scores s ON s.target = p.id AND s.name = 'split'"""
    ((problems, puzzles, places),) = ask(folder, query)
    assert (problems, puzzles) == (180, 60)
    assert places == 60
    folder = await made(tmp_path / "run", 600)
    counted = dict(ask(folder, "SELECT label, count(*) FROM scores WHERE name = 'split' GROUP BY 1"))
    assert sum(counted.values()) == 600
    assert abs(counted["test"] - 60) < 3 * sqrt(600 * 0.09)

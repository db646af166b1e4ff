"""rlvr/rewardmap (arXiv:2510.02240, in text): four stages of questions about networks, each with its reward."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ask, run

from synth.rewards import by_column


async def test_questions_come_from_easy_to_hard(tmp_path: Path):
    """Stages do not fall when rows are put in their order; every gold answer has at least ten times its weight, and nothing said has none."""
    folder = tmp_path / "run"
    await run("rlvr/rewardmap", "make:transit?lines=4&size=40&reward=route", folder)
    assert ask(folder, "SELECT count(*) FROM calls") == [(0,)]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(40,)]
    asked = ask(folder, "SELECT stage, meta->>'ask' FROM problems ORDER BY stage")
    kinds = [{"on_line", "direct"}, {"stations", "changes"}, {"between"}, {"route"}]
    assert all(kind in kinds[stage] for stage, kind in asked)
    assert [stage for stage, _ in asked] == sorted([0, 1, 2, 3] * 10)
    rows = ask(folder, "SELECT answer, answer_kind, reward->>'name', CAST(reward->'args' AS TEXT) FROM problems")
    columns = dict(
        zip(("answer", "answer_kind", "reward", "reward_args"), map(list, zip(*rows, strict=True)), strict=True)
    )
    assert set(columns["reward"]) == {"route"}
    right = by_column([f"The answer is {answer}." for answer in columns["answer"]], **columns)
    assert min(right) == pytest.approx(12.0)
    assert max(right) > 13 * 1.2
    assert by_column(["I do not know."] * 40, **columns) == [0.0] * 40

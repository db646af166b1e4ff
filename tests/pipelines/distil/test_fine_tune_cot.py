"""distil/fine-tune-cot (arXiv:2212.10071, arXiv:2410.16198): the yields that its arithmetic predicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, sums

from synth.models import ScriptedModel, World

N = 400


async def test_fine_tune_cot_keeps_what_k_samples_of_accuracy_p_give(tmp_path: Path):
    """arXiv:2212.10071: P(kept) = 1 - (1 - p)^k, E[rationales kept] = k p."""
    p, k = 0.42, 8
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": k}, select=None)
    await run(made, sums(tmp_path / "in.jsonl", N), tmp_path / "run", ScriptedModel(World(solve_rate=p)))
    funnel = dict(ask(tmp_path / "run", "SELECT stage, n FROM funnel"))
    assert funnel["problems"] == N
    assert funnel["asked"] == funnel["answered"] == k * N
    assert near(funnel["problems with a kept rationale"] / N, 1 - (1 - p) ** k, N)
    assert near(funnel["kept"] / (k * N), p, k * N)


async def test_fine_tune_cot_caps_each_problem_and_exports_gold_answers(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 60)
    await run("distil/fine-tune-cot", rows, tmp_path / "run", ScriptedModel(World(solve_rate=1)))
    assert set(ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales GROUP BY problem")) == {(4,)}
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": 6})
    await run(made, rows, tmp_path / "six", ScriptedModel(World(solve_rate=1)))
    assert set(ask(tmp_path / "six", "SELECT count(*) FROM kept_rationales GROUP BY problem")) == {(4,)}
    assert ask(tmp_path / "six", "SELECT DISTINCT step, rule FROM rejections") == [("select", "at most 4 a problem")]


@pytest.mark.parametrize(("s", "c", "purity"), [(0.5, 2, 2 / 3), (0.5, 5, 5 / 6)])
async def test_of_what_a_filter_by_answer_keeps_a_known_share_is_sound(tmp_path: Path, s: float, c: int, purity: float):
    """arXiv:2212.10071: s / (s + (1 - s) / c) for c choices."""
    assert s / (s + (1 - s) / c) == pytest.approx(purity)
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", select=None)
    await run(made, choices(tmp_path / "in.jsonl", N, c), tmp_path / "run", ScriptedModel(World(solve_rate=s)))
    kept = [World.is_sound(t) for (t,) in ask(tmp_path / "run", "SELECT text FROM kept_rationales")]
    assert near(len(kept) / (4 * N), s + (1 - s) / c, 4 * N)
    assert near(sum(kept) / len(kept), purity, len(kept))


@pytest.mark.parametrize("p", [0.1, 0.5])
async def test_pairs_are_to_be_had_where_one_is_right_and_one_is_wrong(tmp_path: Path, p: float):
    """arXiv:2410.16198: 1 - p^k - (1 - p)^k."""
    k = 8
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": k})
    await run(made, sums(tmp_path / "in.jsonl", N), tmp_path / "run", ScriptedModel(World(solve_rate=p)))
    share = ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM pairs")[0][0] / N
    assert near(share, 1 - p**k - (1 - p) ** k, N)
    assert 1 - p**k - (1 - p) ** k == pytest.approx({0.1: 0.5695, 0.5: 0.9922}[p], abs=1e-4)
    assert ask(tmp_path / "run", "SELECT max(n) FROM (SELECT count(*) n FROM pairs GROUP BY problem)") == [(3,)]
    broken = """SELECT count(*) FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected
        JOIN scores sc ON sc.target = c.id JOIN scores sr ON sr.target = r.id
        WHERE sc.label <> 'right' OR sr.label <> 'wrong' OR c.problem <> r.problem OR c.text = r.text"""
    assert ask(tmp_path / "run", broken) == [(0,)]

"""self_training/self-motivated (arXiv:2404.07017): ranks by answer."""

from __future__ import annotations

from pathlib import Path

from support import ask, run, sums

from synth.models import ScriptedModel, World


async def test_ranks_by_answer_make_c_times_w_pairs_and_a_hint_only_where_all_failed(tmp_path: Path):
    n = 80
    model = ScriptedModel(World(solve_rate=0.25, hint_rate=0.5))
    await run("self_training/self-motivated", sums(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    counts = ask(
        folder,
        "SELECT problem, sum(s.value)::INT, count(*), bool_or(hinted) FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' GROUP BY 1",
    )
    pairs = dict(ask(folder, "SELECT problem, count(*) FROM pairs GROUP BY 1"))
    assert all(pairs.get(p, 0) == c * (k - c) for p, c, k, _ in counts)
    assert all((k == 9) == hinted for _, _, k, hinted in counts)
    unhinted = dict(
        ask(
            folder,
            "SELECT r.problem, sum(s.value) FROM rationales r JOIN scores s ON s.target = r.id WHERE r.step = 'solve' GROUP BY 1",
        )
    )
    assert all((unhinted[p] == 0) == hinted for p, _, _, hinted in counts)
    assert any(hinted for *_, hinted in counts)
    crossed = "SELECT count(*) FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected WHERE c.problem <> d.problem"
    assert ask(folder, crossed) == [(0,)]

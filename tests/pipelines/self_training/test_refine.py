"""self_training/refine (arXiv:2303.17651): yields of revisions, and their pairs."""

from __future__ import annotations

from pathlib import Path

from methods import near
from support import ask, run, sums

from synth.models import ScriptedModel, World


async def test_refining_keeps_p_and_r_of_the_rest_and_pairs_each_revision_with_what_it_mends(tmp_path: Path):
    p, r, n = 0.5, 0.6, 200
    model = ScriptedModel(World(solve_rate=p, revise_rate=r))
    await run("self_training/refine", sums(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    kept = dict(ask(folder, "SELECT step, count(*) FROM kept_rationales GROUP BY 1"))
    assert near(kept["solve"] / n, p, n)
    assert near(sum(kept.values()) / n, p + (1 - p) * r, n)
    calls = dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": n, "critique": n - kept["solve"], "revise": n - kept["solve"]}
    pairs = ask(
        folder,
        "SELECT p.reason, c.parent = d.id, c.step FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected",
    )
    assert len(pairs) == kept["revise"]
    assert set(pairs) == {("revision", True, "revise")}

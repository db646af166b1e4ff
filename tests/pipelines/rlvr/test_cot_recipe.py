"""rlvr/cot-recipe (arXiv:2512.05318): the schedule inside the prompt and of the answers, and the packs in its order."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run

from synth.errors import UserError
from synth.export import export_run
from synth.models import ScriptedModel


def student() -> dict:
    """Says one word."""
    return {"student": [ScriptedModel(lambda request, rng: "The answer is abcd.")]}


@pytest.mark.parametrize("power", [0.5, 1, 2])
async def test_examples_and_answers_show_their_chain_by_one_schedule(tmp_path: Path, power: float):
    """1 / (1 + power) of the examples, and of the answers; rows stand in the order of the stream, and end in the chain or without it."""
    n, k = 120, 6
    made = preset(tmp_path / "p.yaml", "rlvr/cot-recipe", cot_share={"power": power})
    source = f"make:symbolic?place=1-{n}&examples={k}&chain=2&power={power}&size={n}"
    await run(made, source, tmp_path / "run", student())
    shown = ask(tmp_path / "run", "SELECT sum((meta->>'shown')::INT) FROM problems")[0][0]
    mean = sum((i / n) ** power for i in range(1, n + 1)) / n
    assert mean == pytest.approx(1 / (1 + power), abs=0.01)
    assert near(shown / (n * k), mean, n * k)
    rows = [
        json.loads(row) for row in export_run(tmp_path / "run", "sft", tmp_path / "out").path.read_text().splitlines()
    ]
    assert len(rows) == n
    reasoned = ["Word 1 of the chain" in row["messages"][-1]["content"] for row in rows]
    assert near(sum(reasoned) / n, mean, n)
    places = dict(ask(tmp_path / "run", "SELECT id, (meta->>'place')::DOUBLE FROM problems"))
    assert all(places[a["problem_id"]] < places[b["problem_id"]] for a, b in pairwise(rows))
    chances = ask(tmp_path / "run", "SELECT (p.meta->>'share')::DOUBLE, s.value FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem WHERE s.name = 'cot_share'")  # fmt: skip  # noqa: E501
    assert len(chances) == n
    assert all(asked == pytest.approx(taught) for asked, taught in chances)  # inside the prompt as in the answer


async def test_a_place_is_from_0_to_1(tmp_path: Path):
    """Another number is an error that names the row."""
    made = preset(tmp_path / "p.yaml", "rlvr/cot-recipe", cot_share={"place": "problem.meta.index"})
    with pytest.raises(UserError, match="is 2, not from 0 to 1") as refused:
        await run(made, "make:symbolic?size=3", tmp_path / "run", student())
    assert refused.value.fix == "divide it by the greatest place"

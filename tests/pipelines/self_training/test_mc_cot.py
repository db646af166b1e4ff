"""self_training/mc-cot (arXiv:2311.14109): the medoid of the majority."""

from __future__ import annotations

import json
from pathlib import Path

from methods import choices
from support import ask, run, synth

from synth.export import export_run
from synth.models import ScriptedModel


async def test_the_medoid_of_the_majority_is_kept_and_two_stages_are_exported(tmp_path: Path):
    texts = [
        "We count to three and see two.",
        "We count to three and see them.",
        "We count to three and see two now.",
        "Elephants sing.",
        "Away.",
    ]

    def script(request, rng):
        i = request.sample
        return f"{texts[i]}\nThe answer is {'B' if i == 4 else 'A'}."

    await run("self_training/mc-cot", choices(tmp_path / "in.jsonl", 1, 3), tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    assert ask(folder, "SELECT text FROM kept_rationales") == [(texts[0],)]
    scores = dict(
        ask(
            folder,
            "SELECT r.text, s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'consensus'",
        )
    )
    assert set(scores) == set(texts[:4])  # the minority is out before
    assert scores[texts[3]] == 0
    assert max(scores, key=scores.get) == texts[0]
    assert synth("export", folder, "--to", "sft", "--stages", "two", "--out", tmp_path / "out", check=0)
    rows = [json.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_text().splitlines()]
    assert [r["task"] for r in rows] == ["rationale", "answer"]
    assert rows[0]["messages"][-1]["content"] == texts[0]
    assert texts[0] in rows[1]["messages"][0]["content"]
    assert rows[1]["messages"][-1]["content"] == "The answer is A."
    assert len(export_run(folder, "sft", tmp_path / "one").path.read_text().splitlines()) == 1


async def test_consensus_of_equal_texts_is_one(tmp_path: Path):
    model = ScriptedModel(lambda request, rng: "So it is.\nThe answer is A.")
    await run("self_training/mc-cot", choices(tmp_path / "in.jsonl", 1, 3), tmp_path / "run", model)
    assert {v for (v,) in ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'consensus'")} == {1.0}

"""process/birm (arXiv:2503.04618): what a step is worth ahead and whether it is right so far, as two columns of one row."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, sums

from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World

M, Q, K = 4, 0.3, 8
STUDENT = World(solve_rate=(1 - Q) ** M, steps=M, lucky_rate=0, step_error_rate=Q)


async def labelled(
    folder: Path, n: int = 40, pipeline: str | Path = "process/birm", **judge: float
) -> dict[str, dict[str, list[float | None]]]:
    """The scores of the steps of each solution, in order, and its `steps` and outcome."""
    models = {
        "student": [ScriptedModel(STUDENT, name="student")],
        "judge": [ScriptedModel(World(**{"sensitivity": 1, "specificity": 1, **judge}), name="judge")],
    }
    await run(pipeline, sums(folder.parent / "in.jsonl", n), folder, models)
    query = """SELECT r.id, s.name, list(s.value ORDER BY s.part.index) FROM rationales r JOIN scores s ON s.target = r.id
        WHERE s.part IS NOT NULL GROUP BY 1, 2"""
    found = {
        i: {"sound": [float(World.is_sound(step)) for step in steps], "outcome": [right], "problem": problem}
        for i, steps, right, problem in ask(
            folder,
            "SELECT r.id, r.steps, s.value, r.problem FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct'",
        )
    }
    for target, name, values in ask(folder, query):
        found[target][name] = values
    return found


async def test_value_is_the_chance_to_end_right_and_reward_whether_it_is_clean(tmp_path: Path):
    """Of step t of M, if no step errs but with q and nothing is undone: (1-q)^(M-t) and 1 up to the first error, then 0 and 0."""
    found = await labelled(tmp_path / "run")
    by_left: dict[int, list[float]] = {}
    for scores in found.values():
        clean = list(accumulate(scores["sound"], min))
        assert scores["step_correct"] == clean
        assert scores["step_value"][-1:] == scores["outcome"] == clean[-1:]
        for t, value in enumerate(scores["step_value"][:-1]):
            if clean[t]:
                by_left.setdefault(M - 1 - t, []).append(value)
            else:
                assert value == 0
        assert scores["step_certain"] == [float(value == 1) for value in scores["step_value"]]
        assert scores["step_both"] == [v + r for v, r in zip(scores["step_value"], clean, strict=True)]
    assert set(by_left) == {1, 2, 3}
    for left, values in by_left.items():
        assert near(sum(values) / len(values), (1 - Q) ** left, len(values) * K)
    # The hard label is stricter than "any came out right", and both values occur before the last step.
    ahead = [pair for s in found.values() for pair in list(zip(s["step_value"], s["step_certain"], strict=True))[:-1]]
    assert {certain for value, certain in ahead if value} == {0.0, 1.0}
    calls = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": 160, "look_ahead": 160 * (M - 1) * K, "look_back": 160}


async def test_rewards_of_a_judge_that_errs(tmp_path: Path):
    """A step is right so far where the judge passes it and all before it: `0.9` of each right one and `0.3` of each wrong one."""
    found = await labelled(tmp_path / "run", pipeline=preset(tmp_path / "p.yaml", "process/birm", look_ahead={"samples": 1}),
                           specificity=0.9, sensitivity=0.7)  # fmt: skip
    rewards: dict[tuple[float, ...], list[float]] = {}
    for scores in found.values():
        assert scores["step_correct"] == list(accumulate(scores["step_judged"], min))
        for t, reward in enumerate(scores["step_correct"]):
            rewards.setdefault((sum(scores["sound"][: t + 1]), t + 1), []).append(reward)
    # The verdicts themselves are kept: some call a step right after a wrong one.
    assert any(scores["step_judged"] != scores["step_correct"] for scores in found.values())
    assert len(rewards) > 8
    for (right, n), seen in rewards.items():
        assert near(sum(seen) / len(seen), 0.9**right * 0.3 ** (n - right), len(seen))


@pytest.mark.parametrize(("beta", "first"), [(0.0, "step_value"), (1000.0, "step_correct")])
async def test_beta_moves_from_the_ranking_by_value_to_that_by_reward(tmp_path: Path, beta: float, first: str):
    """At 0 it ranks by value alone, at 1000 by reward, and by value where rewards are alike."""
    both = {"value": f"step.score.step_value + {beta} * step.score.step_correct"}
    found = await labelled(
        tmp_path / "run",
        n=12,
        pipeline=preset(tmp_path / "p.yaml", "process/birm", both=both),
        specificity=0.8,
        sensitivity=0.5,
    )
    steps = [
        (b, v, r)
        for scores in found.values()
        for b, v, r in zip(scores["step_both"], scores["step_value"], scores["step_correct"], strict=True)
    ]
    by = 1 if first == "step_value" else 2
    pairs = [(a, b) for a in steps for b in steps]
    assert all((a[0] > b[0]) for a, b in pairs if a[by] > b[by])
    if first == "step_correct":
        assert all((a[0] > b[0]) == (a[1] > b[1]) for a, b in pairs if a[2] == b[2])
    # The two rankings contradict each other, so that beta decides.
    assert any(a[1] > b[1] and a[2] < b[2] for a, b in pairs)


async def test_both_labels_stand_in_one_row(tmp_path: Path):
    found = await labelled(tmp_path / "run", n=8, specificity=0.9, sensitivity=0.7)
    made = export_run(tmp_path / "run", "prm", tmp_path / "out", ExportOptions(values="step_value"))
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert {row["record_id"] for row in rows} == set(found)
    for row in rows:
        scores = found[row["record_id"]]
        assert row["labels"] == [bool(reward) for reward in scores["step_correct"]]
        assert row["values"] == scores["step_value"]

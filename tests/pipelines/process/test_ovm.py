"""process/ovm (arXiv:2311.09724): outcomes as labels of steps, and their mean over shared beginnings."""

from __future__ import annotations

from pathlib import Path

from methods import preset
from support import ask, run, sums

from synth.models import ScriptedModel

VALUES = """SELECT r.problem, r.steps, s.part.index, s.value, l.value FROM scores s JOIN rationales r ON r.id = s.target
    JOIN scores l ON l.target = s.target AND l.part = s.part AND l.name = 'step_correct' WHERE s.name = 'step_value'"""


async def test_values_are_the_share_of_right_samples_with_this_beginning(tmp_path: Path):
    """A student that takes one of two words at each of three steps, and is right after most of some of them: a recount gives the same."""

    def script(request, rng):
        words = [rng.choice(["left", "right"]) for _ in range(3)]
        right = rng.random() < 0.9 if words[0] == "left" else rng.random() < 0.2
        answer = request.task.problem.answer if right else "1"
        return "\n".join([*(f"I turn {word}." for word in words), f"The answer is {answer}."])

    made = preset(tmp_path / "p.yaml", "process/ovm", deduplicate=None)
    await run(made, sums(tmp_path / "in.jsonl", 4), tmp_path / "run", ScriptedModel(script))
    outcomes = ask(
        tmp_path / "run",
        "SELECT r.problem, r.steps, c.value FROM rationales r JOIN scores c ON c.target = r.id AND c.name = 'correct'",
    )
    assert len(outcomes) == 4 * 16
    shared = set()
    rows = ask(tmp_path / "run", VALUES)
    assert len(rows) == 3 * len(outcomes)
    for problem, steps, index, value, label in rows:
        same = [o for p, others, o in outcomes if p == problem and others[: index + 1] == steps[: index + 1]]
        assert value == sum(same) / len(same)
        assert label == (value > 0)
        shared.add(len(same))
    assert max(shared) > 4


async def test_calls_are_the_samples_alone_and_duplicates_go_after_they_were_counted(tmp_path: Path):
    """All samples the same: one is kept, and its values are shares of all 16."""
    rows = sums(tmp_path / "in.jsonl", 2)
    await run("process/ovm", rows, tmp_path / "run", ScriptedModel(lambda request, rng: "I count.\nThe answer is 5."))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(32,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(2,)]
    reasons = ask(tmp_path / "run", "SELECT DISTINCT reason FROM scores WHERE name = 'step_value'")
    assert all("16 samples" in reason for (reason,) in reasons)

"""judge/sophiavl-trust (arXiv:2505.17018): grades of the thinking, trusted as far as they prefer right answers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from methods import preset
from support import ask, run, sums, write_rows

from synth.models import ScriptedModel

TOTALS = """SELECT r.sample, s.name, s.value FROM rationales r JOIN scores s ON s.target = r.id
WHERE s.name IN ('correct', 'thinking', 'trust', 'total')"""


def model(right: Sequence[bool], grades: Sequence[float], shift: float = 0.0) -> ScriptedModel:
    """Solutions that are right or wrong by their number, each with a grade in [0, 1]."""

    def script(request, rng):
        task = request.task
        if task.kind == "ask":
            return json.dumps({"reasons": "So it seems.", "grade": round(10 * (grades[task.subject.sample] + shift))})
        gold = task.problem.answer
        return f"We add up in way {request.sample}.\nThe answer is {gold if right[request.sample] else int(gold) + 1}."

    return ScriptedModel(script)


async def scores(tmp_path: Path, made: Path | str, model: ScriptedModel) -> dict[int, dict[str, float]]:
    """The scores of the solutions of one problem, by their number."""
    await run(made, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", model)
    found: dict[int, dict[str, float]] = {}
    for sample, name, value in ask(tmp_path / "run", TOTALS):
        found.setdefault(sample, {})[name] = value
    return found


@pytest.mark.parametrize(
    ("step", "of_right", "of_wrong", "coefficient"),
    [(0, 0.8, 0.4, 0.30), (0, 0.4, 0.8, 0.2011), (500, 0.4, 0.8, 0.0740), (0, 0.6, 0.6, 0.30)],
)
async def test_the_weight_of_a_grade(tmp_path: Path, step: int, of_right: float, of_wrong: float, coefficient: float):
    """0.3 exp(-step / 500) times exp(right - wrong), which is at most 1; grades spread about the means change nothing."""
    right = [True, True, False, False]
    grades = [of_right + 0.2, of_right - 0.2, of_wrong + 0.1, of_wrong - 0.1]
    weight = 0.3 * math.exp(-step / 500)
    made = preset(
        tmp_path / "p.yaml", "judge/sophiavl-trust",
        solve={"samples": 4}, total={"value": f"score.correct + {weight} * score.trust * score.thinking"},
    ) if step else preset(tmp_path / "p.yaml", "judge/sophiavl-trust", solve={"samples": 4})  # fmt: skip
    found = await scores(tmp_path, made, model(right, grades))
    for number, s in found.items():
        assert s["trust"] == pytest.approx(min(1, math.exp(of_right - of_wrong)))
        assert s["thinking"] == pytest.approx(grades[number])
        assert (s["total"] - right[number]) / s["thinking"] == pytest.approx(coefficient, abs=5e-5)


@pytest.mark.parametrize("right", [True, False])
async def test_a_group_of_one_kind_is_not_graded(tmp_path: Path, right: bool):
    """Where all are right, or all wrong, nothing is asked, and the total is the answer."""
    found = await scores(tmp_path, "judge/sophiavl-trust", model([right] * 8, [0.5] * 8))
    assert found == {n: {"correct": float(right), "total": float(right)} for n in range(8)}
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'grade'") == [(0,)]


async def test_a_constant_added_to_all_grades_leaves_the_trust(tmp_path: Path):
    right, grades = [True, False, False, True, False, True, True, False], [0.1, 0.7, 0.5, 0.2, 0.6, 0.4, 0.3, 0.5]
    trusts = []
    for number, shift in enumerate((0.0, 0.3)):
        (folder := tmp_path / str(number)).mkdir()
        found = await scores(folder, "judge/sophiavl-trust", model(right, grades, shift))
        trusts += [s["trust"] for s in found.values()]
    assert trusts == [pytest.approx(math.exp(0.25 - 0.575))] * 16


async def test_a_judge_that_prefers_what_is_wrong_never_puts_it_above_what_is_right(tmp_path: Path):
    """Graded 0 to 1 against the truth, the right ones have higher totals all the same, and every pair prefers one."""
    right, grades = [True, False] * 4, [0.0, 1.0] * 4
    found = await scores(tmp_path, "judge/sophiavl-trust", model(right, grades))
    assert min(s["total"] for n, s in found.items() if right[n]) > max(
        s["total"] for n, s in found.items() if not right[n]
    )
    assert next(iter(found.values()))["trust"] == pytest.approx(math.exp(-1))
    sides = ask(
        tmp_path / "run",
        "SELECT DISTINCT c.sample % 2, d.sample % 2 FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected",
    )
    assert sides == [(0, 1)]


@pytest.mark.data
@pytest.mark.parametrize(("turned", "distrusted"), [(False, 0), (True, 6)])
async def test_trust_in_a_reward_model(data: Path, tmp_path: Path, turned: bool, distrusted: int):
    """The scores of a reward model on eight solutions each, as grades: trust as computed here from the file.

    Six of 57 problems have right and wrong solutions; the model prefers the right ones in all of them, turned round in none.
    """
    rows = [json.loads(line) for line in (data / "math_samples_rm.jsonl").read_text().splitlines()]
    by_question = {row["question"]: row for row in rows}
    grades = {  # reward-model scores brought to tenths between -8 and 4
        row["question"]: [min(10, max(0, round((8 + (-s[0] if turned else s[0])) / 1.2))) for s in row["pred_score"]]
        for row in rows
    }

    def script(request, rng):
        row = by_question[request.task.problem.question]
        if request.task.kind == "ask":
            return json.dumps({"reasons": "The reward.", "grade": grades[row["question"]][request.task.subject.sample]})
        right = row["score"][request.sample]
        return f"Solution {request.sample}.\nThe answer is {'42' if right else '-7'}."

    given = [{"question": row["question"], "answer": "42"} for row in rows]
    await run("judge/sophiavl-trust", write_rows(tmp_path / "in.jsonl", given), tmp_path / "run", ScriptedModel(script))
    found = dict(
        ask(
            tmp_path / "run",
            "SELECT p.question, any_value(s.value) FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
            "WHERE s.name = 'trust' GROUP BY 1",
        )
    )
    expected = {}
    for question, row in by_question.items():
        t, f = (
            [g / 10 for g, r in zip(grades[question], row["score"], strict=True) if r == want] for want in (True, False)
        )
        if t and f:
            expected[question] = math.exp(min(0, sum(t) / len(t) - sum(f) / len(f)))
    assert found == {q: pytest.approx(v) for q, v in expected.items()}
    assert (len(rows), len(found), sum(v < 1 for v in found.values())) == (57, 6, distrusted)

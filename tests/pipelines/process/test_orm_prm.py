"""process/orm-prm (arXiv:2211.14275): outcome labels and process labels, and the tables that compare them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset, saying
from support import ROOT, ask, run, sums

from synth.audit import add_functions
from synth.models import ScriptedModel
from synth.store.database import open_store

FOLDER = ROOT / "pipelines" / "process" / "orm-prm"
STEPS, ERROR, LUCK = 5, 0.05, 0.2


def table(folder: Path, name: str) -> list[tuple[Any, ...]]:
    with open_store(folder) as store:
        add_functions(store)
        return store.sql((FOLDER / f"{name}.sql").read_text()).fetchall()


def solver(grade: Any) -> ScriptedModel:
    """Errs on each step with `ERROR`, and ends right after an error with `LUCK`; `grade` is the grader, over the text of a step."""

    def script(request, rng):
        if request.task.kind == "ask":
            return saying(grade(request.task.subject.steps[request.task.part.index]))
        steps = [f"Part {i} is {'off' if rng.random() < ERROR else 'fine'}." for i in range(STEPS)]
        right = not any("off" in step for step in steps) or rng.random() < LUCK
        return "\n".join([*steps, f"The answer is {request.task.problem.answer if right else '1'}."])

    return ScriptedModel(script)


async def test_a_solver_with_known_rates_has_the_errors_of_the_closed_form(tmp_path: Path):
    """Right in 0.8190 of the answers, of which 5.52 % have a wrong step; calls are k (1 + n)."""
    n = 100
    model = solver(lambda text: 0.1 if "off" in text else 0.9)
    await run("process/orm-prm", sums(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    clean = (1 - ERROR) ** STEPS
    accuracy = clean + (1 - clean) * LUCK
    assert accuracy == pytest.approx(0.8190, abs=5e-5)
    assert (1 - clean) * LUCK / accuracy == pytest.approx(0.0552, abs=5e-5)
    ((final_error, trace_error, solutions),) = table(tmp_path / "run", "trace_error")
    assert solutions == 8 * n
    assert near(1 - final_error, accuracy, solutions)
    assert near(trace_error, 0.0552, round(solutions * accuracy))
    # Equal replies of two samples are two calls; equal steps of two solutions are asked about once each.
    ((solving, grading),) = ask(
        tmp_path / "run", "SELECT count(*) FILTER (step = 'solve'), count(*) FILTER (step = 'grade') FROM calls"
    )
    assert solving == 8 * n
    assert 0 < grading <= 8 * n * STEPS


async def test_outcome_labels_are_the_outcome_and_process_labels_end_at_the_first_error(tmp_path: Path):
    model = solver(lambda text: 0.1 if "off" in text else 0.9)
    await run("process/orm-prm", sums(tmp_path / "in.jsonl", 20), tmp_path / "run", model)
    rows = ask(
        tmp_path / "run",
        """SELECT r.steps, c.value, r.id, list(s.value ORDER BY s.part.index) FILTER (s.name = 'step_outcome'),
        list(s.value ORDER BY s.part.index) FILTER (s.name = 'step_correct') FROM rationales r
        JOIN scores c ON c.target = r.id AND c.name = 'correct' JOIN scores s ON s.target = r.id AND s.part IS NOT NULL GROUP BY ALL""",
    )
    lucky = 0
    for steps, outcome, _, by_outcome, by_process in rows:
        assert by_outcome == [outcome] * STEPS
        marks = [float("off" not in step) for step in steps]
        expected = marks[: marks.index(0) + 1] if 0 in marks else marks
        assert by_process == expected
        lucky += outcome == 1 and 0 in marks
    assert lucky > 0


@pytest.mark.parametrize("grade", ["constant", "perfect"])
async def test_policies_of_a_constant_and_of_a_perfect_reward(tmp_path: Path, grade: str):
    """Constant: best of n is chance and the weighted vote the majority, exactly. Perfect (no luck): both are the oracle."""

    def script(request, rng):
        if request.task.kind == "ask":
            sound = "off" not in request.task.subject.steps[request.task.part.index]
            return saying(0.5 if grade == "constant" else 1.0 if sound else 0.0)
        right = rng.random() < 0.4
        answer = request.task.problem.answer if right else rng.choice("123")
        return f"This is {'fine' if right else 'off'}.\nThe answer is {answer}."

    await run("process/orm-prm", sums(tmp_path / "in.jsonl", 15), tmp_path / "run", ScriptedModel(script))
    found = table(tmp_path / "run", "policies")
    assert [n for n, *_ in found] == [1, 2, 4, 8]
    for n, chance, majority, best, weighted, oracle, problems in found:
        assert problems == 15
        if grade == "constant":
            assert best == pytest.approx(chance)
            assert weighted == pytest.approx(majority)
            assert n == 1 or best < oracle
        else:
            assert best == pytest.approx(oracle)
            assert weighted == pytest.approx(oracle, abs=1e-6)  # a wrong step is 1e-9, which the reward is not without
    errors = {rejected: error for rejected, error, _ in table(tmp_path / "run", "selective")}
    overall = 1 - found[0][1]
    assert errors[0.0] == pytest.approx(overall)
    # A reward that knows nothing leaves the error as it is; a perfect one rejects wrong answers alone, as long as there are any.
    left = overall if grade == "constant" else max(0.0, (overall - 0.5) / 0.5)
    assert errors[0.5] == pytest.approx(left)


async def test_both_kinds_of_labels_are_exported(tmp_path: Path):
    from synth.export import ExportOptions, export_group

    model = solver(lambda text: 0.1 if "off" in text else 0.9)
    made = preset(tmp_path / "p.yaml", "process/orm-prm", right=None)
    await run(made, sums(tmp_path / "in.jsonl", 10), tmp_path / "run", model)
    rows = {}
    for name in ("step_outcome", "step_correct"):
        files = export_group(tmp_path / "run", {"prm": ExportOptions(step_score=name)}, tmp_path / name)
        rows[name] = [json.loads(line) for line in files["prm"].path.read_text().splitlines()]
    assert len(rows["step_outcome"]) == len(rows["step_correct"]) == 80
    assert all(len(set(row["labels"])) == 1 for row in rows["step_outcome"])
    assert all(sum(not label for label in row["labels"]) <= 1 for row in rows["step_correct"])

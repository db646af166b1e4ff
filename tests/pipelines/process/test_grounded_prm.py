"""process/grounded-prm (arXiv:2510.14942): calculation decides what it can, a judge the rest, and labels do not contradict what follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ask, run, sums

from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World

SEARCH = World(steps=5, solve_rate=0.4, step_error_rate=0.3, finish_rate=0.5, recover_rate=0.3)
METHOD = "process/grounded-prm"


def student(world: World, tenths: int = 10) -> ScriptedModel:
    """A world whose sums can be calculated if their first number ends in one of so many digits; the others have an unknown in them."""

    def script(request: Any, rng: Any) -> str:
        lines = world(request, rng).splitlines()
        unknown = [tenths <= int(line.split()[3]) % 10 if line.startswith("We know") else False for line in lines]
        return "\n".join(
            line.replace("We know that", "We know that x +") if hide else line
            for line, hide in zip(lines, unknown, strict=True)
        )

    return ScriptedModel(script, name="student")


async def solutions(
    folder: Path, pipeline: str | Path = METHOD, n: int = 12, **models: ScriptedModel
) -> dict[str, dict]:
    """The solutions by id: steps, outcome, fidelity, and by name the scores of the steps in order."""
    given = {"student": student(SEARCH), "judge": ScriptedModel(World(), name="judge"), **models}
    await run(pipeline, sums(folder.parent / "in.jsonl", n), folder, {role: [model] for role, model in given.items()})
    found = {
        i: {"problem": p, "steps": tuple(steps), "outcome": outcome, "fidelity": fidelity}
        for i, p, steps, outcome, fidelity in ask(
            folder,
            "SELECT r.id, r.problem, r.steps, c.value, f.value FROM rationales r JOIN scores c ON c.target = r.id AND c.name = 'correct' "
            "LEFT JOIN scores f ON f.target = r.id AND f.name = 'fidelity'",
        )
    }
    query = """SELECT target, name, list(value ORDER BY part.index) FROM current_scores WHERE part IS NOT NULL GROUP BY 1, 2"""
    for target, name, values in ask(folder, query):
        found[target][name] = values
    return found


async def test_fidelity_of_two_right_steps_and_a_wrong_one(tmp_path: Path):
    """Of v = [1, 1, -1]: 0.7778 with a right answer, 0.1111 with a wrong one; all right: 1; after a step the same of what is left."""

    def script(request: Any, rng: Any) -> str:
        right = request.task.problem.answer
        last, answer = [("3 + 3 = 7", right), ("3 + 3 = 8", -1), ("3 + 3 = 6", right)][request.sample]
        return f"1 + 1 = 2\n2 + 2 = 4\n{last}\nThe answer is {answer}."

    made = preset(tmp_path / "p.yaml", METHOD, tree={"max_searches": 1})
    found = await solutions(tmp_path / "run", made, 1, student=ScriptedModel(script, name="student"))
    by_last = {s["steps"][-1]: s for s in found.values()}
    assert by_last["3 + 3 = 7"]["fidelity"] == pytest.approx(0.7778, abs=1e-4)
    assert by_last["3 + 3 = 8"]["fidelity"] == pytest.approx(0.1111, abs=1e-4)
    assert by_last["3 + 3 = 6"]["fidelity"] == pytest.approx(1)
    # Of [1, -1] with F, of [-1] with F, of F alone.
    assert by_last["3 + 3 = 7"]["step_fidelity"] == pytest.approx([0.75, 0, 1])
    assert by_last["3 + 3 = 8"]["step_fidelity"] == pytest.approx([-0.25, -2, -1])
    # A fidelity of 0 gives no label, nor does a wrong step after which all is right.
    assert by_last["3 + 3 = 7"]["step_correct"] == [1, None, None]
    assert by_last["3 + 3 = 8"]["step_correct"] == [1, 1, 0]
    assert by_last["3 + 3 = 6"]["step_correct"] == [1, 1, 1]


async def test_the_first_step_flagged_is_the_one_with_the_wrong_number(tmp_path: Path):
    """Of every solution, without a call to the judge; what is right is not flagged."""
    found = await solutions(tmp_path / "run")
    injected = [World.first_error(s["steps"]) for s in found.values()]
    assert sum(place is not None for place in injected) > 30
    assert injected == [s["step_verified"].index(0) if 0 in s["step_verified"] else None for s in found.values()]
    assert ask(tmp_path / "run", "SELECT DISTINCT step FROM calls") == [("tree",)]


@pytest.mark.parametrize(("tenths", "accuracy"), [(0, 0.7), (6, 0.7), (6, 0.5), (10, 0.5)])
async def test_labels_are_right_as_often_as_coverage_and_judge_say(tmp_path: Path, tenths: int, accuracy: float):
    """A calculation that decides a share `c` of the steps, and a judge that is right at `a`: `c + (1 - c) a`."""
    judge = ScriptedModel(World(sensitivity=accuracy, specificity=accuracy), name="judge")
    found = await solutions(tmp_path / "run", n=40, student=student(SEARCH, tenths), judge=judge)
    verdicts: dict[tuple[str, ...], float] = {}  # a step is judged once, however many solutions go through it
    for s in found.values():
        for i, verdict in enumerate(s["step_verified"]):
            assert verdicts.setdefault((s["problem"], *s["steps"][: i + 1]), verdict) == verdict
    n = len(verdicts)
    assert n > 500
    covered = sum("x +" not in path[-1] for path in verdicts) / n
    assert near(covered, tenths / 10, n)
    right = sum((verdict == 1) == World.is_sound(path[-1]) for path, verdict in verdicts.items()) / n
    assert near(right, covered + (1 - covered) * accuracy, n)
    judged = ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'judge'")[0][0]
    assert judged == round(n * (1 - covered))


async def test_conversations_say_the_label_and_its_reason_and_end_before_a_contradiction(tmp_path: Path):
    judge = ScriptedModel(World(sensitivity=0.7, specificity=0.7), name="judge")
    found = await solutions(tmp_path / "run", n=20, student=student(SEARCH, 5), judge=judge)
    options = ExportOptions(steps_as="chat", reasons="step_verified", unsure="cut")
    rows = [json.loads(line) for line in export_run(tmp_path / "run", "prm", tmp_path / "out", options).path.read_text().splitlines()]  # fmt: skip
    reasons = {(t, i, r) for t, i, r in ask(tmp_path / "run", "SELECT target, part.index, reason FROM scores WHERE name = 'step_verified'")}  # fmt: skip
    assert len(rows) > 50
    seen = []
    for row in rows:
        of = found[row["record_id"]]
        labels, verdicts = row["step_labels"], of["step_verified"]
        for i, label in enumerate(labels):
            reason, _, word = row["messages"][2 * i + 1]["content"].rpartition("\n\n")
            assert word == ("right" if label else "wrong")
            assert label == (verdicts[i] == 1)
            assert (row["record_id"], i, reason) in reasons
            seen.append((label, of["step_fidelity"][i] > 0))
        if False in labels:  # after a wrong step come wrong steps alone
            assert True not in labels[labels.index(False) :]
        whole = len(labels) == len(verdicts)
        end = len(labels)
        contradicted = not whole and (
            of["step_fidelity"][end] == 0
            or (verdicts[end] == 0 and of["step_fidelity"][end] > 0)
            or (verdicts[end] == 1 and 0 in verdicts[:end])
        )
        assert whole or contradicted
    assert (False, True) not in seen
    assert {(True, True), (True, False), (False, False)} <= set(seen)

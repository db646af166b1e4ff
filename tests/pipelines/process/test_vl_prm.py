"""process/vl-prm (arXiv:2509.23250), in text: labels by continuations and a judge together, and the kind of the first mistake."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ask, run, sums

from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline

METHOD = "process/vl-prm"
M, P, RECOVER, RIGHT, WRONG = 3, 0.1, 0.03, 0.9, 0.3
"""Steps; of continuations that come out right from a sound beginning, and from another; of verdicts "right" on a right step, and on a wrong one."""


async def solutions(
    folder: Path, n: int, student: ScriptedModel | World, judge: ScriptedModel, pipeline: str | Path = METHOD
) -> dict[str, dict[str, Any]]:
    """The solutions by id: steps, outcome, the kind of the first mistake, and by name the scores of the steps in order."""
    model = student if isinstance(student, ScriptedModel) else ScriptedModel(student, name="student")
    models = {"student": [model.knowing(load_pipeline(METHOD).simulators)], "judge": [judge]}
    await run(pipeline, sums(folder.parent / "in.jsonl", n), folder, models)
    query = """SELECT r.id, r.steps, c.value, k.label, k.value FROM rationales r JOIN scores c ON c.target = r.id AND c.name = 'correct'
        JOIN scores k ON k.target = r.id AND k.name = 'first_mistake'"""
    found = {
        i: {"steps": tuple(steps), "outcome": outcome, "kind": kind, "first": first}
        for i, steps, outcome, kind, first in ask(folder, query)
    }
    scores = "SELECT target, name, list(value ORDER BY part.index) FROM scores WHERE part IS NOT NULL GROUP BY 1, 2"
    for target, name, values in ask(folder, scores):
        found[target][name] = values
    return found


def chance(sound: list[bool], outcome: float, t: int) -> float:
    """Of step t being labelled right: each step up to it has some right continuation of 16, and the judge passes it."""
    reached = [outcome if i == M - 1 else 1 - (1 - (P if all(sound[: i + 1]) else RECOVER)) ** 16 for i in range(t + 1)]
    return math.prod(reached) * math.prod(RIGHT if sound[i] else WRONG for i in range(t + 1))


async def test_labels_are_those_of_both_together(tmp_path: Path):
    """As often as arithmetic says, for each pattern of right and wrong steps; `(1-p)^16` of right beginnings are missed; no + after a -."""
    student = World(solve_rate=0.5, lucky_rate=0, step_error_rate=0.3, steps=M, finish_rate=P, recover_rate=RECOVER)
    judge = ScriptedModel(World(specificity=RIGHT, sensitivity=1 - WRONG), name="judge")
    found = await solutions(tmp_path / "run", 120, student, judge)
    assert len(found) == 240
    labels: dict[tuple[Any, ...], list[float]] = {}
    missed: list[bool] = []
    disagree = 0
    for s in found.values():
        sound = [World.is_sound(step) for step in s["steps"]]
        both = [min(r, j) for r, j in zip(s["step_reachable"], s["step_judged"], strict=True)]
        first = both.index(0) if 0 in both else M
        assert s["step_correct"] == [1.0] * first + [0.0] * (M - first)
        disagree += s["step_reachable"] != s["step_judged"]
        assert s["first"] == (first if first < M else None)
        assert s["kind"] == ("none" if first == M else "perception" if first == 0 else "reasoning")
        missed += [s["step_value"][i] == 0 for i in range(M - 1) if all(sound[: i + 1])]
        for t in range(M):
            labels.setdefault((*sound, s["outcome"], t), []).append(s["step_correct"][t])
    assert disagree > 20  # and what each said is kept
    assert len(missed) > 200
    assert near(sum(missed) / len(missed), (1 - P) ** 16, len(missed))
    for (*sound, outcome, t), seen in labels.items():
        assert near(sum(seen) / len(seen), chance(sound, outcome, t), len(seen)), (sound, t)
    calls = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": 240, "look_ahead": 240 * 16 * (M - 1), "look_back": 240}


def facts(question: str) -> list[int]:
    """The two numbers that a question gives."""
    return [int(x) for x in re.findall(r"number (\d+), and later (\d+)", question)[0]]


def seeing(request: Any, rng: Any) -> str:
    """Two facts of the question and their sum; in every second solution one number is another one, and what was begun stays as it is."""
    true = facts(request.task.problem.question)
    begun = [line for line in (request.continue_from or request.begun or "").splitlines() if line.strip()]
    seen = [int(line.split()[-1]) for line in begun if line.startswith("Seen:")]
    seen += true[len(seen) :]
    if request.step == "solve" and request.sample % 2:
        seen[rng.randrange(2)] += rng.choice([-3, 5, 40])
    lines = [*(f"Seen: there are {x}" for x in seen), f"So: the sum is {sum(seen)}"]
    answer = request.task.problem.answer if seen == true else -1
    return "\n".join([*lines[len(begun) :], f"The answer is {answer}."])


def comparing(request: Any, rng: Any) -> dict[str, Any]:
    """A judge that looks the numbers up in the problem, and finds that a sum follows from what was written."""
    true = facts(request.task.problem.question)
    right = [
        step.startswith("So:") or int(step.split()[-1]) == true[i] for i, step in enumerate(request.task.subject.steps)
    ]
    items = [{"step": i, "reason": "I looked.", "verdict": "right" if r else "wrong"} for i, r in enumerate(right, 1)]
    return {"reply": items}


async def test_a_swapped_number_in_what_is_seen_is_a_mistake_of_perception(tmp_path: Path):
    """Each of them, at its place; and nothing is where none was swapped."""
    student = ScriptedModel(seeing, name="student")
    judge = ScriptedModel(World(simulators={"look_back": comparing}), name="judge")
    found = await solutions(tmp_path / "run", 30, student, judge)
    assert len(found) == 60
    assert {(s["outcome"], s["kind"]) for s in found.values()} == {(1, "none"), (0, "perception")}
    for i, question in ask(
        tmp_path / "run", "SELECT r.id, p.question FROM rationales r JOIN problems p ON p.id = r.problem"
    ):
        written = [int(step.split()[-1]) for step in found[i]["steps"][:2]]
        wrong = [j for j in range(2) if written[j] != facts(question)[j]]
        assert [found[i]["first"]] == (wrong or [None])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Seen: 2\nSeen: 3\nSo: 5", True),
        ("So: 5\nSeen: 2", False),
        ("Seen: 2\nSo: 5\nSeen: 3\nSo: 8", False),
        ("Seen: 2\nSeen: 3", False),
        ("I see 2\nSo: 5", False),
        ("\n".join([*["Seen: 2"] * 13, "So: 5"]), False),
        ("\n".join([*["Seen: 2"] * 12, *["So: 5"] * 12]), True),
    ],
)
async def test_what_is_seen_comes_first(tmp_path: Path, text: str, kept: bool):
    """Other solutions are rejected before anything else is asked."""
    asked = []

    def script(request: Any, rng: Any) -> Any:
        asked.append(request.step)
        if request.step == "look_back":
            return World()(request, rng)
        return f"{text}\nThe answer is {request.task.problem.answer}."

    made = preset(tmp_path / "p.yaml", METHOD, solve={"samples": 1}, look_ahead={"samples": 1})
    await run(made, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(script))
    assert bool(set(asked) - {"solve"}) == kept
    rejected = ask(tmp_path / "run", "SELECT count(*) FROM rejections WHERE step = 'form'")[0][0]
    assert rejected == (not kept)


async def test_conversations_have_plus_and_minus(tmp_path: Path):
    """What is kept has labels + … + - … -; a problem from which nothing comes out right is left out."""
    hard = World(solve_rate=0.4, lucky_rate=0, finish_rate=0.05, steps=M)
    made = preset(tmp_path / "p.yaml", METHOD, look_ahead={"samples": 4})
    await solutions(tmp_path / "run", 20, hard, ScriptedModel(World(), name="judge"), made)
    options = ExportOptions(steps_as="chat", reasons="step_judged", verdicts=("+", "-"))
    path = export_run(tmp_path / "run", "prm", tmp_path / "out", options).path
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        verdicts = [m["content"].split("\n\n")[-1] for m in row["messages"] if m["role"] == "assistant"]
        assert re.fullmatch(r"\+*-*", "".join(verdicts))
        assert verdicts == ["+" if label else "-" for label in row["step_labels"]]
    dead = ask(
        tmp_path / "run",
        "SELECT r.problem FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'step_value' GROUP BY 1 HAVING max(s.value) = 0",
    )
    left_out = ask(
        tmp_path / "run",
        "SELECT DISTINCT r.problem FROM rejections j JOIN rationales r ON r.id = j.target WHERE j.step = 'labelled'",
    )
    assert sorted(dead) == sorted(left_out)
    assert dead
    assert len(rows) > 10

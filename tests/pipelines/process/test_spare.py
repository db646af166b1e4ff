"""process/spare (arXiv:2506.15498): step labels from one call a solution, by comparing it with the reference solution."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, write_rows

from synth.export import ExportOptions, export_group
from synth.models import Request, ScriptedModel, World

FOLDER = ROOT / "pipelines" / "process" / "spare"
CLAIM = re.compile(r"(\d+(?: \+ \d+)+) = (\d+)")


def chain(numbers: list[int], change: str = "", at: int = 0) -> tuple[list[str], list[bool]]:
    """The steps of a solution, and which are right: two sums, then their sum, then two more numbers are added.

    Args:
        numbers: the six that are added, all different.
        change: `merged`: two of the steps are one; `split`: one is two; `reordered`: the two independent ones change places; `wrong`:
            a step has a wrong result, which those that need it go on with.
        at: which step is wrong, from 0.
    """
    a, b, c, d, e, f = numbers
    sums: list[list[Any]] = [[a, b], [c, d], ["0", "1"], ["2", e], ["3", f]]  # a text is the step whose result is added
    if change == "merged":
        sums = [[a, b], [c, d], ["0", "1", e], ["2", f]]
    if change == "split":
        sums = [[a, b], [c, d], ["0", "1"], ["2", f], ["3", e]]
    if change == "reordered":
        sums[0], sums[1] = sums[1], sums[0]
    steps, right, results = [], [], list[int]()
    for place, added in enumerate(sums):
        terms = [results[int(t)] if isinstance(t, str) else t for t in added]
        results.append(sum(terms) + (7 if change == "wrong" and place == at else 0))
        right.append(
            all(right[int(t)] for t in added if isinstance(t, str)) and not (change == "wrong" and place == at)
        )
        steps.append(f"Here {' + '.join(map(str, terms))} = {results[-1]}")
    return steps, right


def rule(steps: tuple[str, ...], reference: tuple[str, ...], question: str) -> list[dict[str, Any]]:
    """An annotator that knows sums: a step is right that adds numbers of the question and right results, and adds them right."""
    of_reference = {CLAIM.search(step)[2]: i for i, step in enumerate(reference, 1)}  # type: ignore[index]
    known, made = dict.fromkeys(re.findall(r"\d+", question), 0), []
    for number, step in enumerate(steps, 1):
        claim = CLAIM.search(step)
        assert claim is not None
        terms = claim[1].split(" + ")
        right = sum(map(int, terms)) == int(claim[2]) and all(term in known for term in terms)
        uses = [known[term] for term in terms if known.get(term)]
        links = [of_reference[claim[2]]] if right and claim[2] in of_reference else []
        if right:
            known[claim[2]] = number
        mistake = "none" if right else "calculation" if all(t in known for t in terms) else "reasoning"
        label = "right" if right else "wrong"
        made.append(
            {"step": number, "explanation": "So.", "uses": uses, "reference": links, "mistake": mistake, "label": label}
        )
    random.Random(1).shuffle(made)  # a reply may have them in any order
    return made


CHANGES = [("", 0), ("merged", 0), ("split", 0), ("reordered", 0), *(("wrong", i) for i in range(5))]


def problems(path: Path, n: int) -> tuple[Path, dict[str, list[int]]]:
    """Problems with a reference solution; and the numbers of each, by question."""
    rows, of = [], {}
    for i in range(n):
        numbers = random.Random(i).sample(range(100, 1000), 6)
        question = f"Add {', '.join(map(str, numbers))} (case r{i}x)."
        of[question] = numbers
        rows.append(
            {"question": question, "answer": str(sum(numbers)), "reference_solution": "\n".join(chain(numbers)[0])}
        )
    return write_rows(path, rows), of


async def test_a_rule_that_knows_the_truth_gets_every_label_right(tmp_path: Path):
    """Copied, merged, split, reordered solutions, and a wrong result at each place that later steps go on with: 100 %."""
    file, of = problems(tmp_path / "in.jsonl", 3)

    def script(request: Request, _rng: random.Random) -> str:
        numbers = of[request.task.problem.question]
        if request.task.kind == "ask":
            assert "Its answer: " + str(sum(numbers)) in str(request.messages)
            reference = tuple(str(request.task.problem.reference_solution).splitlines())
            return json.dumps({"answer": rule(request.task.subject.steps, reference, request.task.problem.question)})  # type: ignore[union-attr]
        steps, _ = chain(numbers, *CHANGES[request.sample])
        answer = CLAIM.search(steps[-1])[2]  # type: ignore[index]
        return "\n".join([*steps, f"The answer is {answer}."])

    made = preset(tmp_path / "p.yaml", "process/spare", solve={"samples": len(CHANGES)})
    await run(made, file, tmp_path / "run", ScriptedModel(script))
    rows = ask(
        tmp_path / "run",
        """SELECT p.question, r.sample, r.steps, list(j.value ORDER BY j.part.index), list(f.value ORDER BY j.part.index), any_value(c.value),
           list(l.value ORDER BY j.part.index) FROM scores j
           JOIN rationales r ON r.id = j.target JOIN problems p ON p.id = r.problem
           JOIN scores f ON f.target = j.target AND f.part = j.part AND f.name = 'step_correct'
           JOIN scores l ON l.target = j.target AND l.part = j.part AND l.name = 'linked'
           JOIN scores c ON c.target = j.target AND c.name = 'correct' WHERE j.name = 'step_judged' GROUP BY ALL""",
    )
    assert len(rows) == 3 * len(CHANGES)
    for question, sample, steps, judged, final, correct, linked in rows:
        wanted_steps, right = chain(of[question], *CHANGES[sample])
        assert list(steps) == wanted_steps
        assert judged == right
        assert final == [*judged[:-1], correct]
        if (
            CHANGES[sample][0] != "wrong"
        ):  # the split one has a sum that the reference does not have, and is right all the same
            assert linked == ([1, 1, 1, 0, 1] if CHANGES[sample][0] == "split" else [1] * len(steps))
    reasons = ask(
        tmp_path / "run",
        "SELECT DISTINCT reason FROM scores WHERE name = 'step_judged' AND part.index = 2 AND value = 1 ORDER BY 1",
    )
    assert ("matches reference steps 3; follows from steps 1, 2: So.",) in reasons
    marked = "SELECT r.sample, k.part.index, k.mistake, count(*) FROM critiques k JOIN rationales r ON r.id = k.target GROUP BY ALL ORDER BY ALL"
    assert ask(tmp_path / "run", marked) == [(4 + i, i, "calculation", 3) for i in range(5)]
    ((own,),) = ask(
        tmp_path / "run",
        "SELECT list(DISTINCT s.value) FROM scores s JOIN rationales r ON r.id = s.target WHERE r.author = 'reference' AND s.name = 'step_correct'",
    )
    assert own == [1]


async def test_the_f1_of_wrong_steps_is_that_of_the_rates_of_the_judge(tmp_path: Path):
    """Of wrong steps 0.8 are found, of right ones 0.1 are taken for wrong; 2 k calls a problem, and no step without a label."""
    world = World(solve_rate=0.5, step_error_rate=0.4, sensitivity=0.8, specificity=0.9)
    file, _ = problems(tmp_path / "in.jsonl", 100)
    await run("process/spare", file, tmp_path / "run", ScriptedModel(world))
    assert ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1 ORDER BY 1") == [
        ("annotate", 400),
        ("solve", 400),
    ]
    rows = ask(
        tmp_path / "run",
        "SELECT r.steps[s.part.index + 1], s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'step_judged'",
    )
    assert len(rows) == 400 * world.steps
    truth = [(world.is_sound(step), value == 1) for step, value in rows]
    share = sum(not sound for sound, _ in truth) / len(truth)
    hits = sum(not sound and not said for sound, said in truth)
    named = sum(not said for _, said in truth)
    precision, recall = hits / named, hits / sum(not sound for sound, _ in truth)
    expected = 0.8 * share / (0.8 * share + 0.1 * (1 - share))
    assert near(recall, 0.8, round(share * len(truth)))
    assert near(precision, expected, named)
    analytic = 2 * expected * 0.8 / (expected + 0.8)
    assert 2 * precision * recall / (precision + recall) == pytest.approx(analytic, abs=0.03)


async def test_pairs_are_better_in_answer_and_in_steps(tmp_path: Path):
    """And the last label of each exported row is whether the answer is right; of the reference all are."""
    file, _ = problems(tmp_path / "in.jsonl", 40)
    await run(
        "process/spare", file, tmp_path / "run", ScriptedModel(World(solve_rate=0.5, sensitivity=0.5, specificity=0.7))
    )
    sides = """SELECT a.value, b.value, m.value > n.value, count(*) FROM pairs p
        JOIN scores a ON a.target = p.chosen AND a.name = 'correct' JOIN scores b ON b.target = p.rejected AND b.name = 'correct'
        JOIN scores m ON m.target = p.chosen AND m.name = 'step_mean' JOIN scores n ON n.target = p.rejected AND n.name = 'step_mean' GROUP BY ALL"""
    ((chosen, rejected, better, n),) = ask(tmp_path / "run", sides)
    assert (chosen, rejected, better) == (1, 0, True)
    possible = """WITH known AS (SELECT r.id, r.problem, c.value AS correct, m.value AS steps FROM rationales r
        JOIN scores c ON c.target = r.id AND c.name = 'correct' JOIN scores m ON m.target = r.id AND m.name = 'step_mean' WHERE r.author = 'student')
        SELECT count(DISTINCT a.problem) FROM known a JOIN known b USING (problem) WHERE a.correct > b.correct AND a.steps > b.steps"""
    ((with_pair,),) = ask(tmp_path / "run", possible)
    assert ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM pairs") == [(with_pair,)]
    assert n > with_pair > 20
    made = export_group(tmp_path / "run", {"prm": ExportOptions()}, tmp_path / "out")
    rows = [json.loads(line) for line in made["prm"].path.read_text().splitlines()]
    right = dict(ask(tmp_path / "run", "SELECT target, value = 1 FROM scores WHERE name = 'correct'"))
    assert len(rows) == 200
    assert all(
        len(row["labels"]) == len(row["completions"]) and row["labels"][-1] == right[row["record_id"]] for row in rows
    )


async def test_a_judge_that_only_looks_at_the_answer_is_seen(tmp_path: Path):
    """All steps of a solution then have one label, which the table says (`same_label`)."""
    file, _ = problems(tmp_path / "in.jsonl", 20)
    world = World(solve_rate=0.5)

    def script(request: Request, rng: random.Random) -> Any:
        if request.task.kind != "ask":
            return world(request, rng)
        label = "right" if request.task.subject.answer == request.task.problem.answer else "wrong"  # type: ignore[union-attr]
        none = {"explanation": "So.", "uses": [], "reference": [], "mistake": "none", "label": label}
        return json.dumps({"answer": [{"step": i, **none} for i in range(1, len(request.task.subject.steps) + 1)]})  # type: ignore[union-attr]

    await run("process/spare", file, tmp_path / "run", ScriptedModel(script))
    table = ask(tmp_path / "run", (FOLDER / "labels.sql").read_text())
    assert {(answer, judged, same) for answer, _, _, _, judged, same in table} == {("right", 1, 1), ("wrong", 0, 1)}


async def test_a_problem_without_a_reference_costs_nothing(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "How many is 2 and 3?", "answer": "5"}])
    await run("process/spare", rows, tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM rejections") == [(1,)]

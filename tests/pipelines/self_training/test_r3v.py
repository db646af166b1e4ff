"""self_training/r3v (arXiv:2411.00855): tasks to refine and to select, made of one's own right and wrong attempts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import orjson
import pytest
from methods import near, preset
from support import ask, run, sums, write_rows

from synth.models import ScriptedModel, World

NAME = "self_training/r3v"
ATTEMPTS = """SELECT r.problem, r.id, r.response, r.answer, s.value = 1 FROM rationales r
JOIN scores s ON s.target = r.id AND s.name = 'correct' ORDER BY r.problem, r.sample"""


def derived(folder: Path) -> list[tuple]:
    """Problem it was made of, task and its columns, question, gold answer, and the rationale that answers it."""
    rows = ask(
        folder,
        "SELECT p.parent, p.meta, p.question, p.answer, r.response, r.answer FROM kept_problems p "
        "JOIN kept_rationales r ON r.problem = p.id WHERE p.parent IS NOT NULL",
    )
    return [(parent, orjson.loads(meta) if isinstance(meta, str) else meta, *rest) for parent, meta, *rest in rows]


async def test_tasks_are_as_many_as_problems_with_attempts_of_both_kinds(tmp_path: Path):
    """With 0.6 right, 1 - 0.6³ - 0.4³ = 0.72 of the problems have both; 0.432 have two right ones, 0.288 two wrong ones.

    What refines is wrong, and its refinement the right attempt; what is selected is the gold answer; places are as good as drawn.
    """
    n, a = 400, 0.6
    await run(NAME, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(World(solve_rate=a)))
    attempts: dict[str, list[tuple]] = {}
    for problem, *attempt in ask(tmp_path / "run", ATTEMPTS):
        attempts.setdefault(problem, []).append(tuple(attempt))
    mixed = {p for p, tried in attempts.items() if 0 < sum(right for *_, right in tried) < 3}
    assert near(len(mixed) / n, 1 - a**3 - (1 - a) ** 3, n)
    tasks = derived(tmp_path / "run")
    assert Counter(meta["task"] for _, meta, *_ in tasks) == {"refine": len(mixed), "select": len(mixed)}
    assert {parent for parent, *_ in tasks} == mixed
    places: Counter[int] = Counter()
    shapes: Counter[int] = Counter()
    for parent, meta, question, gold, response, answer in tasks:
        tried = attempts[parent]
        assert answer == gold
        if meta["task"] == "refine":
            newest = {right: [t for t in tried if t[-1] == right][-1] for right in (True, False)}
            assert (meta["attempt"], meta["better"]) == (newest[False][0], newest[True][0])
            assert newest[False][1] in question
            assert newest[True][1] not in question
            assert response == newest[True][1]
        else:
            assert response == f"The answer is {gold}."
            shown = sorted(tried, key=lambda t: question.index(t[1]))
            rights = [right for *_, right in shown]
            assert sum(rights) == meta["right"]
            shapes[meta["right"]] += 1
            places[rights.index(sum(rights) == 1)] += 1
            wrong = {answer for _, _, answer, right in shown if not right}
            assert meta["wrong_agree"] == (len(wrong) == 1)
    assert near(shapes[2] / n, 3 * a**2 * (1 - a), n)
    # Three places for the one attempt that is unlike the two others: chi squared of two degrees of freedom, at 0.001.
    expected = len(mixed) / 3
    assert sum((places[i] - expected) ** 2 / expected for i in range(3)) < 13.8


async def test_one_right_attempt_a_problem_is_kept_the_newest(tmp_path: Path):
    n = 60
    await run(NAME, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(World(solve_rate=0.6)))
    latest = {problem: id_ for problem, id_, _, _, right in ask(tmp_path / "run", ATTEMPTS) if right}
    kept = ask(tmp_path / "run", "SELECT problem, id FROM kept_rationales WHERE step = 'solve'")
    assert dict(kept) == latest
    assert len(kept) == len(latest)


async def test_the_student_selects_once_where_attempts_differ(tmp_path: Path):
    """Its choice is a score, by which rounds can be compared: here right at 0.8."""
    n = 200
    world, selects = World(solve_rate=0.5), World(solve_rate=0.8)

    def script(request, rng):
        return (selects if request.task.kind == "ask" else world)(request, rng)

    await run(NAME, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(script))
    mixed = ask(tmp_path / "run", "SELECT count(DISTINCT parent) FROM problems WHERE parent IS NOT NULL")[0][0]
    share, count = ask(tmp_path / "run", "SELECT avg(value), count(*) FROM scores WHERE name = 'self_select'")[0]
    assert count == mixed == ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'reflect'")[0][0]
    assert near(share, 0.8, count)


async def test_an_attempt_without_an_answer_or_twice_the_same_is_no_candidate(tmp_path: Path):
    texts = {0: "Nothing to say.", 1: "One.\nThe answer is {wrong}.", 2: "Two.\nThe answer is {gold}."}

    def script(request, rng):
        gold = request.task.problem.answer
        if request.task.kind == "ask":
            return json.dumps({"answer": gold})
        return texts[max(1, request.sample) if gold == "15" else request.sample].format(gold=gold, wrong=int(gold) + 1)

    await run(NAME, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", ScriptedModel(script))
    # Two different attempts are left of each: enough to refine, not to select.
    assert Counter(meta["task"] for _, meta, *_ in derived(tmp_path / "run")) == {"refine": 2}


@pytest.mark.data
async def test_nine_models_in_the_place_of_nine_attempts(data: Path, tmp_path: Path):
    """Released outputs on MMLU-Pro: tasks for the problems that some of nine models solve and some do not."""

    def key(question: str, options: list[str] | tuple[str, ...]) -> tuple:
        return question.strip(), *(option.strip() for option in options)

    solved: dict[tuple, list[dict]] = {}
    for line in (data / "mmlu_pro_outputs.jsonl").read_text().splitlines():
        row = json.loads(line)
        solved.setdefault(key(row["question"], row["options"]), []).append(row)

    def script(request, rng):
        rows = solved[key(request.task.problem.question, request.task.problem.choices)]
        row = rows[request.sample % len(rows)]
        if request.task.kind == "ask":
            return json.dumps({"answer": row["answer"]})
        return f"{row['model']} thinks.\nThe answer is {row['pred']}." if row["pred"] else "No answer."

    given = [
        {"question": rows[0]["question"], "choices": rows[0]["options"], "answer": rows[0]["answer"]}
        for rows in solved.values()
    ]
    made = preset(tmp_path / "p.yaml", NAME, solve={"samples": 9})
    await run(made, write_rows(tmp_path / "in.jsonl", given), tmp_path / "run", ScriptedModel(script))
    rights = [[r["pred"] == r["answer"] for r in rows if r["pred"]] for rows in solved.values()]
    mixed = [r for r in rights if 0 < sum(r) < len(r)]
    select = sum((sum(r) >= 2) + (len(r) - sum(r) >= 2) for r in mixed)
    tasks = Counter(meta["task"] for _, meta, *_ in derived(tmp_path / "run"))
    assert tasks == {"refine": len(mixed), "select": select}
    assert (len(solved), len(mixed), select) == (189, 145, 241)

"""rlvr/klear (arXiv:2508.07629): gold answers by majority, problems between always and never, solutions by difficulty."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, sums, write_rows

from synth.models import ScriptedModel
from synth.sandbox import why_none

NAME = "rlvr/klear"
BENCHMARK = Path(__file__).parents[3] / "pipelines" / NAME / "benchmark.jsonl"


def solver(right, name: str) -> ScriptedModel:
    """Solves as `right(problem, sample, rng)` says."""

    def script(request, rng):
        gold = int(request.task.problem.answer)
        said = gold if right(request.task.problem, request.sample, rng) else gold + 1
        return f"I reason about it for the {rng.randrange(10**9)}th time.\nThe answer is {said}."

    return ScriptedModel(script, name=name)


async def kept(tmp_path: Path, rows: Path, teacher, policy, **override) -> list[tuple]:
    made = preset(tmp_path / "p.yaml", NAME, **override)
    await run(
        made, rows, tmp_path / "run", {"teacher": [solver(teacher, "teacher")], "policy": [solver(policy, "policy")]}
    )
    return ask(tmp_path / "run", "SELECT question FROM kept_problems ORDER BY 1")


def half(problem, sample, rng):
    return sample % 2 == 0


async def test_a_majority_of_sixteen_finds_wrong_gold_answers(tmp_path: Path):
    """A teacher at 0.8 on clean and 0.02 on corrupted items: 99.3 % of the clean are kept, and none of the corrupted."""
    n = 120
    rows = sums(tmp_path / "in.jsonl", n)

    def teacher(problem, sample, rng):
        return rng.random() < (0.02 if int(problem.answer) % 20 == 5 else 0.8)  # every other answer is corrupted

    exact = {p: sum(comb(16, i) * p**i * (1 - p) ** (16 - i) for i in range(9, 17)) for p in (0.8, 0.02)}
    assert round(exact[0.8], 3) == 0.993
    assert exact[0.02] < 1e-10
    await kept(tmp_path, rows, teacher, half)
    found = ask(
        tmp_path / "run",
        "SELECT p.answer::INT % 20 = 5, count(*), count(*) FILTER (p.id IN (SELECT id FROM kept_problems)) FROM problems p GROUP BY 1 ORDER BY 1",
    )
    (_, clean, of_clean), (_, corrupted, of_corrupted) = found
    assert near(of_clean / clean, exact[0.8], clean)
    assert (clean, corrupted, of_corrupted) == (n / 2, n / 2, 0)
    # What is rejected is not tried by the policy.
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'attempt'") == [(8 * of_clean,)]


@pytest.mark.parametrize(("of_sixteen", "stays"), [(8, 0), (9, 1)])
async def test_a_half_is_no_majority(tmp_path: Path, of_sixteen: int, stays: int):
    found = await kept(tmp_path, sums(tmp_path / "in.jsonl", 1), lambda _p, sample, _r: sample < of_sixteen, half)
    assert len(found) == stays


@pytest.mark.parametrize(("of_eight", "stays"), [(0, 0), (1, 1), (7, 1), (8, 0)])
async def test_what_the_policy_always_or_never_solves_is_rejected(tmp_path: Path, of_eight: int, stays: int):
    """The rate is that of the policy: the teacher is always right here, and never counted."""
    found = await kept(tmp_path, sums(tmp_path / "in.jsonl", 1), lambda *_: True, lambda _p, s, _r: s < of_eight)
    assert len(found) == stays
    rates = ask(
        tmp_path / "run", "SELECT step, value FROM scores WHERE name IN ('pass_rate', 'teacher_rate') ORDER BY 1"
    )
    assert rates == [("policy_rate", of_eight / 8), ("teacher_rate", 1.0)]


@pytest.mark.parametrize(
    ("of_eight", "right", "wrong"), [(6, 12, 0), (4, 12, 0), (3, 12, 4)], ids=["easy", "half", "hard"]
)
async def test_wrong_solutions_stay_where_the_problem_is_hard(tmp_path: Path, of_eight: int, right: int, wrong: int):
    """Easy or hard, right or wrong: only the wrong solutions of easy problems are rejected. Attempts are never kept."""
    rows = sums(tmp_path / "in.jsonl", 1)
    await kept(tmp_path, rows, lambda _p, s, _r: s < 12, lambda _p, s, _r: s < of_eight)
    found = ask(
        tmp_path / "run",
        "SELECT r.step, s.value, count(*) FROM kept_rationales r JOIN scores s ON s.target = r.id AND s.name = 'teacher_correct' GROUP BY ALL",
    )
    assert {(step, value): n for step, value, n in found} == {
        key: n for key, n in {("probe", 1.0): right, ("probe", 0.0): wrong}.items() if n
    }
    assert ask(tmp_path / "run", "SELECT DISTINCT step FROM kept_rationales") == [("probe",)]


async def test_nine_words_of_a_benchmark_are_found_and_eight_are_not(tmp_path: Path):
    """Verbatim items, and items of 18 words and more with one word changed, are rejected; what shares eight words stays."""
    items = [json.loads(line)["question"] for line in BENCHMARK.read_text().splitlines()]
    assert all(len(item.split()) >= 18 for item in items)
    edited = [" ".join([*(w := item.split())[:i], "seven", *w[i + 1 :]]) for item in items for i in (0, 9, 12, 17)]
    shares = [
        " ".join(["In", "another", "tale", *item.split()[3:11], "and", "so", "on", str(i)])
        for i, item in enumerate(items)
    ]
    asked = [*items, *edited, *shares]
    rows = write_rows(tmp_path / "in.jsonl", [{"question": q, "answer": str(i)} for i, q in enumerate(asked)])
    found = await kept(tmp_path, rows, lambda *_: True, half)
    assert found == [(q,) for q in sorted(shares)]


async def test_the_same_question_is_kept_once(tmp_path: Path):
    questions = [
        "How many apples are in the big basket by the door?",
        "how many apples are in the big basket by the door",
    ]
    rows = write_rows(tmp_path / "in.jsonl", [{"question": q, "answer": "4"} for q in questions])
    assert len(await kept(tmp_path, rows, lambda *_: True, half)) == 1


@pytest.mark.skipif(why_none() is not None, reason="there is no sandbox here")
async def test_problems_in_code_are_verified_by_their_tests(tmp_path: Path):
    """Fewer than 16 tests are too few; a majority of the teacher's programs must pass all; 4 of 16 tests are a grade of 0.25."""

    def row(name: str, tests: int) -> dict:
        asked = [{"call": f"{name}({n})", "expected": n + 1} for n in range(tests)]
        return {"question": f"Write a function {name} that adds one to its argument.", "tests": asked}

    rows = [row("few", 15), row("good", 16), row("half", 16), row("never", 16)]
    right, partly = "return n + 1", "return n + 1 if n < 4 else 0"

    def program(request, share: dict[str, int]) -> str:
        name = request.task.problem.question.split()[3]
        body = right if request.sample < share[name] else partly
        return f"Sample {request.sample}.\n```python\ndef {name}(n):\n    {body}\n```"

    teacher = ScriptedModel(lambda r, _: program(r, {"good": 9, "half": 8, "never": 0}), name="teacher")
    policy = ScriptedModel(lambda r, _: program(r, {"good": 4}), name="policy")
    path = write_rows(tmp_path / "in.jsonl", rows)
    await run(preset(tmp_path / "p.yaml", NAME), path, tmp_path / "run", {"teacher": [teacher], "policy": [policy]})
    assert ask(tmp_path / "run", "SELECT question FROM kept_problems") == [(rows[1]["question"],)]
    reasons = ask(
        tmp_path / "run", "SELECT step, count(*) FROM rejections WHERE target_table = 'problems' GROUP BY 1 ORDER BY 1"
    )
    assert reasons == [("gold_is_sound", 2), ("tests_suffice", 1)]
    wrong = ask(tmp_path / "run", "SELECT DISTINCT reason FROM scores WHERE label = 'wrong' ORDER BY 1")
    assert wrong == [(f"12 of 16 tests failed; test 5: {name}(4) is 0, not 5",) for name in ("good", "half", "never")]
    # 16 runs for each of the two different programs of a problem: programs that are equal run once.
    assert ask(tmp_path / "run", "SELECT count(*) FROM executions") == [(16 * 2 * 2 + 16,)]


@pytest.mark.data
async def test_released_samples_of_math(data: Path, tmp_path: Path):
    """Eight released solutions of 57 problems of MATH, as those of teacher and policy: what is kept is what the file says."""
    rows = [json.loads(line) for line in (data / "math_samples_rm.jsonl").read_text().splitlines()]
    by_question = {row["question"]: row for row in rows}

    def script(request, rng):
        answer = by_question[request.task.problem.question]["pred"][request.sample]
        return f"Solution {request.sample}.\nThe answer is \\boxed{{{answer}}}."

    given = write_rows(tmp_path / "in.jsonl", [{"question": r["question"], "answer": r["gt"]} for r in rows])
    made = preset(tmp_path / "p.yaml", NAME, probe={"samples": 8})
    await run(made, given, tmp_path / "run", ScriptedModel(script))
    sound = {q for q, row in by_question.items() if sum(row["score"]) > 4}
    teaches = {q for q in sound if sum(by_question[q]["score"]) < 8}
    steps = dict(
        ask(
            tmp_path / "run",
            "SELECT step, count(*) FROM rejections WHERE step IN ('gold_is_sound', 'teaches') GROUP BY 1",
        )
    )
    assert {q for (q,) in ask(tmp_path / "run", "SELECT question FROM kept_problems")} == teaches
    assert (len(rows), len(sound), len(teaches)) == (57, 57 - steps["gold_is_sound"], 57 - sum(steps.values()))
    assert (len(sound), len(teaches)) == (51, 2)

"""rlvr/reverse-curriculum (arXiv:2402.05808) and rlvr/srl (arXiv:2510.25992): problems that begin within a solution."""

from __future__ import annotations

import json
from fractions import Fraction
from math import sqrt
from pathlib import Path

import pytest
from support import ask, run, write_rows, yaml_file

import synth as package
from synth.models import ScriptedModel, World

T, S, N = 5, 0.7, 150
SOLUTION = "\n".join(f"We know that {i + 1} + 2 = {i + 3}." for i in range(T))
ROWS = [
    {
        "question": f"How many are {i}, r{i}?",
        "answer": str(i + 100),
        "reference_solution": f"{SOLUTION}\nThe answer is {i + 100}.",
    }
    for i in range(N)
]
GROUPED = (
    "SELECT p.stage, count(*), avg(s.value) FROM problems p "
    "JOIN rationales r ON r.problem = p.id JOIN scores s ON s.target = r.id {} GROUP BY 1 ORDER BY 1"
)


@pytest.mark.parametrize("capabilities", [frozenset({"chat", "seed"}), frozenset({"chat", "seed", "prefill"})])
async def test_success_from_each_stage_is_s_to_the_steps_that_are_left(tmp_path: Path, capabilities):
    """T = 5, s = 0.7, one attempt a problem: 0.7, 0.49 … 0.7^5, each within three standard deviations, ever less."""
    text = (
        "pipeline: my/p\nextends: rlvr/reverse-curriculum\nroles: {student: solves}\ninsert:\n  - after: prefixes\n    steps:\n"
        "      - {step: generate, name: attempt, of: prefixes, by: student, segment: lines}\n"
        "      - {step: verify_answer, name: attempted, of: attempt, score: reached}\n"
    )
    rows = write_rows(tmp_path / "in.jsonl", ROWS)
    model = ScriptedModel(World(solve_rate=S**T, steps=T, lucky_rate=0), name="student", capabilities=capabilities)
    await run(yaml_file(tmp_path / "p.yaml", text), rows, tmp_path / "run", model)
    found = ask(tmp_path / "run", GROUPED.format("AND s.name = 'reached'"))
    assert [(stage, n) for stage, n, _ in found] == [(stage, N) for stage in range(T)]
    for stage, n, share in found:
        wanted = S ** (stage + 1)
        assert abs(share - wanted) < 3 * sqrt(wanted * (1 - wanted) / n), stage
    assert [share for *_, share in found] == sorted((share for *_, share in found), reverse=True)


async def test_problems_hold_the_gold_answer_and_the_reward(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", ROWS[:2])
    await run("rlvr/reverse-curriculum", rows, tmp_path / "run", {})
    found = ask(
        tmp_path / "run",
        "SELECT stage, begun, answer, reward FROM problems WHERE parent IS NOT NULL ORDER BY answer, stage",
    )
    assert len(found) == 10
    for stage, begun, answer, reward in found:
        assert (begun or "") == "".join(line + "\n" for line in SOLUTION.splitlines()[: T - 1 - stage])
        assert answer in {"100", "101"}
        assert json.loads(reward)["name"] == "partial"


async def test_a_wrong_solution_gives_nothing(tmp_path: Path):
    rows = [{"question": "How many?", "answer": "7", "reference_solution": "We add.\nSo it is.\nThe answer is 8."}]
    await run("rlvr/reverse-curriculum", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", {})
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems") == [(1,)]


DERIVED = "SELECT begun, reference_solution, stage, meta, reward, unit FROM problems WHERE parent IS NOT NULL"


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "right", "made"), [("gsm8k_train", 894, 3011), ("math500", 306, 659), ("aqua_rat", 284, 989)]
)
def test_the_formula_holds_for_real_solutions(data: Path, tmp_path: Path, file: str, right: int, made: int):
    """No model is asked. Prefix and rest are the solution, and every number of given steps is round(j T / 5) of its stage."""
    package.run("rlvr/reverse-curriculum", data / f"{file}.jsonl", tmp_path / "run", skip_invalid=True)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(right,)]
    found = ask(tmp_path / "run", DERIVED)
    assert len(found) == made
    for begun, solution, stage, meta, _, _ in found:
        prefix = json.loads(meta)["prefix"]
        assert solution.startswith(begun or "")
        assert prefix["given"] == round(Fraction(prefix["start"] * prefix["of"], 5)) < prefix["of"]
        assert stage == 4 - prefix["start"]
        assert (begun is None) == (prefix["given"] == 0)


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "made", "wanted"), [("gsm8k_train", 2250, 2250), ("math500", 1489, 1770), ("aqua_rat", 1000, 1002)]
)
def test_step_imitation_makes_a_problem_of_each_step_after_the_first(
    data: Path, tmp_path: Path, file: str, made: int, wanted: int
):
    """Sum of N - 1, less those that would begin with the answer, which are counted; each step follows its beginning in the solution."""
    package.run("rlvr/srl", data / f"{file}.jsonl", tmp_path / "run", skip_invalid=True)
    found = ask(tmp_path / "run", DERIVED)
    assert len(found) == made
    for begun, solution, stage, _, reward, _ in found:
        step = json.loads(reward)["args"]["step"]
        assert solution[len(begun) :].lstrip().startswith(step)
        assert stage is None
    sums = ask(tmp_path / "run", "SELECT sum(len(steps) - 1) FROM kept_rationales WHERE len(steps) > 0")
    assert sums == [(wanted,)]
    stating = ask(
        tmp_path / "run",
        "SELECT coalesce(sum(regexp_extract(reason, ', (\\d+) starts state', 1)::INT), 0) FROM scores WHERE name = 'starts' AND reason LIKE '%starts state%'",
    )
    assert stating == [(wanted - made,)]

"""audit/self-prm (arXiv:2505.11227): ways to pick an answer, and how far a model can be trusted with its own."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, write_rows, yaml_file

import synth as package
from synth.audit import add_functions
from synth.models import ScriptedModel, World
from synth.store.database import open_store

REPLAY = """
pipeline: my/replay
imports: [rationale, score.correct, score.reward]
extends: audit/self-prm
replace:
  self_review: {step: score, score: own, value: score.reward}
override: {solve: null, verify_answer: null, vote: {of: null}, majority: {of: null}, filtered: {of: null},
  hard_negatives: {of: null}, right: {of: null}}
"""


def table(folder: Path, name: str) -> list[tuple[Any, ...]]:
    """A table of the method: a file of SQL in its folder."""
    with open_store(folder) as store:
        add_functions(store)
        return store.sql((ROOT / "pipelines" / "audit" / "self-prm" / f"{name}.sql").read_text()).fetchall()


def policies(folder: Path) -> dict[str, float]:
    return {name: accuracy for name, accuracy, _ in table(folder, "policies")}


def yes_no(path: Path, n: int) -> Path:
    rows = [
        {"question": f"Is the number {i * i + 7} of case r{i}x good?", "answer": ["yes", "no"][i % 2]} for i in range(n)
    ]
    return write_rows(path, rows)


def expected(k: int, p: float, t: float, f: float) -> dict[str, float]:
    """Exact accuracies of the policies over k answers, all yes or no, of which a share p is right; ties are drawn."""

    def share(n: int, m: int, rate: float) -> float:
        return comb(n, m) * rate**m * (1 - rate) ** (n - m)

    def wins(right: int, wrong: int) -> float:
        return 1.0 if right > wrong else 0.5 if right == wrong else 0.0

    found = dict.fromkeys(("majority", "best", "filtered", "oracle"), 0.0)
    for right in range(k + 1):
        here = share(k, right, p)
        found["majority"] += here * wins(right, k - right)
        found["oracle"] += here * (right > 0)
        for passed in range(right + 1):
            for false in range(k - right + 1):
                weight = here * share(right, passed, t) * share(k - right, false, f)
                whole = passed + false
                found["filtered"] += weight * (wins(passed, false) if whole else wins(right, k - right))
                found["best"] += weight * (passed / whole if whole else right / k)
    return found


@pytest.mark.parametrize(("t", "f"), [(0.95, 0.3), (0.6, 0.6), (1.0, 0.0), (1.0, 1.0)])
async def test_policies_have_the_accuracy_that_the_rates_of_the_reviewer_give(tmp_path: Path, t: float, f: float):
    n, k, p = 250, 5, 0.55
    made = preset(tmp_path / "p.yaml", "audit/self-prm", solve={"samples": k})
    model = ScriptedModel(World(solve_rate=p, specificity=t, sensitivity=1 - f))
    await run(made, yes_no(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    found, exact = policies(tmp_path / "run"), expected(k, p, t, f)
    for name, accuracy in exact.items():
        assert near(found[name], accuracy, n), name
    if (t, f) == (1.0, 0.0):  # a reviewer that knows: whatever is among k answers is found
        assert exact["best"] == pytest.approx(1 - (1 - p) ** k)
        assert found["best"] == found["filtered"] == found["oracle"]
    if t == f:  # one that cannot tell picks like chance
        assert exact["best"] == pytest.approx(p)
    if t == f == 1:
        assert found["filtered"] == found["majority"]


@pytest.mark.parametrize(("p", "precision"), [(0.02, 0.061), (0.5, 0.76)])
async def test_on_hard_problems_what_passes_is_seldom_right(tmp_path: Path, p: float, precision: float):
    """Precision is p t / (p t + (1 - p) f): 0.061 at a pass rate of 0.02, 0.76 at 0.5."""
    t, f, n = 0.95, 0.3, 200
    assert p * t / (p * t + (1 - p) * f) == pytest.approx(precision, abs=1e-3)
    model = ScriptedModel(World(solve_rate=p, specificity=t, sensitivity=1 - f))
    await run("audit/self-prm", yes_no(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    passed = ask(
        tmp_path / "run",
        "SELECT c.value FROM scores o JOIN scores c ON c.target = o.target AND c.name = 'correct' WHERE o.name = 'own' AND o.value = 1",
    )
    assert near(sum(v for (v,) in passed) / len(passed), precision, len(passed))
    rows = table(tmp_path / "run", "precision")
    assert sum(answers for *_, answers, _ in rows) == 8 * n
    by_bucket = {bucket.split()[0]: value for bucket, value, *_ in rows}
    if p == 0.5:
        assert by_bucket["hard"] < by_bucket["medium"] < by_bucket["easy"]


async def test_a_review_that_cannot_be_read_is_no_pass(tmp_path: Path):
    """And where no answer has a review, all vote and the best is any of them."""
    world = World(solve_rate=0.5)

    def script(request, rng):
        return "Well, well." if request.task.kind == "ask" else world(request, rng)

    await run("audit/self-prm", yes_no(tmp_path / "in.jsonl", 30), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'own'") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM pairs") == [(0,)]
    found = policies(tmp_path / "run")
    assert found["filtered"] == found["majority"]
    ((mean,),) = ask(tmp_path / "run", "SELECT avg(value) FROM scores WHERE name = 'pass_rate'")
    assert found["best"] == pytest.approx(mean)


async def test_an_answer_that_was_not_read_never_wins(tmp_path: Path):
    made = preset(tmp_path / "p.yaml", "audit/self-prm", solve={"samples": 4})
    model = ScriptedModel(World(solve_rate=1, malformed_rate=0.5, specificity=1))
    await run(made, yes_no(tmp_path / "in.jsonl", 40), tmp_path / "run", model)
    picked = """SELECT count(*) FROM rationales r JOIN scores s ON s.target = r.id AND s.value = 1
        WHERE s.name = 'pick_filtered' AND r.answer IS NULL
        AND r.problem IN (SELECT problem FROM rationales WHERE answer IS NOT NULL)"""
    assert ask(tmp_path / "run", picked) == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) > 30 FROM rationales WHERE answer IS NULL") == [(True,)]


async def test_pairs_are_of_what_passed_on_both_sides(tmp_path: Path):
    await run(
        "audit/self-prm", yes_no(tmp_path / "in.jsonl", 30), tmp_path / "run", ScriptedModel(World(sensitivity=0.5))
    )
    sides = """SELECT DISTINCT c.value, r.value, oc.value, orr.value FROM pairs p
        JOIN scores c ON c.target = p.chosen AND c.name = 'correct' JOIN scores r ON r.target = p.rejected AND r.name = 'correct'
        JOIN scores oc ON oc.target = p.chosen AND oc.name = 'own' JOIN scores orr ON orr.target = p.rejected AND orr.name = 'own'"""
    assert ask(tmp_path / "run", sides) == [(1, 0, 1, 1)]


@pytest.mark.data
async def test_first_errors_that_people_marked_are_found_at_a_known_rate(data: Path, tmp_path: Path):
    """F1 is the harmonic mean of 0.6 (found where there is one) and 0.8 (passed where there is none): 0.686."""
    first = {}
    for line in (data / "big_bench_mistake.jsonl").read_text().splitlines():
        row = json.loads(line)
        first[tuple(row["steps"])] = row["mistake_index"]

    def script(request, rng):
        at = first[tuple(request.task.subject.steps)]
        verdict, step = ("right", None) if rng.random() < 0.8 else ("wrong", 1)
        if at is not None:
            verdict, step = "wrong", at + 1 if rng.random() < 0.6 else at + 2
        return json.dumps({"why": "So.", "verdict": verdict, "first_wrong_step": step})

    others = ("solve", "verify_answer", "pass_rate", "vote", "score", "majority", "filtered")
    head = "pipeline: my/replay\nimports: [rationale, score.step_correct]\nextends: audit/self-prm\n"
    nulls = ", ".join(f"{name}: null" for name in (*others, "hard_negatives", "right"))
    made = yaml_file(tmp_path / "p.yaml", f"{head}override: {{{nulls}}}\n")
    models = {"student": ScriptedModel(script)}
    package.run(
        str(made), data / "big_bench_mistake.jsonl", tmp_path / "run", mapping="steps/big-bench-mistake", models=models
    )
    ((found, passed, f1),) = table(tmp_path / "run", "first_error")
    assert near(found, 0.6, 600)
    assert near(passed, 0.8, 130)
    assert f1 == pytest.approx(2 * found * passed / (found + passed))
    assert f1 == pytest.approx(0.686, abs=0.06)


@pytest.mark.data
def test_a_released_reward_model_stands_between_the_vote_and_the_oracle(data: Path, tmp_path: Path):
    """57 problems of MATH with 8 samples and rewards: the rewards instead of the review, without a call."""
    made = yaml_file(tmp_path / "p.yaml", REPLAY)
    package.run(str(made), data / "math_samples_rm.jsonl", tmp_path / "run", mapping="solutions/math-samples")
    found = policies(tmp_path / "run")
    rows = [json.loads(line) for line in (data / "math_samples_rm.jsonl").read_text().splitlines()]
    assert found["oracle"] == pytest.approx(sum(any(row["score"]) for row in rows) / len(rows))
    best = [row["score"][max(range(8), key=lambda i: row["pred_score"][i][-1])] for row in rows]
    assert found["best"] == pytest.approx(sum(best) / len(rows))
    assert found["majority"] < found["best"] < found["oracle"]

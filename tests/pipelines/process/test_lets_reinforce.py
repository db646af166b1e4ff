"""process/lets-reinforce (arXiv:2311.05821): aggregates of scores of steps."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from methods import preset, saying
from support import ROOT, ask, run, sums, yaml_file

import synth as package
from synth.audit import add_functions
from synth.export import ExportOptions, export_group
from synth.models import Completion, ScriptedModel, World
from synth.store.database import open_store

FOLDER = ROOT / "pipelines" / "process" / "lets-reinforce"
REPLAY = """
pipeline: my/replay
imports: [rationale, score.step_correct]
extends: process/lets-reinforce
replace:
  grade: {step: score, each: step of rationale, score: step_right, value: step.score.step_correct or 0}
override: {solve: null, verify_answer: {of: null}, mean: {of: null}, least: {of: null}, product: {of: null},
  geometric_mean: {of: null}, greatest: {of: null}, last: {of: null}, sum: {of: null}, pair: {of: null}, right: {of: null}}
"""


def table(folder: Path) -> dict[str, tuple[float, float, int]]:
    """The table of the method, by aggregate: area under the curve, correlation with length, solutions."""
    with open_store(folder) as store:
        add_functions(store)
        rows = store.sql((FOLDER / "aggregates.sql").read_text()).fetchall()
    return {name.removeprefix("by_"): tuple(rest) for name, *rest in rows}


def grader(steps: int, probability: Callable[[int, random.Random], float]) -> ScriptedModel:
    """A student that writes so many steps, graded by a function of their place."""

    def script(request, rng):
        if request.task.kind == "ask":
            return saying(probability(request.task.part.index, random.Random(request.task.problem.id)))
        lines = [f"Step {i} of them." for i in range(steps)]
        return "\n".join([*lines, f"The answer is {request.task.problem.answer}."])

    return ScriptedModel(script)


async def aggregates(tmp_path: Path, model: ScriptedModel, n: int = 1) -> list[dict[str, float]]:
    """The aggregates of each solution."""
    made = preset(tmp_path / "p.yaml", "process/lets-reinforce", solve={"samples": 1}, pair=None)
    folder = tmp_path / model.name
    await run(made, sums(tmp_path / "in.jsonl", n), folder, model)
    found: dict[str, dict[str, float]] = {}
    for target, name, value in ask(
        folder, "SELECT target, name, value FROM scores WHERE name LIKE 'by%' AND part IS NULL"
    ):
        found.setdefault(target, {})[name.removeprefix("by_")] = value
    return [found[target] for target in sorted(found)]


async def test_aggregates_of_two_good_steps_and_a_bad_one(tmp_path: Path):
    (found,) = await aggregates(tmp_path, grader(3, lambda i, _: [0.9, 0.9, 0.1][i]))
    expected = {"mean": 0.6333, "min": 0.1, "product": 0.081, "max": 0.9, "last": 0.1, "geomean": 0.4327, "sum": 1.9}
    assert found == pytest.approx(expected, abs=1e-4)


async def test_aggregates_keep_their_order_and_meet_where_all_steps_are_alike(tmp_path: Path):
    """That is product <= min <= geometric mean <= mean <= max."""

    def uneven(i: int, rng: random.Random) -> float:
        return [rng.uniform(0.05, 0.95) for _ in range(i + 1)][i]

    for found in await aggregates(tmp_path, grader(4, uneven), 25):
        order = [found[name] for name in ("product", "min", "geomean", "mean", "max")]
        assert order == sorted(order)
        assert order[0] < order[-1]
    for found in await aggregates(tmp_path / "..", grader(4, lambda i, rng: rng.uniform(0.05, 0.95)), 5):
        alike = found["mean"]
        assert all(found[name] == pytest.approx(alike) for name in ("min", "geomean", "max", "last"))
        assert found["product"] == pytest.approx(alike**4)


async def test_each_step_twice_pays_by_the_sum_alone_and_costs_by_the_product_alone(tmp_path: Path):
    """Filler is found out so: the sum doubles, the product is squared, the others stay."""
    values = [0.9, 0.6, 0.8]
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir()
    twice.mkdir()
    (short,) = await aggregates(once, grader(3, lambda i, _: values[i]))
    (long,) = await aggregates(twice, grader(6, lambda i, _: values[i // 2]))
    assert all(long[name] == pytest.approx(short[name]) for name in ("mean", "min", "max", "geomean", "last"))
    assert long["product"] == pytest.approx(short["product"] ** 2)
    assert long["sum"] == pytest.approx(2 * short["sum"])


async def test_a_step_without_a_score_leaves_no_aggregate_of_all_steps(tmp_path: Path):
    def script(request, rng):
        if request.task.kind == "ask":
            return (
                saying(0.9)
                if request.task.part.index != 1
                else Completion(text="Hm", finish="stop", logprobs={"content": []})
            )
        return f"One.\nTwo.\nThree.\nThe answer is {request.task.problem.answer}."

    (found,) = await aggregates(tmp_path, ScriptedModel(script))
    assert found.pop("last") == pytest.approx(0.9)
    assert set(found.values()) == {None}


def exact(sound: float, unsound: float, error: float, steps: int = 3) -> dict[str, float]:
    """The area under the curve of each aggregate, over all ways in which steps err and are graded 0.9 or 0.1.

    Args:
        sound: the rate at which a right step is graded 0.9.
        unsound: the same of a wrong step.
        error: the rate at which steps of a wrong solution are wrong; if none is, one at random is.
        steps: of each solution.
    """
    right: dict[tuple[float, ...], float] = {}
    wrong: dict[tuple[float, ...], float] = {}
    for grades in itertools.product((0.9, 0.1), repeat=steps):
        right[grades] = math.prod(sound if g == 0.9 else 1 - sound for g in grades)
        wrong[grades] = 0.0
        for errs in itertools.product((False, True), repeat=steps):
            weight = math.prod(error if e else 1 - error for e in errs)
            patterns = [errs] if any(errs) else [tuple(i == j for i in range(steps)) for j in range(steps)]
            for pattern in patterns:
                rates = [unsound if e else sound for e in pattern]
                here = math.prod(r if g == 0.9 else 1 - r for r, g in zip(rates, grades, strict=True))
                wrong[grades] += weight / len(patterns) * here
    of: dict[str, Callable[[tuple[float, ...]], float]] = {
        "mean": lambda g: round(sum(g) / steps, 9),
        "min": min,
        "max": max,
        "last": lambda g: g[-1],
    }
    return {
        name: sum(
            p * q * (1.0 if rank(a) > rank(b) else 0.5 if rank(a) == rank(b) else 0.0)
            for (a, p), (b, q) in itertools.product(right.items(), wrong.items())
        )
        for name, rank in of.items()
    }


async def test_aggregates_tell_right_from_wrong_as_the_rates_of_the_grader_say(tmp_path: Path):
    """A grader that passes 0.9 of right and 0.2 of wrong steps; 0.3 of the steps of wrong solutions are wrong."""
    model = ScriptedModel(World(solve_rate=0.5, specificity=0.9, sensitivity=0.8, step_error_rate=0.3))
    await run("process/lets-reinforce", sums(tmp_path / "in.jsonl", 150), tmp_path / "run", model)
    found = table(tmp_path / "run")
    areas = exact(0.9, 0.2, 0.3)
    assert {n for *_, n in found.values()} == {600}
    for name, area in areas.items():
        assert found[name][0] == pytest.approx(area, abs=0.05), name  # 3 standard errors of 300 against 300
    # Where all solutions have as many steps, and steps two grades, these rank alike.
    assert found["mean"][0] == pytest.approx(found["sum"][0]) == pytest.approx(found["geomean"][0])
    assert areas["mean"] > areas["min"] > areas["last"] > areas["max"]


async def test_pairs_follow_the_least_step_and_step_scores_are_exported(tmp_path: Path):
    await run(
        "process/lets-reinforce",
        sums(tmp_path / "in.jsonl", 20),
        tmp_path / "run",
        ScriptedModel(World(solve_rate=0.5)),
    )
    sides = """SELECT bool_and(c.value > r.value), count(*) FROM pairs p JOIN scores c ON c.target = p.chosen AND c.name = 'by_min'
        JOIN scores r ON r.target = p.rejected AND r.name = 'by_min'"""
    ((higher, n),) = ask(tmp_path / "run", sides)
    assert higher
    assert n > 10
    made = export_group(
        tmp_path / "run", {"reward": ExportOptions(), "prm": ExportOptions(step_score="step_right")}, tmp_path / "out"
    )
    rows = [json.loads(line) for line in made["prm"].path.read_text().splitlines()]
    assert len(rows) == 80
    assert {len(row["labels"]) for row in rows} == {3}


@pytest.mark.data
def test_labels_of_people_rank_the_aggregates(data: Path, tmp_path: Path):
    """BIG-Bench Mistake, what follows the first wrong step counted as wrong: the sum pays for length, the maximum tells nothing."""
    made = yaml_file(tmp_path / "p.yaml", REPLAY)
    package.run(str(made), data / "big_bench_mistake.jsonl", tmp_path / "run", mapping="steps/big-bench-mistake")
    found = table(tmp_path / "run")
    assert {n for *_, n in found.values()} == {750}
    assert found["min"][0] == pytest.approx(0.845, abs=0.005)
    assert found["sum"][0] < found["mean"][0] <= found["min"][0]
    assert found["max"][0] == pytest.approx(0.5)
    assert found["sum"][1] > 0.5
    assert abs(found["min"][1]) < 0.2

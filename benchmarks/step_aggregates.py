"""Which aggregate of step scores ranks best, and what best-of-n and weighted votes make of scores.

    SYNTH_DATA=/where/the/data/lie python benchmarks/step_aggregates.py

Three questions, without a call. What does a released reward model add to a vote (8 samples of 57 problems of MATH)? Which aggregate of
people's labels of steps tells right solutions from wrong ones (BIG-Bench Mistake, MR-GSM8K), once a grader with known errors has
seen them? How good is a rule that always guesses, as a floor for whoever looks for the first wrong step? Accuracies of n samples are exact
expectations over all subsets; intervals are from 2,000 resamples of the problems.
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synth.measures import NO_ERROR, area_under_curve, best_of_n, first_error, pass_at_n, vote_of_n
from synth.verify import compare_answers

RESAMPLES = 2000
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "product": math.prod,
    "min": min,
    "geomean": statistics.geometric_mean,
    "mean": statistics.fmean,
    "max": max,
    "last": lambda values: values[-1],
    "sum": math.fsum,
    "log_sum": lambda values: math.fsum(math.log(max(v, 1e-6)) for v in values),
    "discounted(0.9)": lambda values: math.fsum(v * 0.9**i for i, v in enumerate(values)),
}


def rows_of(data: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file; none, with a note, where it is absent."""
    path = data / f"{name}.jsonl"
    if not path.is_file():
        print(f"{name}: absent, left out")
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def interval(problems: Sequence[Any], statistic: Callable[[Sequence[Any]], float | None], seed: int = 1) -> str:
    """A statistic of problems with its 95 % interval, by resampling the problems."""
    rng = random.Random(seed)
    drawn = sorted(v for _ in range(RESAMPLES) if (v := statistic(rng.choices(problems, k=len(problems)))) is not None)
    whole = statistic(problems)
    assert whole is not None
    return f"{whole:.3f} ({drawn[len(drawn) // 40]:.3f}-{drawn[-len(drawn) // 40 - 1]:.3f})"


def camps(answers: Sequence[str]) -> list[str | None]:
    """The answers, each as the first one that is the same."""
    firsts: list[str] = []
    for answer in answers:
        same = (f for f in firsts if f == answer or compare_answers(answer, f, kind="math").label == "right")
        if answer and next(same, None) is None:
            firsts.append(answer)
    return [
        next((f for f in firsts if f == a or compare_answers(a, f, kind="math").label == "right"), None) if a else None
        for a in answers
    ]


def policies(rows: Sequence[dict[str, Any]]) -> None:
    """Chance, votes, best of n and the oracle on samples that a reward model has scored."""
    problems = []
    for row in rows:
        rewards = [scores[-1] for scores in row["pred_score"]]
        problems.append((rewards, camps(row["pred"]), [bool(s) for s in row["score"]]))
    print("| policy | n = 1 | n = 2 | n = 4 | n = 8 |\n|---|---:|---:|---:|---:|")
    ways: dict[str, Callable[[Any, int], float | None]] = {
        "chance": lambda p, _: pass_at_n(p[2], 1),
        "majority": lambda p, n: vote_of_n(p[1], None, p[2], n),
        "best of n": lambda p, n: best_of_n(p[0], p[2], n),
        "vote weighted by sigmoid(reward)": lambda p, n: vote_of_n(
            p[1], [1 / (1 + math.exp(-r)) for r in p[0]], p[2], n
        ),
        "vote weighted by exp(reward)": lambda p, n: vote_of_n(p[1], [math.exp(r) for r in p[0]], p[2], n),
        "vote weighted by rank": lambda p, n: vote_of_n(p[1], [sum(o <= r for o in p[0]) for r in p[0]], p[2], n),
        "oracle": lambda p, n: pass_at_n(p[2], n),
        "best of n less majority": lambda p, n: (best_of_n(p[0], p[2], n) or 0) - (vote_of_n(p[1], None, p[2], n) or 0),
    }
    for name, way in ways.items():
        cells = []
        for n in (1, 2, 4, 8):
            known = [v for p in problems if (v := way(p, n)) is not None]
            cells.append(interval(known, statistics.fmean))
        print(f"| {name} | {' | '.join(cells)} |")


def ranked(name: str, labelled: Sequence[tuple[int, int, bool]]) -> None:
    """The area under the curve of each aggregate: a grader passes 0.9 of the right and 0.3 of the wrong steps, 20 draws.

    Args:
        name: of the data.
        labelled: of each solution its number of steps, its first wrong one (or `NO_ERROR`), and whether its answer is right.
    """
    rng = random.Random(2)
    areas: dict[str, list[float]] = {aggregate: [] for aggregate in AGGREGATES}
    for _ in range(20):
        graded = []
        for steps, first, _ in labelled:
            sound = [first == NO_ERROR or i < first for i in range(steps)]
            graded.append(
                [
                    rng.betavariate(8, 2) if rng.random() < (0.9 if ok else 0.3) else rng.betavariate(2, 8)
                    for ok in sound
                ]
            )
        truth = [first == NO_ERROR for _, first, _ in labelled]
        for aggregate, make in AGGREGATES.items():
            area = area_under_curve([make(values) for values in graded], truth)
            if area is None:
                print(f"{name}: all solutions have a wrong step, or none has; left out")
                return
            areas[aggregate].append(area)
    print(f"| {name} | {len(labelled)} | " + " | ".join(f"{statistics.fmean(areas[a]):.3f}" for a in AGGREGATES) + " |")


def main() -> None:
    """All of it."""
    data = Path(os.environ.get("SYNTH_DATA", ""))
    if not os.environ.get("SYNTH_DATA") or not data.is_dir():
        sys.exit("the data are absent: set SYNTH_DATA to the folder where they lie")
    if rows := rows_of(data, "math_samples_rm"):
        policies(rows)
    labelled: dict[str, list[tuple[int, int, bool]]] = {}
    for row in rows_of(data, "big_bench_mistake"):
        first = NO_ERROR if row["mistake_index"] is None else row["mistake_index"]
        labelled.setdefault("big_bench_mistake", []).append((len(row["steps"]), first, row["answer"] == row["target"]))
    for row in rows_of(data, "mr_gsm8k"):
        marked, right = (
            row["model_output_solution_first_error_step"],
            row["model_output_solution_correctness"] == "correct",
        )
        if not right and not str(marked).isdigit():
            continue
        steps = len(row["model_output_steps"])
        first = NO_ERROR if right else int(marked) - 1
        if first < steps:
            outcome = row["model_output_answer_correctness"] in {"correct", "right"}
            labelled.setdefault("mr_gsm8k", []).append((steps, first, outcome))
    if labelled:
        print(f"\n| a grader of 0.9 and 0.3 | solutions | {' | '.join(AGGREGATES)} |")
        print("|---|---:|" + "---:|" * len(AGGREGATES))
    for name, cases in labelled.items():
        ranked(name, cases)
    if labelled:
        print(
            '\n| first wrong step | erroneous | without | behind right answers | by the answer (chance) | F1 of chance | of "no error" | of the answer |'
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, cases in labelled.items():
        gold, steps = [first for _, first, _ in cases], [count for count, *_ in cases]
        chance = first_error([None] * len(gold), gold, steps)
        # Who sees the answer alone: no error where it is right, else the first step.
        answer = first_error([NO_ERROR if right else 0 for *_, right in cases], gold, steps)
        never = first_error([NO_ERROR] * len(gold), gold, steps)
        assert chance is not None and answer is not None and never is not None  # noqa: PT018
        lucky = [first != NO_ERROR for _, first, right in cases if right]
        share = f"{statistics.fmean(lucky):.3f}" if lucky else ""
        f1 = ["" if f is None else f"{f:.3f}" for f in (chance.chance_f1, never.f1, answer.f1)]
        found = f"{answer.on_erroneous or 0:.3f} ({chance.chance_on_erroneous or 0:.3f})"
        print(f"| {name} | {chance.erroneous} | {chance.correct} | {share} | {found} | {' | '.join(f1)} |")


if __name__ == "__main__":
    main()

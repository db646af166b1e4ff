"""`synth rounds` improves, stalls and degrades where the theory of self-taught reasoners says so (arXiv:2410.23912)."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest
from methods import near
from support import ask, endpoint, reply, synth, write_rows, yaml_file

import synth as package
from synth.audit import run_audits

PIPELINE = """
pipeline: my/chain
roles: {student: adds up}
steps:
  - {step: generate, by: student, author: student, format: text, examples: none, segment: lines}
  - {step: verify_answer}
  - {step: check_steps, with: trace, score: step_correct}
  - {step: filter, keep: score.correct}
"""

TRAIN = """
import json, os, pathlib, re
right = steps = 0
for row in map(json.loads, open(os.environ["SYNTH_DATA"] + "/sft.jsonl")):
    asked, said = (message["content"] for message in row["messages"][-2:])
    modulus, total = int(re.search("modulo (\\\\d+)", asked)[1]), 0
    for number, stated in re.findall("is (\\\\d+): the sum is (\\\\d+)", said):
        right += int(stated) == (total + int(number)) % modulus
        steps += 1
        total = int(stated)
url = os.environ["SYNTH_STUDENT"].split("#")[0]
pathlib.Path(os.environ["SYNTH_OUT"], "student.txt").write_text(f"{url}#p{right / steps}\\n")
"""
"""The stand-in for training: the next student takes a right step as often as the kept data does."""


def after_training(p: float, states: int, steps: int) -> float:
    """The share of right steps in chains that end in the right state, of a student that takes a right step with probability p and else a
    wrong one, each of the others with the same probability: p (1 + (M-1) λ^(N-1)) / (1 + (M-1) λ^N) with λ = (pM - 1) / (M - 1).
    """
    rest = (p * states - 1) / (states - 1)
    return p * (1 + (states - 1) * rest ** (steps - 1)) / (1 + (states - 1) * rest**steps)


@pytest.mark.parametrize(
    ("states", "steps", "p", "expected"),
    [(5, 3, 0.3, 0.3163), (10, 4, 0.25, 0.2586), (5, 3, 0.2, 0.2), (10, 7, 0.1, 0.1), (4, 2, 0.1, 0.0357)],
)
def test_the_formula_is_that_of_a_simulation(states: int, steps: int, p: float, expected: float):
    """Chains drawn one by one: right steps among those that end right. The fixed point is a guess, 1/M; below it all gets worse."""
    assert after_training(p, states, steps) == pytest.approx(expected, abs=5e-5)
    rng = random.Random(states)
    kept = right = 0
    for _ in range(150_000):
        errors = [0 if rng.random() < p else rng.randrange(1, states) for _ in range(steps)]
        if sum(errors) % states == 0:
            kept += 1
            right += errors.count(0)
    assert near(right / (kept * steps), expected, kept)


def test_the_curve_of_fifteen_rounds():
    """From 0.25 with five states and three steps: slow, then fast, then done."""
    curve = [0.25]
    for _ in range(15):
        curve.append(after_training(curve[-1], 5, 3))
    assert [round(curve[i], 3) for i in (5, 10)] == [0.276, 0.363]
    assert curve[15] > 0.97
    assert curve == sorted(curve)


@pytest.mark.parametrize(("states", "steps", "p", "rounds"), [(5, 3, 0.5, 2), (5, 3, 0.2, 1), (4, 2, 0.1, 1)])
def test_rounds_follow_the_formula(tmp_path: Path, states: int, steps: int, p: float, rounds: int):
    """A student whose p is read from what its round kept: from 0.5 it improves, at 1/M it stalls, below it degrades. What was kept has
    wrong steps, and how many is what `check_steps` says.
    """
    n = 700
    rng = random.Random(1)
    numbers = [[rng.randrange(states) for _ in range(steps)] for _ in range(n)]
    rows = [
        {
            "question": f"Case {i}: add modulo {states}: {', '.join(map(str, given))}.",
            "answer": str(sum(given) % states),
            "algorithm": "parity",
            "instance": {"modulus": states, "numbers": given},
        }
        for i, given in enumerate(numbers)
    ]

    async def answer(request, body):
        case, _, listed = body["messages"][-1]["content"].partition("Case ")[2].partition(f": add modulo {states}: ")
        luck, able = random.Random(f"{body['model']} {case}"), float(body["model"][1:])
        total, lines = 0, []
        for i, number in enumerate(map(int, re.findall(r"\d+", listed.partition(".")[0])), 1):
            total = (total + number + (0 if luck.random() < able else luck.randrange(1, states))) % states
            lines.append(f"Number {i} is {number}: the sum is {total}.")
        return reply("\n".join([*lines, f"The answer is {total}."]))

    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    with endpoint(answer) as (url, _):
        synth(
            "rounds", yaml_file(tmp_path / "p.yaml", PIPELINE), "--input", write_rows(tmp_path / "in.jsonl", rows), "--run",
            tmp_path / "rounds", "--rounds", str(rounds), "--to", "sft", "--model", f"student={url}#p{p}", "--train",
            f"{sys.executable} {script}", check=0,
        )  # fmt: skip
    before = p
    for number in range(1, rounds + 1):
        folder = tmp_path / "rounds" / f"round-{number}"
        kept, purity = ask(
            folder / "run",
            "SELECT count(DISTINCT r.id), avg(s.value) FROM kept_rationales r JOIN scores s ON s.target = r.id AND s.name = 'step_correct'",
        )[0]
        (now,) = {float(path.read_text().partition("#p")[2]) for path in folder.rglob("student.txt")}
        assert now == pytest.approx(purity)
        assert near(now, after_training(before, states, steps), kept)
        ends_right = 1 / states + (1 - 1 / states) * ((before * states - 1) / (states - 1)) ** steps
        assert near(kept / n, ends_right, n)
        before = now
    if p > 1 / states:
        assert before > p + 0.2
    elif p < 1 / states:
        assert before < p / 2
    else:
        assert abs(before - p) < 0.08


@pytest.mark.data
def test_nine_released_models_beat_chance(data: Path, tmp_path: Path):
    """Their answers to questions of MMLU-Pro, without a call: the weakest is 23 points above a guess, and surely so."""
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/replay\nextends: rlvr/alphamed\nimports: [rationale, score.correct]\n"
        "override: {try: null, verify_answer: null, right: {of: null}}\n",
    )
    package.run(
        str(made), data / "mmlu_pro_outputs.jsonl", tmp_path / "run", mapping="solutions/mmlu-pro", skip_invalid=True
    )
    (verdict,) = run_audits(tmp_path / "run", only=["beats_chance"])
    assert (verdict.status, verdict.n) == ("passed", 159)
    assert verdict.value == pytest.approx(0.156, abs=0.001)
    assert verdict.note.endswith(": +23.0 points, give or take 7.4")

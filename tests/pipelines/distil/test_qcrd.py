"""distil/qcrd (arXiv:2405.13014): good and bad rationales of a question with weights."""

from __future__ import annotations

import json
from itertools import product
from math import prod
from pathlib import Path

import pytest
from methods import choices, models, near, preset
from support import ask, run, write_rows

from synth.measures import area_under_curve
from synth.models import ScriptedModel, World

NAME = "distil/qcrd"
SCORES = """SELECT r.step, r.model, r.problem, r.text, max(s.value) FILTER (s.name = 'good') AS good,
max(s.value) FILTER (s.name = 'quality'), max(s.value) FILTER (s.name = 'weight') FROM rationales r
JOIN scores s ON s.target = r.id GROUP BY r.id, r.step, r.model, r.problem, r.text HAVING good IS NOT NULL"""


def worlds(student: float = 0.3) -> dict[str, list[ScriptedModel]]:
    """A teacher, an earlier student, and a judge that is certain in 0.9."""
    teacher, earlier, judge = models(
        teacher=World(solve_rate=0.6, lucky_rate=0.0),
        checkpoint_5=World(solve_rate=student, lucky_rate=0.0),
        judge=World(sensitivity=1.0, specificity=1.0),
    )
    return {"teacher": [teacher], "earlier": [earlier], "judge": [judge]}


async def test_without_the_check_the_majority_is_good_as_often_as_it_can_be(tmp_path: Path):
    """A teacher at 0.6 with two wrong options, five samples: the right answer is a strict plurality in 68.3 %, and 20.2 % are tied."""
    shares = (0.6, 0.2, 0.2)
    strict = tied = 0.0
    for votes in product(range(3), repeat=5):
        counts = [votes.count(i) for i in range(3)]
        p = prod(shares[v] for v in votes)
        tied += p * (counts.count(max(counts)) > 1)
        strict += p * (counts[0] > max(counts[1:]))
    assert (round(strict, 3), round(tied, 3)) == (0.683, 0.202)

    n = 400
    rows = [json.loads(line) for line in choices(tmp_path / "all.jsonl", n, 3).read_text().splitlines()]
    given = write_rows(tmp_path / "in.jsonl", [{**row, "answer": "A"} for row in rows])

    def teacher(request, rng):
        said = rng.choices("ABC", shares)[0]
        return f"I weigh the options, {rng.randrange(10**9)}.\nThe answer is {said}."

    roles = {**worlds(), "teacher": [ScriptedModel(teacher, name="teacher")]}
    made = preset(tmp_path / "p.yaml", NAME, check=None, judge=None, weight=None)
    await run(made, given, tmp_path / "run", roles)
    good = ask(
        tmp_path / "run",
        """SELECT problem, any_value(answer), count(DISTINCT answer) FROM rationales r JOIN scores s ON s.target = r.id
        WHERE s.name = 'good' AND s.value = 1 AND r.step = 'teach' GROUP BY 1""",
    )
    assert {answers for *_, answers in good} == {1}
    assert near(1 - len(good) / n, tied, n)
    assert near(sum(answer == "A" for _, answer, _ in good) / n, strict, n)
    # A tie makes neither good nor bad.
    scored = ask(
        tmp_path / "run",
        "SELECT count(DISTINCT r.problem) FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'good' AND r.step = 'teach'",
    )
    assert scored == [(len(good),)]


async def test_weights_rise_with_quality_of_good_ones_and_fall_with_that_of_bad_ones(tmp_path: Path):
    await run(NAME, choices(tmp_path / "in.jsonl", 100, 3), tmp_path / "run", worlds())
    rows = ask(tmp_path / "run", SCORES)
    assert {(step, model) for step, model, *_ in rows} == {("teach", "teacher"), ("old", "checkpoint_5")}
    for step, _, _, text, good, quality, weight in rows:
        assert quality == pytest.approx(0.9 if World.is_sound(text) else 0.1)
        assert weight == pytest.approx(quality if good else 1 - quality)
        assert good == 0 or step == "teach"
    assert area_under_curve([r[5] for r in rows], [World.is_sound(r[3]) for r in rows]) == 1
    # No text is both good and bad for one question, and the bad ones of the student are wrong.
    texts: dict[tuple, set] = {}
    for _, _, problem, text, good, *_ in rows:
        texts.setdefault((problem, text), set()).add(good)
    assert all(len(kinds) == 1 for kinds in texts.values())
    wrong = """SELECT count(*) FROM rationales r JOIN scores s ON s.target = r.id JOIN problems p ON p.id = r.problem
    WHERE s.name = 'good' AND r.step = 'old' AND r.answer = p.answer"""
    assert ask(tmp_path / "run", wrong) == [(0,)]
    sides = ask(
        tmp_path / "run",
        "SELECT p.step, c.step, d.step FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected GROUP BY ALL ORDER BY 1",
    )
    assert sides == [("over_the_minority", "teach", "teach"), ("over_the_old", "teach", "old")]
    kept = ask(
        tmp_path / "run",
        "SELECT r.step, avg(s.value) FROM kept_rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' GROUP BY 1",
    )
    assert kept == [("teach", 1.0)]


async def test_a_better_student_gives_less_weight_to_bad_ones(tmp_path: Path):
    """As the earlier student improves, the weight of its bad rationales falls, by problem: 0.9 times its share of mistakes."""
    n, weights = 150, []
    for number, rate in enumerate((0.1, 0.5, 0.9)):
        (folder := tmp_path / str(number)).mkdir()
        await run(NAME, choices(folder / "in.jsonl", n, 3), folder / "run", worlds(rate))
        rows = ask(folder / "run", SCORES)
        weights.append(sum(w for step, *_, w in rows if step == "old") / n)
        assert near(weights[-1] / 0.9, 1 - rate, n)
    assert weights == sorted(weights, reverse=True)


async def test_gibberish_is_no_bad_rationale(tmp_path: Path):
    """What repeats itself, or states no answer, is left out."""
    said = {
        "A": "one two three four five six seven eight nine ten " * 9 + "\nThe answer is B.",
        "B": "Ha.",
        "C": "I guess.\nThe answer is A.",
    }

    def earlier(request, rng):
        return said[request.task.problem.answer]

    roles = {**worlds(), "earlier": [ScriptedModel(earlier, name="checkpoint_5")]}
    await run(NAME, choices(tmp_path / "in.jsonl", 3, 3), tmp_path / "run", roles)
    bad = ask(
        tmp_path / "run",
        "SELECT DISTINCT r.text FROM rationales r JOIN scores s ON s.target = r.id WHERE s.name = 'weight' AND r.step = 'old'",
    )
    assert bad == [("I guess.",)]


@pytest.mark.data
async def test_released_chains_of_thought(data: Path, tmp_path: Path):
    """Chains of three models on CommonsenseQA in the place of a teacher's samples: good ones are those that the file calls right."""
    chains: dict[str, list[dict]] = {}
    for row in map(json.loads, (data / "thoughtsource_outputs.jsonl").read_text().splitlines()):
        if (
            row["dataset"] == "commonsense_qa"
            and row["generated_cot"]
            and len({*row["choices"]}) == len(row["choices"])
        ):
            chains.setdefault(row["question"], []).append(row)
    chains = {q: rows for q, rows in chains.items() if len(rows) >= 2}

    def teacher(request, rng):
        rows = chains[request.task.problem.question]
        row = rows[request.sample % len(rows)]
        letters = [a for a, text in request.task.problem.lettered_choices if text in (row["generated_answer"] or "")]
        return f"{row['generated_cot']}\nThe answer is {letters[0] if len(letters) == 1 else 'unclear'}."

    given = [
        {
            "question": q,
            "choices": rows[0]["choices"],
            "answer": "ABCDEFGH"[rows[0]["choices"].index(rows[0]["answer"][0])],
        }
        for q, rows in chains.items()
    ]
    roles = {**worlds(0.0), "teacher": [ScriptedModel(teacher, name="teacher")]}
    await run(NAME, write_rows(tmp_path / "in.jsonl", given), tmp_path / "run", roles)
    found = dict(
        ask(
            tmp_path / "run",
            "SELECT s.value, count(*) FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'good' AND r.step = 'teach' GROUP BY 1",
        )
    )
    pairs = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM pairs GROUP BY 1"))
    assert (len(given), found) == (62, {0.0: 118, 1.0: 40})
    assert pairs == {"over_the_minority": 15, "over_the_old": 40}

"""rlvr/empo (arXiv:2504.05812): rewards by the frequency of answers, without gold answers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, write_rows

from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel
from synth.rewards import by_column

NAME = "rlvr/empo"
COLOURS = ("red", "green", "blue", "black")
SCORES = """SELECT r.sample, max(s.value) FILTER (s.name = 'frequency'), max(s.value) FILTER (s.name = 'minds'),
r.id IN (SELECT id FROM kept_rationales) FROM rationales r JOIN scores s ON s.target = r.id GROUP BY r.id, r.sample ORDER BY 1"""


def questions(path: Path, n: int, choices: Sequence[str] = ()) -> Path:
    """Questions without an answer, with the choices if any."""
    rows = [{"question": f"How many things are in box {i * i} of house {i}?"} for i in range(n)]
    return write_rows(path, [{**row, "choices": list(choices)} for row in rows] if choices else rows)


def saying(answers: Sequence[str | None]) -> ScriptedModel:
    """A model whose answers are those, one after another; None for a reply without an answer."""

    def script(request, rng):
        said = answers[request.sample]
        return f"I count in way {request.sample}." + (f"\nThe answer is {said}." if said else "")

    return ScriptedModel(script)


async def scores(tmp_path: Path, answers: Sequence[str | None], choices: Sequence[str] = ()) -> list[tuple]:
    made = preset(tmp_path / "p.yaml", NAME, answers={"samples": len(answers)})
    await run(made, questions(tmp_path / "in.jsonl", 1, choices), tmp_path / "run", saying(answers))
    return ask(tmp_path / "run", SCORES)


@pytest.mark.parametrize("names", ["ABC", "CAB", "DBA"])
async def test_rewards_and_entropy_of_ten_four_one_and_none(tmp_path: Path, names: str):
    """Rewards 0.625, 0.25, 0.0625 and 0.0625, entropy 0.9869 nats, mean reward the sum of squares, whatever the answers are called."""
    first, second, third = names
    rows = await scores(tmp_path, [first] * 10 + [second] * 4 + [third, None], COLOURS)
    rewards = [reward for _, reward, *_ in rows]
    assert rewards == [0.625] * 10 + [0.25] * 4 + [0.0625] * 2
    assert {round(math.log(minds), 4) for *_, minds, _ in rows} == {0.9869}
    assert sum(rewards) / 16 == pytest.approx(0.4609, abs=5e-5)
    assert [kept for *_, kept in rows] == [True] * 10 + [False] * 6
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales WHERE answer IS NULL") == [(1,)]
    sides = ask(
        tmp_path / "run",
        "SELECT DISTINCT c.answer, d.answer = c.answer FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected",
    )
    assert {answer for answer, _ in sides} == {first}
    assert all(not same for _, same in sides)


async def test_answers_without_a_reading_do_not_agree(tmp_path: Path):
    """Four replies without an answer are four clusters: they are not rewarded for having none in common."""
    rows = await scores(tmp_path, [None] * 4 + ["C"] * 4, COLOURS)
    assert [reward for _, reward, *_ in rows] == [0.125] * 4 + [0.5] * 4
    assert math.log(rows[0][2]) == pytest.approx(-(0.5 * math.log(0.5) + 4 * 0.125 * math.log(0.125)))
    assert [kept for *_, kept in rows] == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("answers", "minds"),
    [(["3"] * 16, 1.0), ([str(i) for i in range(16)], 16.0), (["3"] * 8 + ["4"] * 8, 2.0)],
    ids=["one mind", "no two", "a tie"],
)
async def test_what_teaches_nothing_is_rejected(tmp_path: Path, answers: list[str], minds: float):
    rows = await scores(tmp_path, answers)
    assert rows[0][2] == pytest.approx(minds)
    assert not any(kept for *_, kept in rows)


async def test_equal_answers_in_other_words_are_one_cluster(tmp_path: Path):
    rows = await scores(tmp_path, ["a cat", "A cat", "A CAT.", "a dog"])
    assert [reward for _, reward, *_ in rows] == [0.75, 0.75, 0.75, 0.25]


async def test_prompts_without_gold_answers_have_the_reward_that_the_run_measured(tmp_path: Path):
    """`majority_share` of the completions of a problem is their score `frequency`; what teaches nothing makes no prompt."""

    def script(request, rng):
        one_mind = "house 0?" in request.task.problem.question
        answer = 3 if one_mind else rng.choice([3, 3, 4, 5, None])
        return f"I count to {rng.randrange(10**9)}." + (f"\nThe answer is {answer}." if answer else "")

    await run(NAME, questions(tmp_path / "in.jsonl", 12), tmp_path / "run", ScriptedModel(script))
    options = ExportOptions(label_free=True, reward="majority_share")
    rows = [
        json.loads(line)
        for line in export_run(tmp_path / "run", "grpo", tmp_path / "out", options).path.read_text().splitlines()
    ]
    taught = ask(
        tmp_path / "run",
        "SELECT DISTINCT problem FROM rationales r JOIN scores s ON s.target = r.id "
        "WHERE s.name = 'minds' AND s.value > 1 AND s.value <= 8",
    )
    assert {row["problem_id"] for row in rows} == {problem for (problem,) in taught}
    assert 5 < len(rows) < 12
    for row in rows:
        found = ask(
            tmp_path / "run",
            f"SELECT r.response, s.value FROM rationales r JOIN scores s ON s.target = r.id "
            f"WHERE s.name = 'frequency' AND r.problem = '{row['problem_id']}'",
        )
        said, frequency = zip(*found, strict=True)
        columns = {name: [value] * len(said) for name, value in row.items()}
        assert by_column(list(said), **columns) == list(frequency)


@pytest.mark.parametrize("shares", [(0.5, 0.25, 0.25), (0.3, 0.5, 0.2)], ids=["right most often", "wrong most often"])
async def test_the_majority_is_right_as_often_as_a_multinomial_says(tmp_path: Path, shares: tuple[float, ...]):
    """Of five answers; where one wrong answer is likelier than the right one, what is kept is mostly wrong."""
    of_right = of_wrong = 0.0
    for votes in product(range(3), repeat=5):
        counts = [votes.count(i) for i in range(3)]
        p = math.prod(shares[v] for v in votes)
        if max(counts) < 5 and counts.count(max(counts)) == 1:
            of_right += p * (counts[0] == max(counts))
            of_wrong += p * (counts[0] < max(counts))

    def script(request, rng):
        return f"I count to {rng.randrange(10**9)}.\nThe answer is {rng.choices([3, 4, 5], shares)[0]}."

    n = 300
    made = preset(tmp_path / "p.yaml", NAME, answers={"samples": 5})
    await run(made, questions(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(script))
    kept = ask(
        tmp_path / "run", "SELECT problem, any_value(answer), count(DISTINCT answer) FROM kept_rationales GROUP BY 1"
    )
    assert all(different == 1 for *_, different in kept)
    right = sum(answer == "3" for _, answer, _ in kept)
    assert near(right / n, of_right, n)
    assert near((len(kept) - right) / n, of_wrong, n)
    assert (right < len(kept) / 2) == (shares[0] < max(shares))


@pytest.mark.data
async def test_released_samples_of_dates(data: Path, tmp_path: Path):
    """Sixteen of forty released completions each: where they differ, all six majorities are wrong."""
    rows = [json.loads(line) for line in (data / "date_40_samples.jsonl").read_text().splitlines()]
    by_question = {row["question"].strip(): row for row in rows}

    def script(request, rng):
        text = by_question[request.task.problem.question]["completions"][request.sample]
        said = text.rpartition("answer is ")[2].strip().rstrip(".")
        return f"Completion {request.sample}.\nThe answer is {said}." if "answer is " in text else "No answer."

    await run(
        NAME,
        write_rows(tmp_path / "in.jsonl", [{"question": q} for q in by_question]),
        tmp_path / "run",
        ScriptedModel(script),
    )
    minds = dict(
        ask(
            tmp_path / "run",
            "SELECT p.question, any_value(s.value) FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
            "WHERE s.name = 'minds' GROUP BY 1",
        )
    )
    kept = ask(
        tmp_path / "run",
        "SELECT p.question, any_value(r.answer) FROM kept_rationales r JOIN problems p ON p.id = r.problem GROUP BY 1",
    )
    right = sum(answer == by_question[q]["gold"].removeprefix("#### ") for q, answer in kept)
    assert (len(minds), sum(v == 1 for v in minds.values()), len(kept), right) == (72, 66, 6, 0)

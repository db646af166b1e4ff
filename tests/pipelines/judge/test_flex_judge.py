"""judge/flex-judge (arXiv:2505.18601): gradings that are exactly the reference, in several formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel

GRADES = "Grade both replies from 1 to 10."


def gradings(path: Path, n: int) -> Path:
    """A file of `n` pairs of replies with two reference grades each."""
    rows = [
        {
            "question": GRADES,
            "context": f"Case {i}. Reply A: word{i}. Reply B: thing{i}.",
            "answer": f"{1 + i % 9} {1 + (i * 7) % 10}",
            "format": "scores",
            "instruction": f"Say something about case {i}.",
            "replies": [f"word{i}", f"thing{i}"],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def judge(rate: float = 1.0, bias: int = 0):
    """A judge that gives each reference grade at a rate; the reply that it sees first gets `bias` more."""

    def script(request, rng):
        grades = [int(word) for word in request.task.problem.answer.split()]
        if request.task.kind == "ask":  # shown in the other order
            return json.dumps({"reasons": "So it seems.", "first": grades[1] + bias, "second": grades[0]})
        given = [g if rng.random() < rate else g % 10 + 1 for g in grades]
        return f"I look at both {rng.randrange(10**9)}.\nThe answer is {given[0] + bias} {given[1]}."

    return ScriptedModel(script)


async def test_a_grading_is_kept_where_both_grades_are_exact(tmp_path: Path):
    """With each grade exact at 0.7, 0.49 of gradings are right, and 1 - 0.51² of the pairs keep one; every kept one is right."""
    n = 300
    await run("judge/flex-judge", gradings(tmp_path / "in.jsonl", n), tmp_path / "run", judge(0.7))
    right = ask(tmp_path / "run", "SELECT avg(value) FROM scores WHERE name = 'correct'")[0][0]
    assert near(right, 0.49, 2 * n)
    kept = ask(
        tmp_path / "run",
        "SELECT r.answer = p.answer FROM kept_rationales r JOIN problems p ON p.id = r.problem",
    )
    assert near(len(kept) / n, 1 - 0.51**2, n)
    assert all(same for (same,) in kept)


@pytest.mark.parametrize(("bias", "agrees"), [(0, 1.0), (1, 0.0)])
async def test_grades_move_with_the_replies_unless_the_judge_prefers_a_place(tmp_path: Path, bias: int, agrees: float):
    """A symmetric judge gives swapped grades to swapped replies; one that adds to the first reply never does."""
    rows = write_rows(
        tmp_path / "in.jsonl",
        [
            {**json.loads(line), "answer": f"{a} {b}"}
            for line, (a, b) in zip(
                gradings(tmp_path / "all.jsonl", 6).read_text().splitlines(),
                [(3, 7), (5, 2), (8, 8), (1, 9), (6, 4), (2, 2)],
                strict=True,
            )
        ],
    )
    model = judge(bias=bias)
    # What the judge says of the first order stands, also where it is not the reference.
    made = preset(tmp_path / "p.yaml", "judge/flex-judge", as_the_reference=None, grade={"samples": 1})
    await run(made, rows, tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT avg(value), count(*) FROM scores WHERE name = 'swap_agrees'") == [(agrees, 6)]


@pytest.mark.parametrize(
    ("answer", "wrong"), [("8 4", "4 8"), ("7", "8"), ("B", "A"), ("B > A > C", "B > C > A")], ids=str
)
async def test_a_verdict_of_every_format_is_read_back(tmp_path: Path, answer: str, wrong: str):
    """What a judge states is read as the same verdict, and no other one passes for it; digits of the reasons are no verdict."""
    row = {"question": "Judge.", "context": "Replies.", "answer": answer, "format": "letter", "replies": []}

    def script(request, rng):
        said = answer if request.sample == 0 else wrong
        return f"Reply A has 3 mistakes and 9 words, reply B 1.\nI weigh them for try {request.sample}.\nThe answer is {said}."

    await run("judge/flex-judge", write_rows(tmp_path / "in.jsonl", [row]), tmp_path / "run", ScriptedModel(script))
    verdicts = ask(
        tmp_path / "run",
        "SELECT r.answer, s.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' ORDER BY r.sample",
    )
    assert verdicts == [(answer, 1.0), (wrong, 0.0)]
    assert ask(tmp_path / "run", "SELECT answer FROM kept_rationales") == [(answer,)]


async def test_the_longest_reasoning_stays_if_it_does_not_repeat_itself(tmp_path: Path):
    texts = [
        "It is short.",
        "It is longer because it looks at each reply in turn and compares them.",
        "again and " * 60,
    ]

    def script(request, rng):
        return f"{texts[request.sample]}\nThe answer is {request.task.problem.answer}."

    made = preset(tmp_path / "p.yaml", "judge/flex-judge", grade={"samples": 3}, swap=None)
    await run(made, gradings(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT text FROM kept_rationales") == [(texts[1],)]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "found"),
    [("claude-3-haiku-20240307", (111, 34, 34)), ("o1-mini-2024-09-12", (110, 78, 78))],
    ids=lambda v: str(v)[:8],
)
async def test_released_verdicts_are_kept_where_they_are_right(data: Path, tmp_path: Path, name: str, found: tuple):
    """Of the verdicts of a judge of JudgeBench as many are kept as name the reply that is right; a tie is no letter."""
    pairs = {row["pair_id"]: row for row in map(json.loads, (data / "judgebench_pairs.jsonl").read_text().splitlines())}
    said = {}
    for row in map(json.loads, (data / "judgebench_verdicts.jsonl").read_text().splitlines()):
        if row["judge_model"] == name:
            said[row["pair_id"]] = row["judgments"][0]
    rows = [
        {
            "question": "Which reply is better? State its letter.",
            "context": f"{p['question']}\n\nReply A: {p['response_A']}\n\nReply B: {p['response_B']}",
            "choices": ["Reply A is better.", "Reply B is better."],
            "answer": p["label"][0],
            "pair": key,
            "format": "letter",
        }
        for key, p in pairs.items()
        if key in said
    ]

    def script(request, rng):
        verdict = said[request.task.problem.meta["pair"]]
        letter = {"A>B": "A", "B>A": "B"}.get(verdict["decision"], "neither")
        return f"{verdict['response']}\nThe answer is {letter}."

    made = preset(tmp_path / "p.yaml", "judge/flex-judge", grade={"samples": 1}, formats=None)
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    right = sum(said[r["pair"]]["decision"] == ("A>B" if r["answer"] == "A" else "B>A") for r in rows)
    verified = ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'correct' AND value = 1")
    kept = ask(tmp_path / "run", "SELECT count(*), count(DISTINCT problem) FROM kept_rationales")
    assert verified == [(right,)]
    assert kept[0][0] == kept[0][1]
    assert (len(rows), right, kept[0][0]) == found

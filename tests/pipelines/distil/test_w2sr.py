"""distil/w2sr, w2sr-right, w2sr-wrong (arXiv:2505.20072): the parts make up the whole, and loops are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near
from support import ask, run, sums, write_rows

from synth.models import ScriptedModel, World

PARTS = ("distil/w2sr", "distil/w2sr-right", "distil/w2sr-wrong")


async def kept_by_part(tmp_path: Path, rows: Path, model: ScriptedModel) -> list[dict[str, float]]:
    """Texts that each of the three keeps, with whether they are right."""
    found = []
    for name in PARTS:
        folder = tmp_path / name.rpartition("/")[2]
        await run(name, rows, folder, model)
        found.append(
            dict(
                ask(
                    folder,
                    "SELECT r.id, s.value FROM kept_rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct'",
                )
            )
        )
    return found


async def test_right_and_wrong_traces_make_up_all(tmp_path: Path):
    """A teacher of accuracy 0.3: |all| = |right| + |wrong|, |right| is near 0.3 n, and what has no answer is in none."""
    n = 200
    model = ScriptedModel(World(solve_rate=0.3, malformed_rate=0.1))
    rows = sums(tmp_path / "in.jsonl", n)
    every, right, wrong = await kept_by_part(tmp_path, rows, model)
    assert every == right | wrong
    assert not right.keys() & wrong.keys()
    assert set(right.values()) == {1.0}
    assert set(wrong.values()) == {0.0}
    unparsed = ask(tmp_path / "w2sr", "SELECT count(*) FROM scores WHERE label = 'unparsed'")[0][0]
    assert len(every) + unparsed == n
    assert near(unparsed / n, 0.1, n)
    assert near(len(right) / len(every), 0.3, len(every))


@pytest.mark.parametrize("times", [4, 8, 50])
async def test_loops_are_left_out_whatever_they_answer(tmp_path: Path, times: int):
    """A sentence said four times and more after a beginning of twice its length; half of the traces are clean."""

    def script(request, rng):
        row = int(request.task.problem.meta["row"])
        begin = " ".join(f"b{row}x{i}" for i in range(20))
        loop = " ".join(f"w{row}x{i}" for i in range(10)) + ".\n"
        return f"{begin}.\n{loop * (times if row % 2 else 1)}The answer is {request.task.problem.answer}."

    rows = [{"question": f"Case {i} of q{i * i}?", "answer": str(i + 3), "row": i} for i in range(10)]
    await run(PARTS[0], write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    kept = ask(
        tmp_path / "run",
        "SELECT CAST(p.meta->>'row' AS INT) FROM kept_rationales r JOIN problems p ON p.id = r.problem",
    )
    assert sorted(row for (row,) in kept) == [0, 2, 4, 6, 8]


@pytest.mark.data
async def test_solutions_by_people_are_no_loops(data: Path, tmp_path: Path):
    """None of the solutions of AQuA-RAT that state an answer is left out."""
    rows = [json.loads(line) for line in (data / "aqua_rat.jsonl").read_text().splitlines()]
    problems = [{"question": r["question"], "answer": r["correct"], "row": i} for i, r in enumerate(rows)]
    model = ScriptedModel(lambda request, rng: rows[request.task.problem.meta["row"]]["rationale"])
    await run(PARTS[0], write_rows(tmp_path / "in.jsonl", problems), tmp_path / "run", model)
    out = ask(
        tmp_path / "run",
        "SELECT count(*) FROM rejections x JOIN rationales r ON r.id = x.target WHERE r.answer IS NOT NULL",
    )
    assert out == [(0,)]


@pytest.mark.data
@pytest.mark.parametrize(
    ("weak", "parts"), [("google/gemma-2-2b-it", (150, 84, 66)), ("microsoft/Phi-3.5-mini-instruct", (146, 128, 18))]
)
async def test_replies_of_weak_models_fall_apart_into_their_parts(data: Path, tmp_path: Path, weak: str, parts):
    """ZeroEval, GSM8K: the parts make up the whole for real replies."""
    rows = [json.loads(line) for line in (data / "zeroeval_gsm.jsonl").read_text().splitlines()]
    rows = [r for r in rows if r["generator"] == weak]
    problems = [
        {"question": r["question"], "answer": r["answer"].removeprefix("# "), "row": i} for i, r in enumerate(rows)
    ]

    def script(request, rng):
        return rows[request.task.problem.meta["row"]]["output"][0]

    path = write_rows(tmp_path / "in.jsonl", problems)
    every, right, wrong = await kept_by_part(tmp_path, path, ScriptedModel(script))
    assert (len(every), len(right), len(wrong)) == parts
    assert every == right | wrong

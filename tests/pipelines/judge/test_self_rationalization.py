"""judge/self-rationalization (arXiv:2410.05495): pairs of a judge with a known confusion matrix."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median

import pytest
from methods import near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel

NAME = "judge/self-rationalization"
CONFUSION = {
    1: [0.5, 0.2, 0.1, 0.1, 0.1],
    2: [0.2, 0.4, 0.2, 0.1, 0.1],
    3: [0.1, 0.1, 0.6, 0.1, 0.1],
    4: [0.1, 0.1, 0.2, 0.4, 0.2],
    5: [0.2, 0.1, 0.1, 0.1, 0.5],
}
"""How often each mark from 1 to 5 is given to a response with that gold mark."""


def responses(path: Path, golds: list[int | str]) -> Path:
    rows = [
        {"question": "Explain rain.", "context": f"Response {i} of r{i * i}.", "answer": str(gold), "row": i}
        for i, gold in enumerate(golds)
    ]
    return write_rows(path, rows)


def marked(folder: Path) -> dict[int, list[tuple[str, int, int]]]:
    """By row: id, mark and gold mark of each judgement."""
    found = defaultdict(list)
    for row, *judged in ask(
        folder,
        "SELECT CAST(p.meta->>'row' AS INT), r.id, CAST(r.answer AS INT), CAST(p.answer AS INT) FROM rationales r "
        "JOIN problems p ON p.id = r.problem",
    ):
        found[row].append(tuple(judged))
    return found


@pytest.mark.parametrize("margin", [1, 2])
async def test_pairs_are_those_that_the_confusion_matrix_makes(tmp_path: Path, margin: int):
    """All right over all clearly wrong judgements of a response; on average k (k - 1) times the product of both rates."""
    n, k = 150, 6

    def script(request, rng):
        row = CONFUSION[int(request.task.problem.answer)]
        mark = rng.choices(range(1, 6), row)[0]
        return f"Reason {rng.random()}.\nThe answer is {mark}."

    made = preset(
        tmp_path / "p.yaml", NAME, judgement={"samples": k}, pair={"limit": 99},
        clear={"keep": f"score.correct or score.marks_apart >= {margin}"},
    )  # fmt: skip
    path = responses(tmp_path / "in.jsonl", [1 + i % 5 for i in range(n)])
    await run(made, path, tmp_path / "run", ScriptedModel(script))
    judged = marked(tmp_path / "run")
    expected = {
        (a, b)
        for rows in judged.values()
        for a, mark, gold in rows
        for b, other, _ in rows
        if mark == gold and abs(other - gold) >= margin
    }
    pairs = set(ask(tmp_path / "run", "SELECT chosen, rejected FROM pairs"))
    assert pairs == expected
    rates = [
        (CONFUSION[g][g - 1], sum(p for m, p in enumerate(CONFUSION[g], 1) if abs(m - g) >= margin))
        for g in range(1, 6)
    ]
    mean = fmean(k * (k - 1) * right * far for right, far in rates)
    assert abs(len(pairs) / n - mean) < 0.15 * mean
    right = sum(mark == gold for rows in judged.values() for _, mark, gold in rows)
    assert near(right / (n * k), fmean(right for right, _ in rates), n * k)
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(right,)]


async def test_no_pair_where_all_are_right_or_none_is_and_words_are_no_marks(tmp_path: Path):
    """`pass_rate` tells these responses; `five` is not zero, so it is not far from 3, and `30` out of a reason is no mark."""
    marks = {0: ["3"] * 4, 1: ["5"] * 4, 2: ["3", "3", "five", "4"], 3: ["3", "5", "1", "2"]}

    def script(request, rng):
        row = request.task.problem.meta["row"]
        return f"There are 30 words, sample {request.sample}.\nThe answer is {marks[row][request.sample]}."

    made = preset(tmp_path / "p.yaml", NAME, judgement={"samples": 4})
    await run(made, responses(tmp_path / "in.jsonl", [3] * 4), tmp_path / "run", ScriptedModel(script))
    pairs = ask(
        tmp_path / "run",
        "SELECT CAST(p.meta->>'row' AS INT), c.answer, r.answer FROM pairs x JOIN problems p ON p.id = x.problem "
        "JOIN rationales c ON c.id = x.chosen JOIN rationales r ON r.id = x.rejected ORDER BY 3",
    )
    assert pairs == [(3, "3", "1"), (3, "3", "5")]
    rates = ask(
        tmp_path / "run",
        "SELECT s.value FROM scores s JOIN problems p ON p.id = s.target WHERE s.name = 'pass_rate' ORDER BY p.meta->>'row'",
    )
    assert rates == [(1.0,), (0.0,), (0.5,), (0.25,)]


@pytest.mark.data
async def test_three_people_who_rate_explanations_are_paired_against_their_median(data: Path, tmp_path: Path):
    """Published ratings of factuality (-1, 0, 1, here 1 to 3), three of each explanation; gold is the median."""
    grouped = defaultdict(list)
    for line in (data / "explanation_quality.jsonl").read_text().splitlines():
        row = json.loads(line)
        key = tuple(row[f] for f in ("task", "explanation_source", "Input.id", "Input.explanation"))
        if row.get("Answer.generality_factuality") in {"-1", "0", "1"}:
            grouped[key].append(int(row["Answer.generality_factuality"]) + 2)
    rated = [(key[3], marks) for key, marks in grouped.items() if key[3] and len(marks) == 3]
    rows = [
        {"question": f"How true is it? {i}", "context": text, "answer": str(median(marks)), "row": i}
        for i, (text, marks) in enumerate(rated)
    ]

    def script(request, rng):
        return f"Reader {request.sample}.\nThe answer is {rated[request.task.problem.meta['row']][1][request.sample]}."

    made = preset(tmp_path / "p.yaml", NAME, judgement={"samples": 3}, pair={"limit": 99})
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    expected = sum(sum(abs(m - median(marks)) >= 2 for m in marks) * marks.count(median(marks)) for _, marks in rated)
    pairs = ask(tmp_path / "run", "SELECT count(*) FROM pairs")[0][0]
    assert len(rated) > 300
    assert pairs == expected > 0

"""distil/rationale-cl (arXiv:2310.06547): look-alikes of labels, a memory of ten for each, and three tasks of the same rows."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, synth, write_rows

from synth.models import ScriptedModel

LABELS = ["founder", "chief", "birthplace", "home"]
PARTNER = dict(zip("ABCD", "BADC", strict=True))
CONFUSED, OTHER = 0.3, 0.05
README = ROOT / "pipelines" / "distil" / "rationale-cl" / "README.md"


def _texts(path: Path, n: int) -> Path:
    rows = [
        {
            "question": f"Which relation is stated in case {i}, named r{i * i}x?",
            "context": f"Text {i}.",
            "choices": LABELS,
            "answer": "ABCD"[i % 4],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def _student(request, rng: random.Random) -> str:
    """Takes a label for its partner, and seldom for one of the other two."""
    gold, drawn = request.task.problem.answer, rng.random()
    others = [letter for letter in "ABCD" if letter not in {gold, PARTNER[gold]}]
    if drawn < CONFUSED:
        said = PARTNER[gold]
    else:
        said = rng.choice(others) if drawn < CONFUSED + 2 * OTHER else gold
    return f"It seems so.\nThe answer is {said}."


def _teacher(request, rng: random.Random) -> str:
    """Repeats what it was told of the labels."""
    told = re.findall(r"^(?:Right|Mistaken for): (.)", request.messages[-1]["content"], re.MULTILINE)
    return json.dumps({"explanation": f"Told {' and '.join(told)}, {rng.random()}."})


MODELS = {"student": [ScriptedModel(_student, name="student")], "teacher": [ScriptedModel(_teacher, name="teacher")]}


def _confusions(folder: Path) -> dict[str, str]:
    """By the question in SQL that the README gives."""
    found = re.search(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    return {label: taken for label, taken, _ in ask(folder, found[1])}


async def test_look_alikes_are_those_that_were_planted(tmp_path: Path):
    """For the corpus exactly the planted pairs; for a text the label that it was taken for most often."""
    n, error = 160, CONFUSED + 2 * OTHER
    made = preset(tmp_path / "p.yaml", "distil/rationale-cl", memory=None)
    await run(made, _texts(tmp_path / "in.jsonl", n), tmp_path / "run", MODELS)
    assert _confusions(tmp_path / "run") == {
        "founder": "chief",
        "chief": "founder",
        "birthplace": "home",
        "home": "birthplace",
    }
    rows = ask(
        tmp_path / "run",
        "SELECT r.step, p.answer, r.answer, r.text, r.hinted, list_sort(list(l.answer) FILTER (l.answer <> p.answer)) "
        "FROM kept_rationales r JOIN problems p ON p.id = r.problem "
        "JOIN rationales l ON l.problem = p.id AND l.step = 'label' GROUP BY ALL",
    )
    assert len(rows) == n
    contrastive = 0
    for step, gold, answer, text, hinted, mistakes in rows:
        assert answer == gold
        assert hinted
        told = re.search(r"Told (.)(?: and (.))?,", text)
        assert told
        assert told[1] == gold
        assert (step == "contrast") == (told[2] is not None) == bool(mistakes)
        if told[2] is not None:
            contrastive += 1
            assert mistakes.count(told[2]) == max(mistakes.count(letter) for letter in mistakes)
    assert round(1 - (1 - error) ** 4, 4) == 0.8704
    assert near(contrastive / n, 1 - (1 - error) ** 4, n)


async def test_the_memory_has_ten_of_each_label(tmp_path: Path):
    """Contrastive ones before plain ones."""
    await run("distil/rationale-cl", _texts(tmp_path / "in.jsonl", 80), tmp_path / "run", MODELS)
    kept = ask(
        tmp_path / "run",
        "SELECT p.answer, count(*), count(*) FILTER (r.step = 'contrast') FROM kept_rationales r "
        "JOIN problems p ON p.id = r.problem GROUP BY 1 ORDER BY 1",
    )
    made = dict(
        ask(
            tmp_path / "run",
            "SELECT p.answer, count(*) FROM rationales r JOIN problems p ON p.id = r.problem WHERE r.step = 'contrast' GROUP BY 1",
        )
    )
    assert kept == [(letter, 10, min(10, made[letter])) for letter in "ABCD"]


async def test_three_tasks_have_the_same_ids_and_labels(tmp_path: Path):
    await run("distil/rationale-cl", _texts(tmp_path / "in.jsonl", 12), tmp_path / "run", MODELS)
    tasks: dict[str, dict[str, Any]] = {}
    for folder, options in (("both", ["--target", "both"]), ("stages", ["--stages", "two"])):
        synth("export", tmp_path / "run", "--to", "sft", *options, "--out", tmp_path / folder, check=0)
        for row in map(json.loads, (tmp_path / folder / "sft.jsonl").read_text().splitlines()):
            tasks.setdefault(f"{folder}: {row['task']}", {})[row["problem_id"]] = row
    assert len(tasks) == 4
    given = {row["problem_id"]: row["answer"] for row in tasks["both: answer"].values()}
    assert len(given) == 12
    for rows in tasks.values():
        assert {problem: row["answer"] for problem, row in rows.items()} == given
    last = tasks[max(t for t in tasks if t.startswith("stages") and "answer" in t)]
    for row in last.values():  # the third task: text and explanation to label
        assert "Told" in row["messages"][0]["content"]
        assert row["messages"][-1]["content"] == f"The answer is {row['answer']}."


@pytest.mark.parametrize(
    ("explanation", "kept"), [("He started it.", 1), ("He is its Founder.", 0), ("They foundered.", 1)]
)
async def test_explanations_that_name_the_label_can_be_dropped(tmp_path: Path, explanation: str, kept: int):
    teacher = ScriptedModel(lambda request, rng: json.dumps({"explanation": explanation}), name="teacher")
    made = preset(tmp_path / "p.yaml", "distil/rationale-cl", label_unnamed={"enabled": True})
    await run(made, _texts(tmp_path / "in.jsonl", 1), tmp_path / "run", {**MODELS, "teacher": [teacher]})
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(kept,)]


@pytest.mark.data
async def test_trade_marks_with_five_labels(tmp_path: Path, data: Path):
    """LegalBench, Abercrombie: as many explanations of each label as there are texts, ten at most."""
    given = [json.loads(line) for line in (data / "legalbench_rules.jsonl").read_text().splitlines()]
    given = [r for r in given if r["task"] == "abercrombie"]
    labels = sorted({r["label"] for r in given})
    rows = [
        {"question": "What is the mark?", "context": r["text"], "choices": labels, "answer": r["label"]} for r in given
    ]

    def student(request, rng):
        return f"It seems so.\nThe answer is {rng.choice('ABCDE')}."

    models = {**MODELS, "student": [ScriptedModel(student, name="student")]}
    summary = await run("distil/rationale-cl", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", models)
    assert not summary.failures
    kept = dict(
        ask(
            tmp_path / "run",
            "SELECT p.answer, count(*) FROM kept_rationales r JOIN problems p ON p.id = r.problem GROUP BY 1",
        )
    )
    texts = {
        letter: len({r["context"] for r in rows if r["answer"] == label})
        for letter, label in zip("ABCDE", labels, strict=True)
    }
    assert kept == {letter: min(10, n) for letter, n in texts.items()}

"""distil/rationale-formats (arXiv:2311.09558): listeners, feedback and patches at known rates; the forms of five formats."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import pytest
from methods import near
from support import ask, run, write_rows

from synth.models import ScriptedModel

NAME = "distil/rationale-formats"
FORMATS = ["markup", "procedure", "report", "subquestions", "tree"]


def passages(path: Path, n: int) -> Path:
    rows = [
        {
            "question": f"Which word does it say in case {i}?",
            "context": f"Passage {i} says word{i % 4}x{i} and nothing else.",
            "choices": [f"word{j}x{i}" for j in range(4)],
            "answer": "ABCD"[i % 4],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def listened(request) -> str:
    """A listener that knows only the words of the notes: the option that they name, else one that is wrong."""
    problem, notes = request.task.problem, request.messages[-1]["content"].partition("Notes:")[2]
    named = [letter for letter, text in problem.lettered_choices if text in notes]
    return named[0] if named else next(a for a, _ in problem.lettered_choices if a != problem.answer)


async def test_a_listener_hears_what_is_said_and_feedback_patches_at_its_rate(tmp_path: Path):
    """The evidence is in 0.6 of the notes: so many are heard right. Of 0.8 of the others the critic gives feedback that does not
    name the answer, and 0.7 of those are patched. Without a rationale the listener is never right.
    """
    n = 40
    seen = []

    def script(request, rng):
        step, problem = request.step, request.task.problem
        if step in {"alone", "listen", "listen_again"}:
            seen.append(request.messages)
            return f'{{"answer": "{listened(request)}"}}'
        if step == "feedback":
            return f"It is {problem.answer_text}." if rng.random() >= 0.8 else "The notes leave out what it says."
        good = rng.random() < (0.7 if step == "patch" else 0.6)
        return f"It says {problem.answer_text if good else 'something'}, note {rng.random()}.\nThe answer is {problem.answer}."

    await run(NAME, passages(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    heard = ask(
        folder,
        "SELECT r.step, contains(r.text, p.choices[ascii(p.answer) - 64]), s.value FROM rationales r "
        "JOIN problems p ON p.id = r.problem JOIN scores s ON s.target = r.id AND s.name = 'heard'",
    )
    assert all(said == bool(value) for _, said, value in heard)  # accuracy is the recall of the evidence
    first = [value for step, _, value in heard if step in FORMATS]
    assert len(first) == 5 * n
    assert near(sum(first) / len(first), 0.6, len(first))
    missed = len(first) - sum(first)
    patched = [value for step, _, value in heard if step == "patch"]
    assert near(len(patched) / missed, 0.8, int(missed))
    assert near(sum(patched) / len(patched), 0.7, len(patched))
    assert ask(folder, "SELECT sum(value) FROM scores WHERE name = 'alone'") == [(0,)]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(sum(first) + sum(patched),)]
    pairs = ask(folder, "SELECT c.step, c.parent = p.rejected FROM pairs p JOIN rationales c ON c.id = p.chosen")
    assert pairs == [("patch", True)] * int(sum(patched))
    assert not any("Passage" in m["content"] or "The answer is" in m["content"] for messages in seen for m in messages)


TEXTS = {
    "markup": ("**Passage 0 says** word0x0", "**Passage 0 denies** word0x0"),
    "report": ("It says word0x0 [1].", "It says word0x0."),
    "procedure": ("1. Look.\n2. It says word0x0.", "We look, and it says word0x0."),
    "subquestions": ("Q: What?\nA: word0x0", "Q: What?\nQ: And then?\nA: word0x0"),
    "tree": ("- if it says so: word0x0\n- else: nothing", "It says word0x0."),
}


@pytest.mark.parametrize("place", [0, 1])
async def test_the_form_of_each_format_is_checked(tmp_path: Path, place: int):
    def script(request, rng):
        problem = request.task.problem
        if request.step in TEXTS:
            return f"{TEXTS[request.step][place]}\nThe answer is {problem.answer}."
        return f'{{"answer": "{problem.answer}"}}'

    await run(NAME, passages(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(script))
    found = ask(
        tmp_path / "run",
        "SELECT r.step, s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'form' ORDER BY 1",
    )
    assert found == [(step, 1 - place) for step in FORMATS]


async def test_a_letter_in_the_notes_is_not_taken_for_being_heard(tmp_path: Path):
    def script(request, rng):
        problem = request.task.problem
        said = f"It says {problem.answer}) {problem.answer_text} there.\n" if request.step != "tree" else ""
        return (
            f"{said}The answer is {problem.answer}." if request.step in FORMATS else f'{{"answer": "{problem.answer}"}}'
        )

    await run(NAME, passages(tmp_path / "in.jsonl", 2), tmp_path / "run", ScriptedModel(script))
    found = ask(
        tmp_path / "run", "SELECT name, sum(value) FROM scores WHERE name IN ('heard', 'works') GROUP BY 1 ORDER BY 1"
    )
    assert found == [("heard", 10), ("works", 0)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]


@pytest.mark.data
async def test_marked_sentences_of_real_passages_are_heard_by_their_words(data: Path, tmp_path: Path):
    """LogiQA 2.0: a writer marks the two sentences that share most words with the right option, of every second passage in the next
    one instead: `form` tells these apart. A listener that picks the option with most words of the notes gains by them.
    """
    rows = [json.loads(line) for line in (data / "logiqa2.jsonl").read_text().splitlines()[:60]]
    problems = [
        {
            "question": r["question"],
            "context": r["text"],
            "choices": r["options"],
            "answer": "ABCDE"[r["answer"]],
            "row": i,
        }
        for i, r in enumerate(rows)
    ]

    def words(text):
        return {w.strip(".,;:*").lower() for w in text.split() if len(w) > 3}

    def script(request, rng):
        problem = request.task.problem
        if request.step == "alone":
            return f'{{"answer": "{random.Random(problem.id).choice(problem.lettered_choices)[0]}"}}'
        if request.step.startswith("listen"):
            notes = words(request.messages[-1]["content"].rpartition("Notes:")[2])
            best = max(problem.lettered_choices, key=lambda c: len(words(c[1]) & notes) / (1 + len(words(c[1]))))
            return f'{{"answer": "{best[0]}"}}'
        row = problem.meta["row"]
        passage = problem.context if row % 2 == 0 else rows[(row + 1) % 60]["text"]
        parts = [s.strip() for s in passage.split(". ") if s.strip()]
        parts = sorted(parts, key=lambda s: -len(words(s) & words(problem.answer_text)))[:2]
        return "\n".join(f"**{s}**" for s in parts) + f"\nThe answer is {problem.answer}."

    await run(NAME, write_rows(tmp_path / "in.jsonl", problems), tmp_path / "run", ScriptedModel(script))
    found = defaultdict(list)
    for name, value in ask(
        tmp_path / "run",
        "SELECT s.name, s.value FROM scores s JOIN problems p ON p.unit = s.unit LEFT JOIN rationales r ON r.id = s.target "
        "WHERE s.name = 'alone' OR (r.step = 'markup' AND s.name IN ('heard', 'form')) ORDER BY CAST(p.meta->>'row' AS INT)",
    ):
        found[name].append(value)
    assert found["form"] == [float(i % 2 == 0) for i in range(60)]
    assert sum(found["heard"]) > sum(found["alone"])

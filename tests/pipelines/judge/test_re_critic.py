"""judge/re-critic (arXiv:2505.07172): notes before answers that stay as they are, and pairs by a critic with known error rates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near
from support import ask, run, write_rows

from synth.models import ScriptedModel

HALLUCINATED, SENSITIVITY, SPECIFICITY = 0.4, 0.8, 0.9
MADE_UP, CLEAN = "Bob lives on Mars.", "Bob lives in town."
ANSWERS = ("  4 000 ", "Saint-Denis (93)", "0.10", "A lot, i.e. nine.")


def _passages(path: Path, n: int) -> Path:
    rows = [
        {
            "question": f"What is said of Bob in case {i}, which is named r{i * i}x?",
            "context": f"Bob lives in town. House {i}.",
            "answer": ANSWERS[i % len(ANSWERS)],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def _teacher(request, rng):
    assert "Answer: " in request.messages[-1]["content"]  # the note is written in view of the answer
    fact = MADE_UP if rng.random() < HALLUCINATED else CLEAN
    return json.dumps({"facts": [fact], "reasoning": f"So it is, and {rng.random()}."})


def _student(request, rng):
    """Attempts of one length, a known share of them with something made up."""
    return f"{MADE_UP if rng.random() < HALLUCINATED else CLEAN}\nI say {rng.random():.12f}.\nThe answer is 5."


def _critic(request, rng):
    bad = "Mars" in request.messages[-1]["content"]
    finds = rng.random() < (SENSITIVITY if bad else 1 - SPECIFICITY)
    return json.dumps({"made_up": "Mars." if finds else None, "grounded": 1 if finds else 5})


MODELS = {
    "teacher": [ScriptedModel(_teacher, name="teacher")],
    "student": [ScriptedModel(_student, name="student")],
    "critic": [ScriptedModel(_critic, name="critic")],
}


async def test_pairs_and_notes_are_as_clean_as_the_critic_allows(tmp_path: Path):
    """By Bayes: clean are (1 - h) sp / ((1 - h) sp + h (1 - se)) of what the critic passes, and
    (1 - h) (1 - sp) / ((1 - h) (1 - sp) + h se) of what it finds fault with.
    """
    n, h, se, sp = 300, HALLUCINATED, SENSITIVITY, SPECIFICITY
    passed, passed_clean = (1 - h) * sp + h * (1 - se), (1 - h) * sp / ((1 - h) * sp + h * (1 - se))
    faulty_clean = (1 - h) * (1 - sp) / ((1 - h) * (1 - sp) + h * se)
    assert [round(v, 4) for v in (passed, passed_clean, faulty_clean)] == [0.62, 0.871, 0.1579]
    await run("judge/re-critic", _passages(tmp_path / "in.jsonl", n), tmp_path / "run", MODELS)
    pairs = ask(
        tmp_path / "run",
        "SELECT c.text, r.text, c.problem = r.problem, p.margin, c.step, r.step FROM pairs p "
        "JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected",
    )
    assert {row[2:] for row in pairs} == {(True, 4.0, "attempt", "attempt")}
    assert near(sum(MADE_UP not in chosen for chosen, *_ in pairs) / len(pairs), passed_clean, len(pairs))
    assert near(sum(MADE_UP not in rejected for _, rejected, *_ in pairs) / len(pairs), faulty_clean, len(pairs))
    with_pair = ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM pairs")[0][0]
    assert near(with_pair / n, 1 - passed**4 - (1 - passed) ** 4, n)
    notes = ask(tmp_path / "run", "SELECT step, text FROM kept_rationales")
    assert {step for step, _ in notes} == {"note"}  # attempts are no rows to be imitated
    assert near(len(notes) / n, passed, n)
    assert near(sum(MADE_UP not in text for _, text in notes) / len(notes), passed_clean, len(notes))


async def test_a_note_leaves_the_given_answer_as_it_is(tmp_path: Path):
    """Byte for byte, at the end of the row that is trained on; and no prompt but that of the note shows the answer."""
    await run("judge/re-critic", _passages(tmp_path / "in.jsonl", 8), tmp_path / "run", MODELS)
    rows = ask(
        tmp_path / "run",
        "SELECT p.answer, r.answer, r.response, r.hinted FROM rationales r JOIN problems p ON p.id = r.problem WHERE r.step = 'note'",
    )
    assert len(rows) == 8
    for gold, stated, response, hinted in rows:
        assert stated == gold
        assert response.endswith(f"\nThe answer is {gold}.")
        assert hinted
    seen = ask(tmp_path / "run", "SELECT messages FROM calls WHERE step IN ('attempt', 'check_attempt')")
    assert seen
    assert not any("Saint-Denis" in str(m) for (m,) in seen)


@pytest.mark.data
async def test_abstracts_with_questions_get_notes(tmp_path: Path, data: Path):
    """PubMedQA: the decision of the data set stands at the end of every note, as the letter of the option."""
    decisions = ["yes", "no", "maybe"]
    given = [json.loads(line) for line in (data / "pubmedqa.jsonl").read_text().splitlines()]
    rows = [
        {
            "question": r["QUESTION"],
            "context": "\n".join(r["CONTEXTS"]),
            "choices": decisions,
            "answer": r["final_decision"],
        }
        for r in given
    ]
    summary = await run("judge/re-critic", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", MODELS)
    assert not summary.failures
    ends = ask(
        tmp_path / "run",
        "SELECT p.question, r.answer FROM rationales r JOIN problems p ON p.id = r.problem WHERE r.step = 'note'",
    )
    letters = {r["QUESTION"]: "ABC"[decisions.index(r["final_decision"])] for r in given}
    assert dict(ends) == letters

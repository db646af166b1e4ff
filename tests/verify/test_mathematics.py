"""Equivalence of mathematics, in a child process."""

from __future__ import annotations

import threading
import time

import pytest

from synth.verify import compare_answers, mathematics, verify_answer
from synth.verify.mathematics import equivalent


@pytest.fixture(scope="module", autouse=True)
def _started() -> None:
    assert equivalent("1+1", "2", 60) == "right"


@pytest.mark.parametrize(
    ("found", "gold", "label"),
    [
        ("\\frac{1}{2}", "0.5", "right"),
        ("x^2+2x+1", "(x+1)^2", "right"),
        ("x = 5", "5", "right"),
        ("\\sqrt{8}", "2\\sqrt{2}", "right"),
        ("5 \\text{ cm}", "5", "right"),
        ("90^\\circ", "90", "right"),
        ("1,234", "1234", "right"),
        ("\\dfrac{3}{4}", "\\frac34", "right"),
        ("\\left(1, 2\\right)", "(1,2)", "right"),
        ("(1,2)", "(2,1)", "wrong"),
        ("[0,1)", "(0,1)", "wrong"),
        ("x=3 or x=5", "3", "wrong"),
        ("\\{3,5\\}", "3", "wrong"),
        ("\\pm 5", "5", "wrong"),
        ("5", "\\pm 5", "wrong"),
        ("2x", "2", "wrong"),
        ("2\\pi", "2", "wrong"),
        ("3\\sqrt{2}", "3", "wrong"),
        ("-5", "5", "wrong"),
        ("x<2", "x>2", "wrong"),
        ("18", "18.0001", "wrong"),
        ("\\text{east}", "\\text{west}", "wrong"),
        ("", "5", "unparsed"),
        (None, "5", "unparsed"),
    ],
)
def test_equivalence(found: str | None, gold: str, label: str) -> None:
    assert compare_answers(found, gold, kind="math", timeout=20).label == label


@pytest.mark.parametrize(
    "reply",
    [
        "So it is $\\boxed{\\frac{\\sqrt{2}}{2}}$.",
        "The final answer is $\\frac{1}{\\sqrt{2}}$. I hope it is correct.",
        '{"reasoning": "", "answer": "\\\\frac{\\\\sqrt{2}}{2}"}',
        '```json\n{"reasoning": "unescaped \\(x\\)", "answer": "\\frac{\\sqrt{2}}{2}"}\n```',
        "We get $x = 1$ and so\n$\\sqrt{1/2}$",
    ],
)
def test_mathematics_is_read_out_of_a_reply(reply: str) -> None:
    assert verify_answer(reply, "\\frac{\\sqrt{2}}{2}", kind="math", timeout=20).label == "right"


def test_a_hostile_expression_ends_at_the_timeout_and_the_next_question_is_answered() -> None:
    start = time.monotonic()
    verdict = compare_answers("9^{9^{9^{9}}}", "1", kind="math", timeout=0.5)
    assert verdict.label == "timeout"
    assert verdict.detail == "not decided within 0.5 s"
    assert time.monotonic() - start < 10
    assert mathematics._worker._process is None  # killed, not left behind
    assert equivalent("x+x", "2x", 60) == "right"


def test_a_hostile_gold_answer_ends_too() -> None:
    assert compare_answers("1", "\\binom{10^9}{5 \\cdot 10^8}", kind="math", timeout=0.5).label == "timeout"


def test_a_worker_killed_between_questions_is_replaced() -> None:
    assert equivalent("x+x", "2x", 60) == "right"
    process = mathematics._worker._process
    assert process is not None
    process.kill()
    assert equivalent("x+x", "2x", 60) == "right"
    assert mathematics._worker._process is not process


def test_a_worker_killed_amid_a_question_is_asked_again() -> None:
    assert equivalent("x+x", "2x", 60) == "right"
    worker = mathematics._worker
    process = worker._process
    assert process is not None
    labels: list[str] = []
    process.send_signal(19)  # stopped: the question lies there unanswered
    asking = threading.Thread(target=lambda: labels.append(equivalent("x+y", "y+x", 60)))
    asking.start()
    time.sleep(0.2)
    process.kill()
    asking.join(60)
    assert labels == ["right"]


def test_questions_from_several_threads_get_their_own_answers() -> None:
    questions = [(f"{i}+x", f"x+{i + i % 2}") for i in range(8)]
    labels: dict[int, str] = {}

    def ask(i: int) -> None:
        labels[i] = equivalent(*questions[i], 60)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert labels == {i: "wrong" if i % 2 else "right" for i in range(8)}


def test_a_worker_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = mathematics._Worker()
    monkeypatch.setattr(mathematics.sys, "executable", "/bin/true")
    with pytest.raises(RuntimeError, match="does not start"):
        broken.ask(b"[]", 1)
    assert broken._process is None

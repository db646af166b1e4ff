"""The verifier `gym`: problems of reasoning-gym by the task's own scoring, which is handed no answer that it would run."""

from __future__ import annotations

import pytest

from synth.records import Problem, Rationale
from synth.sources import open_source
from synth.verify import all_verifiers
from synth.verify.gym import is_plain, runs_answers, verify_by_gym

BREAK_OUTS = (
    "__import__('os').system('touch /tmp/escaped')",
    "[__import__('os')]",
    "print(1)",
    "(lambda: 1)()",
    "[x for x in (1,)]",
    "().__class__",
    "f'{1}'",
    "exec('1')",
    "x.y",
    "a[0]",
    "1 if 2 else 3",
    "sin('__import__(\"os\")')",
    "x + '__import__(\"os\")'",
    "9**9**9",
    "9**(99**9)",
    "(((9**99)**99)**99)",
    "9**(x*0+99999999)",
    "exp(exp(20))",
    "exp(99999999999)",
    "int(1)",
    "eval",
    "open('/etc/passwd')",
    "[9]*9**9",
    "(" * 5000,
    "1+" * 3000 + "1",
)
"""Answers that would do something, or never end, if a scoring function ran them."""


def answered(problem: Problem, answer: str | None) -> Rationale:
    return Rationale.make(
        unit=problem.id,
        step="test",
        because=answer,
        problem=problem.id,
        author="teacher",
        response=answer or "",
        answer=answer,
    )


@pytest.mark.parametrize("text", BREAK_OUTS)
def test_break_outs_are_no_plain_formula(text: str):
    """Nothing that calls, looks up, nests powers or holds a text is handed to a scorer that evaluates formulas."""
    assert not is_plain(text, "formula") or text == "eval"


@pytest.mark.parametrize("text", [t for t in BREAK_OUTS if t != "eval" and not t.startswith("((")])
def test_break_outs_are_no_plain_data(text: str):
    """Nor to one that evaluates lists; a line that runs makes the whole answer refused."""
    assert not is_plain(text, "data")
    assert not is_plain(f"_ _ Q\n{text}\n_ Q _", "data") or text.isalpha()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("(9 + 3) * 2", "formula"),
        ("-x**3/3 + 2*x + C", "formula"),
        ("x**2*sin(2*x) - exp(x**2) + E**x", "formula"),
        ("[[1, 2], ['a', -3]]", "data"),
        ("2 3 4\n5 6 7", "data"),
        ("_ Q _ _\n_ _ _ Q", "data"),
        ("EEBCEDEA", "data"),
    ],
)
def test_ordinary_answers_are_plain(text: str, form: str):
    """The forms that tasks ask for."""
    assert is_plain(text, form)


def test_a_problem_of_elsewhere_is_undecided():
    """Without the task and index in `meta` there is nothing to score by."""
    problem = Problem.root(question="What is 1 + 1?", answer="2", answer_kind="number")
    assert verify_by_gym(answered(problem, "2"), problem).label == "undecided"
    assert "gym" in all_verifiers()


def test_tasks_are_scored_by_their_own_function():
    """Gold answers are right; an answer that a task scores between 0 and 1 is wrong with that grade; metadata is kept."""
    pytest.importorskip("reasoning_gym")
    for task in ("leg_counting", "knights_knaves", "countdown", "n_queens", "number_sorting", "spiral_matrix"):
        for given in open_source(f"gym:{task}?size=3&seed=3").problems():
            problem = given.problem
            verdict = verify_by_gym(answered(problem, problem.answer), problem)
            assert (verdict.label, verdict.grade) == ("right", 1.0), verdict
            assert verify_by_gym(answered(problem, None), problem).label == "unparsed"
            assert problem.meta["gym_metadata"]["source_dataset"] == task
    problem = next(iter(open_source("gym:countdown?size=1&seed=3").problems())).problem
    numbers = problem.meta["gym_metadata"]["numbers"]
    other = " + ".join(map(str, numbers))  # the right numbers and the wrong value
    verdict = verify_by_gym(answered(problem, other), problem)
    assert (verdict.label, verdict.grade) == ("wrong", 0.05)
    assert verify_by_gym(answered(problem, "__import__('os').getpid()"), problem).label == "undecided"


def test_a_problem_that_was_changed_is_undecided():
    """The problem is generated again: what a row says beside its task is not believed."""
    pytest.importorskip("reasoning_gym")
    problem = next(iter(open_source("gym:leg_counting?size=1&seed=3").problems())).problem
    for change in (
        {"gym_index": 7},
        {"gym_task": "nothing"},
        {"gym_options": {"seed": 4, "size": 1}},
        {"gym_options": {"size": "x"}},
    ):
        other = problem.model_copy(update={"meta": {**problem.meta, **change}})
        assert verify_by_gym(answered(problem, problem.answer), other).label == "undecided"


def test_scorers_that_evaluate_are_recognised():
    """By the source of the scoring function and of all it reaches."""
    gym = pytest.importorskip("reasoning_gym")
    found = {
        task: runs_answers(gym.create_dataset(task))
        for task in ("leg_counting", "countdown", "spiral_matrix", "puzzle24")
    }
    assert found == {"leg_counting": None, "countdown": "formula", "spiral_matrix": "data", "puzzle24": "formula"}

"""What programs are verified by: the tests of their problem, or the answer that they compute. They run in a sandbox, never here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from synth.models.sums import SIMULATED_FAILURE
from synth.records import Execution, Problem, Rationale, Test
from synth.sandbox import Limits, Program, shortened
from synth.steps.unit import Unit
from synth.texts import split_thought
from synth.verify import Verdict, compare_answers, continued, find_program, same_output, same_value

__all__ = ["CODE", "PROGRAM", "Running", "verify_by_program", "verify_by_tests"]

CODE = "code"
"""The name of the verifier that runs a program against the tests of its problem."""
PROGRAM = "program"
"""The name of the verifier that runs a program and compares the answer that it computes with the gold one."""
_MOST_TIMEOUTS = 3
"""Tests that run out of time, until the rest count as failed: a program that never ends would take them all."""
_ANSWERS = (
    (re.compile(r"^ans\s{0,9}=", re.MULTILINE), "ans"),
    (re.compile(r"^answer\s{0,9}=", re.MULTILINE), "answer"),
    (re.compile(r"^def\s{1,9}solver\s{0,9}\(\s{0,9}\)", re.MULTILINE), "solver()"),
    (re.compile(r"^def\s{1,9}solution\s{0,9}\(\s{0,9}\)", re.MULTILINE), "solution()"),
)
"""Where a program leaves its answer that prints none, and the expression that gives it (arXiv:2211.12588, arXiv:2211.10435)."""
_METHOD = "code/1"


class Running(NamedTuple):
    """How the programs of a step are run."""

    step: str
    """The name of the step."""
    limits: Limits
    """What one run may take."""
    sandboxes: Sequence[str] = ()
    """The names of the sandboxes, in order; all of the machine if empty."""


class _Outcome(NamedTuple):
    """What one test says: passed, failed, or None where that is not known."""

    passed: bool | None
    why: str
    timed_out: bool = False


async def verify_by_tests(rationale: Rationale, problem: Problem, unit: Unit, running: Running) -> Verdict:
    """Whether the program of a rationale passes all tests of its problem; `partial` is the share that it passes.

    Undecided where the problem has no tests, or no sandbox of this machine supports the program.
    """
    tests, expected = problem.tests, f"{len(problem.tests)} tests"
    if not tests:
        return Verdict("undecided", rationale.answer, "", _METHOD, "the problem has no tests")
    entry_point = next((test.entry_point for test in tests if test.entry_point), None)
    found = find_program(split_thought(rationale.response).response, entry_point)
    code = found.code if found.code is not None or found.language else rationale.answer
    if code is None:
        why = f"the program is in {found.language[:40]}, not in Python" if found.language else "no program found"
        return Verdict("unparsed", None, expected, _METHOD, why)
    whole = continued(code, problem.question, entry_point)
    outcomes: list[_Outcome] = []
    for number, test in enumerate(tests):
        timeouts = sum(outcome.timed_out for outcome in outcomes)
        if timeouts >= _MOST_TIMEOUTS:
            outcomes.append(_Outcome(False, f"not run: {timeouts} tests ran out of time"))
            continue
        script = test.stdout is not None
        program = Program(whole, then=test.code, value=test.call, stdin=(test.stdin or "") if script else None)
        run = await unit.execute(
            program, running.limits, step=running.step, rationale=rationale, test=number, sandboxes=running.sandboxes
        )
        outcomes.append(_outcome(test, run) if run is not None else _simulated(code))
    return _verdict(code, expected, outcomes)


def _verdict(code: str, expected: str, outcomes: Sequence[_Outcome]) -> Verdict:
    failed = [number for number, outcome in enumerate(outcomes, 1) if outcome.passed is False]
    unknown = [number for number, outcome in enumerate(outcomes, 1) if outcome.passed is None]
    passed = sum(outcome.passed is True for outcome in outcomes)
    first = next(iter(failed or unknown), None)
    why = f"; test {first}: {outcomes[first - 1].why}" if first is not None else ""
    if failed:
        said = f"{len(failed)} of {len(outcomes)} tests failed{why}"
        return Verdict("wrong", code, expected, _METHOD, said, passed / len(outcomes))
    if unknown:
        said = f"{len(unknown)} of {len(outcomes)} tests could not be run{why}"
        return Verdict("undecided", code, expected, _METHOD, said)
    return Verdict("right", code, expected, _METHOD, f"all {len(outcomes)} tests passed")


def _outcome(test: Test, run: Execution) -> _Outcome:
    """What a run says of a test."""
    if run.status == "unsupported":
        return _Outcome(None, f"no sandbox supports it ({run.error})")
    if run.status != "ok":
        return _Outcome(False, run.error or run.status, timed_out=run.status == "timeout")
    if test.stdout is not None and not same_output(run.stdout, test.stdout):
        return _Outcome(False, f"it wrote {_quoted(run.stdout)}, not {_quoted(test.stdout)}")
    if test.call is not None and not same_value(run.value, test.expected):
        return _Outcome(
            False, f"{_quoted(test.call)} is {_quoted(repr(run.value))}, not {_quoted(repr(test.expected))}"
        )
    return _Outcome(True, "passed")


def _simulated(code: str) -> _Outcome:
    """A plan runs nothing: what the scripted model means to be wrong is wrong."""
    return _Outcome(SIMULATED_FAILURE not in code, "simulated")


def _quoted(text: str) -> str:
    short = shortened(text)
    return short if len(short) <= 60 else f"{short[:60]}…"


async def verify_by_program(
    rationale: Rationale, problem: Problem, unit: Unit, running: Running, *, tolerance: float | None, f1: float | None
) -> Verdict:
    """Whether the answer that the program of a rationale computes is the gold one: the value of `ans` or `answer`, what `solver()` or
    `solution()` returns, or the last line that it prints. Undecided where no sandbox of this machine supports the program.
    """
    gold, method = problem.answer or "", f"program/1 {problem.compared_as}"
    found = find_program(split_thought(rationale.response).response)
    if found.code is None:
        return Verdict("unparsed", None, gold, method, "no program found")
    where = next((expression for pattern, expression in _ANSWERS if pattern.search(found.code)), None)
    program = Program(found.code, then=f"print({where})" if where else None, stdin="")
    run = await unit.execute(
        program, running.limits, step=running.step, rationale=rationale, test=None, sandboxes=running.sandboxes
    )
    if run is None:
        return Verdict("undecided", None, gold, method, "a plan runs no programs")
    if run.status == "unsupported":
        return Verdict("undecided", None, gold, method, f"no sandbox supports the program ({run.error})")
    if run.status != "ok":
        return Verdict("wrong", None, gold, method, f"the program gave no answer: {run.error or run.status}")
    lines = [line.strip() for line in run.stdout.splitlines() if line.strip()]
    verdict = compare_answers(
        lines[-1] if lines else None,
        gold,
        kind=problem.compared_as,
        choices=problem.choices,
        tolerance=tolerance,
        f1_threshold=f1,
    )
    return Verdict(verdict.label, verdict.found, gold, method, f"the program says {verdict.detail}", verdict.partial)

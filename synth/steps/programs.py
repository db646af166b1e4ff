"""What programs are verified by: the tests of their problem, or the answer that they compute. They run in a sandbox, never here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from synth.calls import Purpose
from synth.models.another_answer import SIMULATED_FAILURE
from synth.records import Execution, Problem, Rationale, Test
from synth.sandbox import Limits, Program, Result
from synth.sandbox.testing import Outcome, Ran, program_in, run_tests
from synth.steps.unit import Unit
from synth.texts import split_thought
from synth.verify import Verdict, compare_answers, find_program

__all__ = ["CODE", "PROGRAM", "Running", "verify_by_program", "verify_by_tests"]

CODE = "code"
"""The name of the verifier that runs a program against the tests of its problem."""
PROGRAM = "program"
"""The name of the verifier that runs a program and compares the answer that it computes with the gold one."""
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

    async def run(self, program: Program, unit: Unit, rationale: Rationale, test: int | None) -> Execution | None:
        """What comes of a program, on record or now; None where nothing is run, as in a plan.

        Args:
            program: the program, with its test.
            unit: the unit at work.
            rationale: whose program it is.
            test: which test of the problem, from 0; None for none.

        Raises:
            SetupError: there is no sandbox.
            Stopped: the run can no longer be written down.
        """
        if unit.executions is None:
            return None
        purpose = Purpose(unit.problem.id, self.step, rationale.id, test)
        return await unit.executions.run(program, self.limits, purpose, names=self.sandboxes)


async def verify_by_tests(rationale: Rationale, problem: Problem, unit: Unit, running: Running) -> Verdict:
    """Whether the program of a rationale passes all tests of its problem; `partial` is the share that it passes.

    Undecided where the problem has no tests, or no sandbox of this machine supports the program.
    """
    tests, expected = problem.tests, f"{len(problem.tests)} tests"
    if not tests:
        return Verdict("undecided", rationale.answer, "", _METHOD, "the problem has no tests")
    response = split_thought(rationale.response).response
    code = program_in(response, problem.question, tests)
    if code is None:
        language = find_program(response).language
        why = f"the program is in {language[:40]}, not in Python" if language else "no program found"
        return Verdict("unparsed", None, expected, _METHOD, why)

    async def run(program: Program, number: int) -> Ran:
        found = await running.run(program, unit, rationale, number)
        return found or _simulated(code, tests[number], running)

    return _verdict(rationale.answer or code, expected, await run_tests(code, tests, run))


def _verdict(code: str, expected: str, outcomes: Sequence[Outcome]) -> Verdict:
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


def _simulated(code: str, test: Test, running: Running) -> Result:
    """A plan runs nothing: what the scripted model means to be wrong is wrong, and all else does what the test expects."""
    wrong = SIMULATED_FAILURE in code
    name, of = "simulated", running.limits.seconds
    return Result(
        "error" if wrong else "ok", name, of, test.stdout or "", error=name if wrong else None, value=test.expected
    )


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
    run = await running.run(program, unit, rationale, None)
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

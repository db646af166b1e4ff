"""Whether a program passes tests, however it is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from synth.records import Test
from synth.sandbox.base import Limits, Program, Sandbox, shortened
from synth.verify import continued, find_program, same_output, same_value

__all__ = ["Outcome", "Ran", "first_entry_point", "in_first", "program_in", "run_tests"]

_MOST_TIMEOUTS = 3
"""Tests that run out of time, until the rest count as failed: a program that never ends would take them all."""
_QUOTED = 60


class Ran(Protocol):
    """What came of a run: a `Result`, or the row that was made of one."""

    @property
    def status(self) -> str:
        """How it ended."""

    @property
    def error(self) -> str | None:
        """What went wrong."""

    @property
    def stdout(self) -> str:
        """What it wrote."""

    @property
    def value(self) -> Any:
        """The value that was asked for."""


class Outcome(NamedTuple):
    """What one test says."""

    passed: bool | None
    """None where no sandbox supports the program."""
    why: str
    """What happened, in a few words."""
    timed_out: bool = False
    """Whether the program ran out of time."""


def first_entry_point(tests: Sequence[Test]) -> str | None:
    """The function that the tests use, where one of them says so."""
    return next((test.entry_point for test in tests if test.entry_point), None)


def program_in(response: str, question: str, tests: Sequence[Test]) -> str | None:
    """The program of a reply, with what it takes from its question (see `continued`); None where there is none in Python.

    Args:
        response: the reply, without its thought.
        question: the question; "" where it is not known.
        tests: what the program must pass.
    """
    entry_point = first_entry_point(tests)
    code = find_program(response, entry_point).code
    return None if code is None else continued(code, question, entry_point)


async def run_tests(code: str, tests: Sequence[Test], run: Callable[[Program, int], Awaitable[Ran]]) -> list[Outcome]:
    """What each test says of a program. After three tests that ran out of time the rest are not run, and count as failed.

    Args:
        code: the program.
        tests: the tests.
        run: runs a program with the test of that number, from 0.
    """
    outcomes: list[Outcome] = []
    for number, test in enumerate(tests):
        timeouts = sum(outcome.timed_out for outcome in outcomes)
        if timeouts >= _MOST_TIMEOUTS:
            outcomes.append(Outcome(False, f"not run: {timeouts} tests ran out of time"))
            continue
        stdin = (test.stdin or "") if test.stdout is not None else None
        outcomes.append(_outcome(test, await run(Program(code, test.code, test.call, stdin), number)))
    return outcomes


async def in_first(program: Program, limits: Limits, sandboxes: Sequence[Sandbox]) -> Ran:
    """What comes of a program in the first of these sandboxes that supports it; there is one at least."""
    for sandbox in sandboxes:
        result = await sandbox.run(program, limits)
        if result.status != "unsupported":
            break
    return result


def _outcome(test: Test, run: Ran) -> Outcome:
    if run.status == "unsupported":
        return Outcome(None, f"no sandbox supports it ({run.error})")
    if run.status != "ok":
        return Outcome(False, run.error or run.status, timed_out=run.status == "timeout")
    if test.stdout is not None and not same_output(run.stdout, test.stdout):
        return Outcome(False, f"it wrote {_quoted(run.stdout)}, not {_quoted(test.stdout)}")
    if test.call is not None and not same_value(run.value, test.expected):
        return Outcome(False, f"{_quoted(test.call)} is {_quoted(repr(run.value))}, not {_quoted(repr(test.expected))}")
    return Outcome(True, "passed")


def _quoted(text: str) -> str:
    short = shortened(text)
    return short if len(short) <= _QUOTED else f"{short[:_QUOTED]}…"

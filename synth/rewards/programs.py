"""Rewards of programs: the tests that they pass, in a sandbox."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any

import orjson
from pydantic import Field

from synth.records import Test
from synth.rewards.registry import reward
from synth.sandbox import Limits, Program, choose
from synth.sandbox.testing import Outcome, Ran, in_first, program_in, run_tests
from synth.texts import split_thought

__all__ = ["tests_passed"]


@reward
def tests_passed(
    completion: str,
    tests: str | Sequence[dict[str, Any]],
    question: str = "",  # noqa: PT028 - no function of a test
    *,
    hard: bool = False,  # noqa: PT028
    timeout: Annotated[float, Field(gt=0)] = 5.0,  # noqa: PT028
) -> float | None:
    """The share of its tests that the program of a completion passes (arXiv:2508.07629): 4 of 16 give 0.25, no program gives 0.

    Programs run in the sandboxes of the machine (`synth.sandbox`), never in this process. None where the row has no tests, or where no
    sandbox supports the program.

    Args:
        completion: what the model wrote. Its thought is passed over.
        tests: the tests of the problem, as a list of objects or a JSON list: `code`, or `call` and `expected`, or `stdin` and `stdout`.
        question: the question, where it is code that the program continues.
        hard: whether a program is worth 1 where it passes all tests, and else 0.
        timeout: seconds one test may take.

    Raises:
        SetupError: this machine has no sandbox.
    """
    given = orjson.loads(tests) if isinstance(tests, str) and tests else tests
    wanted = tuple(Test(**one) for one in given or ())
    if not wanted:
        return None
    split = split_thought(completion)
    code = program_in(split.response, question or "", wanted) if split.finished else None
    if code is None:
        return 0.0
    outcomes = _to_end(_outcomes(code, wanted, Limits(seconds=timeout)))
    if any(outcome.passed is None for outcome in outcomes):
        return None
    share = sum(outcome.passed is True for outcome in outcomes) / len(outcomes)
    return float(share == 1) if hard else share


async def _outcomes(code: str, tests: Sequence[Test], limits: Limits) -> list[Outcome]:
    sandboxes = choose()

    async def run(program: Program, _number: int) -> Ran:
        return await in_first(program, limits, sandboxes)

    try:
        return await run_tests(code, tests, run)
    finally:
        for sandbox in sandboxes:
            await sandbox.close()


def _to_end(work: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """The result of async work, also where the trainer has an event loop of its own."""
    found: list[list[Outcome]] = []
    raised: list[BaseException] = []

    def go() -> None:
        try:
            found.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            raised.append(error)

    thread = threading.Thread(target=go, name="tests_passed")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return found[0]

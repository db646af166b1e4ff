"""What the steps share that verify solutions: which verifier, and how answers are compared."""

from __future__ import annotations

import asyncio
import os
import threading
import traceback
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

from pydantic import Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from synth.errors import StepError
from synth.models import Model
from synth.records import Problem, Rationale, Score
from synth.sandbox import Limits, why_none
from synth.steps.programs import CODE, PROGRAM, Running, verify_by_program, verify_by_tests
from synth.steps.step import Step
from synth.steps.unit import Unit
from synth.verify import ANSWER, CONSTRAINTS, Verdict, Verifier, all_verifiers, as_verdict, kind_of, verify_by_answer

__all__ = ["VerifyingStep"]


class VerifyingStep(Step):
    """A step that asks a verifier whether solutions are right."""

    verifier: str = ANSWER
    """What says whether a solution is right: `answer` compares its final answer with the gold one, and runs programs against the tests of
    their problem; `code` does the latter alone; `program` runs the program of the reply and compares the answer that it computes;
    `constraints` checks the constraints of the problem; or the name of a verifier in the pipeline's `code`, or of another package (entry
    point `synth.verifiers`). Programs run in a sandbox."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Relative error that still counts as right for numbers; exact if not given."""
    f1: Annotated[float, Field(gt=0, le=1)] | None = None
    """Token F1 from which on words count as right; they must be equal (normalised) if not given."""
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds one comparison, or one run of a program, may take."""
    memory: Annotated[int, Field(ge=16, le=65536)] = 512
    """MiB of memory that a program may take."""
    sandbox: Literal["any", "monty", "bubblewrap"] = "any"
    """Where programs run. `any`: in Monty, and those that it does not support in bubblewrap, as far as the machine has them."""
    verifiers: Annotated[SkipJsonSchema[InstanceOf[dict] | None], Field(exclude=True, repr=False)] = None  # type: ignore[type-arg]
    """Set by the loader: verifiers of the pipeline's own Python, by name."""

    def needed(self) -> frozenset[str]:
        needs = {ANSWER: {"answer"}, PROGRAM: {"answer"}, CODE: {"tests"}, CONSTRAINTS: {"constraints"}}
        return super().needed() | needs.get(self.verifier, set())

    def known_verifiers(self) -> Mapping[str, Verifier | None]:
        """The verifiers it can name; None for those that run programs, which takes more than a function."""
        return {**all_verifiers(), CODE: None, PROGRAM: None, **(self.verifiers or {})}

    def _runs(self, problem: Problem) -> bool:
        """Whether programs are run for a problem."""
        return self.verifier in {CODE, PROGRAM} or (self.verifier == ANSWER and problem.compared_as == "code")

    def check_input(self, problem: Problem) -> str | None:
        if self._runs(problem) and (why := why_none(self._sandboxes)) is not None:
            fix = "pip install 'synth-rationales[code]', or on Linux install bubblewrap"
            return f"its programs must be run, and there is no sandbox for them ({why}): {fix}"
        return super().check_input(problem)

    @property
    def _sandboxes(self) -> tuple[str, ...]:
        return () if self.sandbox == "any" else (self.sandbox,)

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        known = self.known_verifiers()
        if self.verifier not in known:
            yield "verifier", f"there is no verifier {self.verifier!r}", f"name one of {', '.join(known)}"

    async def verify(self, rationale: Rationale, unit: Unit) -> Verdict:
        """Whether a rationale is right. A verifier that takes longer than `timeout` has the label `timeout`."""
        problem = unit.problem_of(rationale)
        if self._runs(problem):
            running = Running(self.name, Limits(self.timeout, self.memory * 2**20), self._sandboxes)
            if self.verifier == PROGRAM:
                return await verify_by_program(rationale, problem, unit, running, tolerance=self.tolerance, f1=self.f1)
            return await verify_by_tests(rationale, problem, unit, running)
        if self.verifier == ANSWER:
            options: dict[str, Any] = {"tolerance": self.tolerance, "timeout": self.timeout, "f1_threshold": self.f1}
            # Mathematics may take as long as the time-out; the others take microseconds.
            if not kind_of(problem.compared_as).slow:
                return verify_by_answer(rationale, problem, **options)
            return await asyncio.to_thread(verify_by_answer, rationale, problem, **options)
        verifier = self.known_verifiers()[self.verifier]
        assert verifier is not None
        try:
            said = await self._in_thread(verifier, rationale, problem)
            return as_verdict(self.verifier, said, rationale, problem)
        except TimeoutError:
            what = f"{self.verifier}: not decided within {self.timeout:g} s"
            return Verdict("timeout", rationale.answer, problem.answer or "", self.verifier, what)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise StepError(
                f"the verifier {self.verifier} raised {type(error).__name__}: {error}"[:1000],
                where=f"step {self.name}, problem {problem.source or problem.id}, {frame.filename}:{frame.lineno}",
                fix="correct the verifier and run the same command again: what was paid for is kept",
            ) from error

    async def _in_thread(self, verifier: Verifier, rationale: Rationale, problem: Problem) -> Verdict | bool | None:
        """What a verifier says, in a thread of its own. The time-out begins when the thread does, whatever else the machine has to do
        before; a verifier that does not end is left behind, and ends with the process.

        Raises:
            TimeoutError: it took longer.
        """
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(loop, asyncio.Semaphore(_AT_ONCE)):
            said: asyncio.Future[Verdict | bool | None] = loop.create_future()

            def deliver(value: Verdict | bool | None, error: BaseException | None) -> None:
                if not said.done():
                    said.set_result(value) if error is None else said.set_exception(error)

            def work() -> None:
                value, raised = None, None
                try:
                    value = verifier(rationale, problem)
                except Exception as error:  # noqa: BLE001  # it is raised where the verifier was asked
                    raised = error
                with suppress(RuntimeError):  # the loop has ended, and nobody waits
                    loop.call_soon_threadsafe(deliver, value, raised)

            threading.Thread(target=work, name=f"verifier {self.verifier}", daemon=True).start()
            async with asyncio.timeout(self.timeout):
                return await said

    @cached_property
    def _turns(self) -> MutableMapping[asyncio.AbstractEventLoop, asyncio.Semaphore]:
        return WeakKeyDictionary()

    def verdict(self, rationale: Rationale, verdict: Verdict, name: str = "correct", *, graded: bool = False) -> Score:
        """A verdict as a score of the rationale, 1 where it is right or else 0; or its grade. Null where the verifier could not say."""
        value = None if verdict.label == "undecided" else float(verdict.label == "right")
        return self.derive(
            Score,
            [rationale],
            key=["grade"] if graded else None,
            target=rationale.id,
            name=name,
            value=verdict.grade if graded else value,
            label=verdict.label,
            judge=verdict.method,
            reason=verdict.detail,
        )


_AT_ONCE = max(2, os.cpu_count() or 1)
"""Verifiers that run at the same time: more would wait for each other, and their time-outs would count it."""

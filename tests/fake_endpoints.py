"""Endpoints that fail in a known way, in virtual time, and what the best possible client would need for each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from synth.calls import Caller, Ledger
from synth.errors import ModelError, SetupError, Stopped
from synth.models import Completion, Request, Task
from synth.models.base import Model
from synth.records import Problem
from synth.store.journal import Journal

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")


def request(sample: int) -> Request:
    return Request(({"role": "user", "content": "1 + 1?"},), Task("solve", QUESTION), {}, sample)


def refusal(retry_after: float | None = None) -> ModelError:
    return ModelError("rate_limit", "HTTP 429", retriable=True, retry_after=retry_after)


def broken(cause: str = "server", **more: Any) -> ModelError:
    return ModelError(cause, f"a {cause} error", retriable=True, **more)


class Fake(Model):
    """An endpoint in virtual time.

    Args:
        fails: given the number of the prompt and the endpoint, how this attempt fails at once; None where it does not.
        latency: seconds that a reply takes.
        concurrency: calls that the client may have in flight.
        hangs: seconds after which a time-out is noticed.
    """

    name, model_id, endpoint = "t", "m", "http://nowhere/v1"

    def __init__(
        self,
        fails: Callable[[int, Fake], ModelError | None],
        *,
        latency: float = 0.5,
        concurrency: int = 32,
        hangs: float = 5.0,
    ) -> None:
        self.fails, self.latency, self.concurrency, self.hangs = fails, latency, concurrency, hangs
        self.asked: list[tuple[float, int]] = []
        """When each attempt came, and for which prompt."""
        self.in_flight = self.most = self.served = 0
        self.chance = random.Random(5)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def complete(self, request: Request) -> Completion:
        self.asked.append((self.now, request.sample))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            error = self.fails(request.sample, self)
            if error is not None:
                await asyncio.sleep(self.hangs if error.cause == "timeout" else 0.02)
                raise error
            self.served += 1
            await asyncio.sleep(self.latency)
            return Completion("two", "stop", None, 1, 1)
        finally:
            self.in_flight -= 1


class Outcome(NamedTuple):
    seconds: float
    """Until the last call ended."""
    ok: int
    errors: list[Exception]
    attempts: int


async def ask_all(fake: Fake, n: int, folder: Path, *, caller: Caller | None = None) -> Outcome:
    """Ask `n` prompts through a caller; where the endpoint is of no use, the run ends as a run does."""
    journal = Journal(folder / "journal-of-all")
    caller = caller or Caller(Ledger(journal))

    async def ask(i: int) -> Completion:
        try:
            return await caller.ask(fake, request(i), unit="u")
        except SetupError as error:
            caller.close(Stopped(error.what))
            raise

    try:
        ends = await asyncio.gather(*(ask(i) for i in range(n)), return_exceptions=True)
    finally:
        journal.close()
    errors = [e for e in ends if isinstance(e, Exception)]
    return Outcome(fake.now, n - len(errors), errors, len(fake.asked))

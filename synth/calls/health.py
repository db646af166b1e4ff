"""Whether a model is given up: none of its calls can succeed, or it answers no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from synth.errors import ModelError, SetupError, Stopped
from synth.models.base import Model

__all__ = ["Health"]

FIRST_REFUSALS = 5
"""Calls that an endpoint must have refused, and none answered between them, for all to count as wrong."""


class _Refusals:
    """Calls of one model that were refused one after the other, and what was in flight when they got many."""

    def __init__(self) -> None:
        self.n = 0
        self.judged_at: float | None = None
        self.in_flight = 0

    def add(self, in_flight: int) -> None:
        self.n += 1
        if self.n == FIRST_REFUSALS:
            self.judged_at, self.in_flight = asyncio.get_running_loop().time(), in_flight

    def returned(self, left: float) -> None:
        """A call that left at that time has failed."""
        if self.judged_at is not None and left < self.judged_at:
            self.in_flight -= 1

    @property
    def all(self) -> bool:
        """Whether all replies since were refusals, and no earlier call is still in flight."""
        return self.judged_at is not None and self.in_flight <= 0


class Health:
    """What is known in a session of whether models answer.

    Args:
        answered: says whether a model has answered in any session of the run.
    """

    def __init__(self, answered: Callable[[Model], bool]) -> None:
        self._answered = answered
        self._alive: set[str] = set()
        self._refusals: dict[str, _Refusals] = {}
        self._useless: dict[str, SetupError] = {}

    def answers(self, model: Model) -> None:
        """Note that a model has answered."""
        self._alive.add(model.name)
        self._refusals.pop(model.name, None)

    def fails(self, model: Model, left: float) -> None:
        """Note that a call has failed which left at that time of the event loop, in seconds."""
        if self._refusals and (refusals := self._refusals.get(model.name)) is not None:
            refusals.returned(left)

    def is_alive(self, model: Model) -> bool:
        """Whether it has answered in this session."""
        return model.name in self._alive

    def check(self, model: Model) -> None:
        """Raise the SetupError of a model that was given up."""
        if self._useless and (useless := self._useless.get(model.name)) is not None:
            raise useless

    def give_up(self, model: Model, error: ModelError, in_flight: int, *, counts: bool) -> None:
        """Stop the run where a model that has not answered in this session is not going to.

        Args:
            model: the model.
            error: how a call to it failed, after all its attempts.
            in_flight: other calls to it that are in flight.
            counts: whether a refusal counts; that of a probe is the answer to it.

        Raises:
            SetupError: every call to it must fail.
            Stopped: it lets nothing through at the moment.
        """
        where = f"model {model.name}"
        if error.cause == "rate_limit" and not error.fatal:
            raise Stopped(error.what, where=where, fix="give the same command again later")
        wrong = error.fatal or error.retriable or error.cause in {"auth", "not_found"}
        wrong = wrong or (error.parameter is not None and counts)
        if not wrong and error.cause == "bad_request" and counts:
            # One prompt that is too long says nothing of the others, which may be slower to return.
            refusals = self._refusals.setdefault(model.name, _Refusals())
            refusals.add(in_flight)
            wrong = refusals.all and not self._answered(model)
        if wrong:
            useless = SetupError(error.what, where=where, fix=error.fix or "no call to it has succeeded")
            raise self._useless.setdefault(model.name, useless) from error

    def give_up_midway(self, model: Model, error: ModelError) -> None:
        """Stop the run where a model that has answered does so no more: its units are not done, and not failed.

        Raises:
            Stopped: a key was revoked, credit is gone, a model was taken down.
        """
        lost = error.fatal and not error.retriable
        if not lost and error.cause in {"auth", "not_found"}:
            refusals = self._refusals.setdefault(model.name, _Refusals())
            refusals.add(0)
            lost = refusals.all
        if lost:
            fix = f"{error.fix or 'fix that'}; then the same command resumes: nothing paid is paid twice"
            raise Stopped(error.what, where=f"model {model.name}", fix=fix) from error

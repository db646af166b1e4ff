"""How many attempts one call gets, and how long each waits for the next.

What is the matter of this call (a server's error, half a reply, a hang) is tried so many times. What is the matter of the
endpoint, so that any call would meet it (too many requests, a model that is being loaded, nobody there), is waited for as
long as it takes, up to a time. Until a model has answered at all less is put up with: a wrong URL is reported within
seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tenacity import RetryCallState

from synth.calls.limits import Turn
from synth.errors import ModelError

__all__ = ["MOST_SECONDS", "RetryPolicy"]

MAX_ATTEMPTS = 6
"""Attempts at one call before it counts as failed, with some 23 s of waits between them: our choice."""
MOST_SECONDS = 1800.0
"""Seconds after which no further attempt at a call is begun, waits for the endpoint included: our choice."""
OUTAGE_SECONDS = 120.0
"""Seconds for which attempts do not count where all calls fail: an outage that is shorter costs no call."""
FIRST_ATTEMPTS = 2
"""Attempts while nothing has succeeded yet at an endpoint that cannot be reached, hangs, or does not speak our
language."""
FIRST_SECONDS = 10.0
"""And no second one where it took longer to find out that nobody is there."""
SAME_QUESTION = 2
"""Attempts that may end in an empty or unreadable reply where the same question is bound to get the same reply."""
LONGEST_BACKOFF = 16.0
LONGEST_FOR_ENDPOINT = 4.0
"""Seconds between two attempts of a call that waits for the endpoint: the limiter sees to it that few calls try it."""


def _backoff(attempts: int) -> float:
    return random.uniform(0.5, 1.0) * min(LONGEST_BACKOFF, 2.0 ** (min(attempts, 10) - 1))


class RetryPolicy:
    """Whether another attempt at one call is made, and when: `stop` and `wait` of tenacity.

    Args:
        turn: the call at its endpoint's limit.
        alive: whether the model has answered at all.
        fixed: whether the question has but one reply (temperature 0, or a seed).
        waited: seconds since it was first asked.
    """

    def __init__(self, turn: Turn, *, alive: Callable[[], bool], fixed: bool, waited: Callable[[], float]) -> None:
        self._turn = turn
        self._alive = alive
        self._fixed = fixed
        self._waited = waited
        self._attempts = 0
        self._seconds: float | None = None
        self._counted = 0
        self._invalid = 0
        self.over = False
        """Whether the time is over, or would be before the endpoint wants to be asked again."""

    def stop(self, state: RetryCallState) -> bool:
        """Whether no further attempt is made."""
        return self._seconds_to_next(state) is None

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        return self._seconds_to_next(state) or 0.0

    def _seconds_to_next(self, state: RetryCallState) -> float | None:
        """Seconds until the next attempt; None where no further one is made. Decided once an attempt."""
        if state.attempt_number > self._attempts:
            self._attempts = state.attempt_number
            error = state.outcome.exception() if state.outcome is not None else None
            self._seconds = self._decide(error) if isinstance(error, ModelError) else None
        return self._seconds

    def _decide(self, error: ModelError) -> float | None:
        if error.stale:  # it says nothing of the endpoint, nor for long: connections that old are not used again
            return 0.0
        down = error.unavailable or (error.cause == "connection" and error.fatal)
        outside = error.cause == "rate_limit" or (down and not self._turn.alone)
        outside = outside or (self._turn.in_outage and self._waited() < OUTAGE_SECONDS)
        self._invalid += error.cause in {"empty", "malformed"}
        alive = self._alive()
        self._counted += not (outside and (alive or error.unavailable))
        if self._is_enough(error, alive=alive):
            return None
        # "At once" is what a server says that does not know: it would have all attempts within a second.
        backoff = min(_backoff(self._attempts), LONGEST_FOR_ENDPOINT if outside else LONGEST_BACKOFF)
        seconds = error.retry_after or backoff
        if self._waited() + seconds >= MOST_SECONDS:
            self.over = (outside and not error.unavailable) or error.retry_after is not None
            return None
        return seconds

    def _is_enough(self, error: ModelError, *, alive: bool) -> bool:
        if self._fixed and self._invalid >= SAME_QUESTION:
            return True
        if alive:
            return self._counted >= MAX_ATTEMPTS
        if error.fatal and self._waited() > FIRST_SECONDS:
            return True
        first = error.fatal or error.cause in {"malformed", "timeout"}
        return self._counted >= (FIRST_ATTEMPTS if first else MAX_ATTEMPTS)

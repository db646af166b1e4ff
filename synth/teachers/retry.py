"""How long one call is gone on with after an attempt that failed, and after what waits.

What is the matter with this call (a server's error, half a reply, a hang) is tried so many times. What is the matter
with the endpoint, whichever call it meets (too many requests, nobody there), is waited for as long as it takes, up to a
time. Until a teacher has answered at all less is put up with: a wrong URL is told within seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tenacity import RetryCallState, stop_before_delay

from synth.errors import TeacherError

__all__ = ["MOST_SECONDS", "Patience", "about_the_endpoint"]

MAX_ATTEMPTS = 6
"""Attempts at one call before it counts as failed, with some 23 s of waits between them: our choice."""
MOST_SECONDS = 1800.0
"""Seconds after which no further attempt at a call is begun, waits for the endpoint included: our choice."""
FIRST_ATTEMPTS = 2
"""Attempts while nothing has succeeded yet at an endpoint that cannot be reached, hangs, or does not speak our
language."""
FIRST_SECONDS = 10.0
"""And no second one where it took longer to find out that nobody is there."""
SAME_QUESTION = 2
"""Attempts that may end in an empty or unreadable reply where the same question is bound to get the same reply."""
LONGEST_BACKOFF = 16.0


def about_the_endpoint(error: TeacherError) -> bool:
    """Whether any other call would have met the same: too many requests, or nobody there."""
    return error.retriable and (error.cause == "rate_limit" or (error.cause == "connection" and error.fatal))


def _backoff(state: RetryCallState) -> float:
    return random.uniform(0.5, 1.0) * min(LONGEST_BACKOFF, 2.0 ** (min(state.attempt_number, 10) - 1))


class Patience:
    """What stops the attempts at one call, and how long each waits; for tenacity.

    Args:
        alive: whether the teacher has answered at all.
        fixed: whether the question has but one reply (temperature 0, or a seed).
        waited: seconds since it was first asked.
    """

    def __init__(self, *, alive: Callable[[], bool], fixed: bool, waited: Callable[[], float]) -> None:
        self._alive = alive
        self._fixed = fixed
        self._waited = waited
        self._counted = 0
        self._spoilt = 0
        self.over = False
        """Whether the time is over, or would be before the endpoint wants to be asked again."""

    def enough(self, state: RetryCallState) -> bool:
        """Whether no further attempt is made."""
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, TeacherError):
            return False
        if stop_before_delay(MOST_SECONDS)(state):
            self.over = about_the_endpoint(error) or error.retry_after is not None
            return True
        alive, outside = self._alive(), about_the_endpoint(error)
        if error.stale:  # it says nothing of the endpoint, nor for long: connections that old are not used again
            return False
        self._counted += not (alive and outside)
        self._spoilt += error.cause in {"empty", "malformed"}
        if self._fixed and self._spoilt >= SAME_QUESTION:
            return True
        if alive:
            return not outside and self._counted >= MAX_ATTEMPTS
        if error.fatal and self._waited() > FIRST_SECONDS:
            return True
        first = error.fatal or error.cause in {"malformed", "timeout"}
        return self._counted >= (FIRST_ATTEMPTS if first else MAX_ATTEMPTS)

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the endpoint asked for, and no more; else longer and longer ones."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TeacherError) and error.stale:
            return 0.0
        # "At once" is what a server says that does not know: it would have all attempts within a second.
        return (error.retry_after if isinstance(error, TeacherError) else None) or _backoff(state)

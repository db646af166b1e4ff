"""How much may be in flight at one endpoint and model: found out from how recent calls ended.

A lone failure costs its own call: that call waits (`retry.py`), and the others go on. Many failures say what the endpoint
can take:

- The *window*, the calls that may be in flight, grows with each reply and shrinks with each failure. It rests where a quarter
  of the calls is refused; fewer refusals do not make it smaller. Calls leave evenly, so below one it is a pace: at 0.5 one
  call leaves in twice the time of a reply.
- Where failures are dense the window shrinks to the share that got through, and a `Retry-After` holds all calls.
- Where all that was in flight failed the *circuit opens*: one call at a time tries the endpoint, after longer and longer
  pauses. Then the window grows quickly to where it was.

A call that breaks while others are answered has a prompt that the endpoint cannot take: its further attempts say nothing
about the endpoint. Waiting here is never a model's time-out: the clock of an attempt starts when it leaves. The constants
are our choice, made with the scenarios of `tests/calls/test_limits.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Limit", "Turn", "Waiting"]

REFUSED = frozenset({"rate_limit"})
"""Ends of an attempt that say that the endpoint takes no more for now."""
BROKEN = frozenset({"server", "timeout", "connection"})
"""Ends that say that the endpoint is down, has too much to do, or cannot do this one call."""
STEP = 1 / 16
"""Calls by which a reply lets the window grow, and more with every `CLEAN` replies in a row, up to 1: then the window doubles
with each round of calls."""
CLEAN = 8
REFUSED_STEPS, BROKEN_STEPS = 3.0, 1.5
"""Steps by which a failure lets it shrink: it rests where one call in 4 is refused, or two in 5 break."""
RECENT, DENSE = 16, 0.75
"""Failures are dense where such a share of the last calls failed: of as many as may be in flight, and of `RECENT` at least."""
BREAK_AFTER = 8
"""Failures in a row that open the circuit, if as many as were in flight when the row began."""
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_REFUSAL = 0.5, 5.0, 2.0
"""Seconds between the calls that try an endpoint while the circuit is open, doubling; fewer where it answers, if with a
refusal: what such a call costs is little, and so is what is lost when the endpoint is up again."""
REST, LONGEST_REST = 1.25, 5.0
"""For how long a call that failed at once keeps its place: times that a reply takes, and seconds at most."""
PACED = 4.0
"""By so much slower a pace below one grows: there each refusal costs the time of a reply."""
LONGEST_INTERVAL, CATCH_UP = 10.0, 0.05
"""Seconds between two calls at the slowest pace; and by how many a call may be late without those behind it being late too."""
_NEVER = float("-inf")


class Waiting(NamedTuple):
    """Why no call leaves for an endpoint."""

    state: str
    """`circuit open` where it fails all calls; `backing off` where it refuses most of them; `waiting for quota` where it
    said that no quota is left."""
    cause: str | None
    """The status of the call that failed last."""
    seconds: float
    """For how long it has been so."""
    next_try: float
    """Seconds until the next call leaves; 0 where it is under way."""


@dataclass(slots=True, eq=False)
class Turn:
    """One call at a limit, through all its attempts."""

    tokens: float = 0.0
    """Prompt and completion tokens that an attempt is expected to take."""
    asked: float | None = None
    """When the first attempt left; None before."""
    entered: float = 0.0
    """When the last attempt left."""
    alone: bool | None = None
    """Whether it failed while others were answered; None before it failed."""
    in_outage: bool = False
    """Whether the circuit was open when its last attempt ended."""


class _Failure(NamedTuple):
    """An attempt that failed, and what it says about the endpoint."""

    end: str
    left: float
    in_row: bool
    """Whether nothing was answered while it was in flight."""
    until: float | None
    """When the endpoint wants to be asked again."""


class Limit:
    """A gate in front of one endpoint and model; first come, first served.

    Args:
        ceiling: most calls in flight, ever.
        requests_per_minute: calls that may leave in a minute; None for no such limit.
        tokens_per_minute: prompt and completion tokens in a minute; None for no such limit.
    """

    def __init__(
        self, ceiling: int, *, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self.ceiling = ceiling
        self.window = float(ceiling)
        """Calls that may be in flight now; below 1, the share of the time that one call may be."""
        self.in_flight = 0
        self.out = 0
        """Of these, how many have really left; the caller keeps count."""
        self._again: deque[tuple[asyncio.Future[None], Turn]] = deque()
        self._new: deque[tuple[asyncio.Future[None], Turn]] = deque()
        """Those that wait: calls that were in flight before, and calls that were not."""
        self._again_next = True
        self._request_seconds = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_seconds = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._requests_from = 0.0
        self._tokens_from = 0.0
        """When the tokens of the calls that have left will have been earned, at so many a minute."""
        self._held_until = 0.0
        self._paced_until = 0.0
        self._recent: deque[bool] = deque(maxlen=max(RECENT, ceiling))
        """Whether the last calls failed."""
        self._answered_at = _NEVER
        self._latency = 1.0
        """Seconds that a reply takes, a moving mean; a guess before there was one."""
        self._clean = 0
        """Replies since the last failure."""
        self._row = 0
        """Failures since the last reply."""
        self._row_opens = 0
        """How many of them open the circuit."""
        self._proved = float(ceiling)
        """The window with which `CLEAN` calls in a row were answered; 0 where none was since the circuit opened."""
        self._goal = 0.0
        """The window up to which each reply lets it grow by a call: it was there before the circuit opened."""
        self._cut_at = _NEVER
        """When refusals were dense last: what left before says nothing about the window since."""
        self._at_one = 0
        """Ends since one call at a time leaves."""
        self._blameless = False
        """Whether calls break one at a time as often as many at a time, so that a smaller window helps nobody."""
        self._tries = 0
        """Calls that failed since the circuit opened, with those of the same moment as one; 0 where it is closed."""
        self._state = ""
        self._cause: str | None = None
        self._since: float | None = None
        """When calls began to be held, and why; None where they are not."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._released = False

    @property
    def counts_tokens(self) -> bool:
        """Whether there is a limit of tokens."""
        return self._token_seconds > 0

    @property
    def waiting(self) -> Waiting | None:
        """Why no call leaves; None where calls leave. May be read from any thread."""
        since, loop = self._since, self._loop
        if since is None or loop is None:
            return None
        now = loop.time()
        return Waiting(self._state, self._cause, now - since, max(0.0, self._held_until - now))

    async def enter(self, turn: Turn) -> None:
        """Wait until an attempt may leave."""
        loop = self._loop = asyncio.get_running_loop()
        queue = self._new if turn.asked is None else self._again
        if not (self._again or self._new) and self._may_leave(loop.time()):
            self._depart(turn, loop.time())
            return
        future: asyncio.Future[None] = loop.create_future()
        if turn.asked is None or self._answered_at > _NEVER:
            queue.append((future, turn))
        else:  # nothing was answered so far: the sooner one call has had its attempts, the sooner is known what is wrong
            queue.appendleft((future, turn))
        self._admit()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # its turn came in the same moment
                self.leave(turn, None)
            raise

    def leave(
        self,
        turn: Turn,
        end: str | None,
        *,
        retry_after: float | None = None,
        pause: float | None = None,
        tokens: int = 0,
    ) -> None:
        """An attempt is over.

        Args:
            turn: what `enter` was given.
            end: `ok`, or the cause of the failure; None where it says nothing about the endpoint.
            retry_after: seconds after which the endpoint wants this call again.
            pause: seconds for which the endpoint has no quota left, for any call.
            tokens: prompt and completion tokens it took.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._correct(tokens - turn.tokens)
        if pause is not None:
            self._hold(now, now + pause, "waiting for quota", None)
        if end is None or end not in REFUSED | BROKEN:
            if end is not None:
                self._answered(turn, now)
            self._free()
        elif self._is_alone(turn, end) and turn.alone is not None:
            turn.alone = True
            self._free()
        else:
            turn.alone = self._is_alone(turn, end)
            until = now + retry_after if retry_after else None
            failure = _Failure(end, turn.entered, turn.entered >= self._answered_at, until)
            # It counts, and its place is free, when a reply would have come. Else of calls that left together the failures
            # would count before the replies, and the calls that took their places would fail for the same reason at once.
            rest = turn.entered + min(REST * self._latency, LONGEST_REST) - now
            if rest > 0 and not self._tries:
                loop.call_later(rest, self._failed, failure)
            else:
                self._failed(failure)
        turn.in_outage = self._tries > 0

    def release(self) -> None:
        """Let all calls leave at once: the run is being stopped, and they are to find that out."""
        self._released = True
        self._admit()

    def _answered(self, turn: Turn, now: float) -> None:
        """The endpoint is up, and the window grows."""
        weight = 1.0 if self._answered_at == _NEVER else 1 / 8
        self._latency += weight * (now - turn.entered - self._latency)
        self._answered_at = now
        self._recent.append(False)
        self._row = self._tries = 0
        if now >= self._held_until:
            self._since = None
        self._clean += 1
        self._at_one = self._at_one + 1 if self.window < 2 else 0
        rounds = min(8.0, self._clean / max(CLEAN, self.window))
        step = 1.0 if self.window < self._goal else STEP if self.window >= 1 else STEP / PACED
        self.window = min(float(self.ceiling), self.window + min(1.0, step * 2**rounds) * min(1.0, self.window))
        if self._clean >= CLEAN:
            self._proved = self.window

    def _is_alone(self, turn: Turn, end: str) -> bool:
        """Whether others were answered since this call was first asked, and few calls fail."""
        assert turn.asked is not None
        last = self._last(RECENT)
        few = 2 * sum(last) < len(last)
        return end in BROKEN and self._answered_at > turn.asked and (few or self._blameless) and not self._tries

    def _failed(self, failure: _Failure) -> None:
        """Count a failure."""
        now = asyncio.get_running_loop().time()
        self.in_flight -= 1
        self._recent.append(True)
        if not self._row:
            self._row_opens = self.in_flight + 1
        self._row += failure.in_row
        self._clean = 0
        if self._row >= BREAK_AFTER and (self._row >= self._row_opens or not self.in_flight):
            self._open(failure, now)
        elif failure.left > self._cut_at and not self._tries:
            self._goal /= 2
            self._shrink(failure)
            most = max(RECENT, int(self.window))
            failures = sum(self._last(most))
            if failures >= DENSE * most and not self._blameless:
                self.window = max(min(1.0, self.window), self.window * (1 - failures / most))
                self._cut_at = now
                self._recent.clear()
                if failure.end in REFUSED and failure.until is not None:
                    self._hold(now, failure.until, "backing off", failure.end)
        self._admit()

    def _last(self, most: int) -> list[bool]:
        """Whether the last calls failed, so many at most."""
        return list(self._recent)[-most:]

    def _shrink(self, failure: _Failure) -> None:
        self._at_one = self._at_one + 1 if self.window < 2 else 0
        if failure.end in REFUSED:
            slowest = min(1.0, self._latency / LONGEST_INTERVAL)
            self.window = max(slowest, self.window - STEP * REFUSED_STEPS * min(1.0, self.window))
        elif self._at_one >= RECENT and not all(self._last(RECENT)):
            self._blameless, self._goal = True, float(self.ceiling)
        elif not self._blameless:
            self.window = max(min(1.0, self.window), self.window - STEP * BROKEN_STEPS)

    def _open(self, failure: _Failure, now: float) -> None:
        """All that was in flight failed: one call at a time tries whether the endpoint is up again."""
        if self._tries and now < self._held_until:  # of calls that were in flight together one counts
            return
        if not self._tries:
            self.window = min(1.0, self._proved or self.window)
            self._goal = self._proved if failure.end in REFUSED else self._proved / 2
            self._proved = 0.0
            self._blameless = False
        longest = LONGEST_REFUSAL if failure.end in REFUSED else LONGEST_PAUSE
        pause = min(longest, FIRST_PAUSE * 2 ** min(self._tries, 8))
        self._tries += 1
        self._hold(now, failure.until or now + pause, "circuit open", failure.end)

    def _hold(self, now: float, until: float, state: str, cause: str | None) -> None:
        if self._since is None:
            self._since = now
        self._state, self._cause = state, cause
        self._held_until = max(self._held_until, until)

    def _free(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _may_leave(self, now: float) -> bool:
        most = 1 if self._tries else max(1, int(self.window))
        return self._released or (self.in_flight < most and all(now >= time for time in self._times()))

    def _times(self) -> tuple[float, ...]:
        """Before each of these no call leaves."""
        return self._requests_from, self._tokens_from, self._held_until, self._paced_until

    def _depart(self, turn: Turn, now: float) -> None:
        self.in_flight += 1
        turn.entered = now
        if turn.asked is None:
            turn.asked = now
        self._requests_from = now + self._request_seconds
        if self._token_seconds:
            self._tokens_from = max(now, self._tokens_from) + turn.tokens * self._token_seconds
        if self.window < self.ceiling:
            # Evenly, since an endpoint that counts calls a second refuses those that come at once.
            self._paced_until = max(self._paced_until, now - CATCH_UP) + self._latency / self.window

    def _correct(self, tokens: float) -> None:
        """So many more tokens than expected were taken, or fewer."""
        self._tokens_from += tokens * self._token_seconds

    def _admit(self) -> None:
        """Let those leave that may."""
        loop = self._loop
        if loop is None:
            return
        now = loop.time()
        while (queue := self._next_queue()) and self._may_leave(now):
            future, turn = queue.popleft()
            self._again_next = queue is self._new
            self._depart(turn, now)
            future.set_result(None)
        if queue and max(self._times()) > now:
            self._look_again(max(self._times()))

    def _next_queue(self) -> deque[tuple[asyncio.Future[None], Turn]] | None:
        """Whose turn it is: of calls that were in flight before and new ones in turns, so that neither starves."""
        for queue in (self._again, self._new):
            while queue and queue[0][0].done():  # it was cancelled
                queue.popleft()
        again_first = self._again_next or self._answered_at == _NEVER
        if self._again and (again_first or not self._new):
            return self._again
        return self._new or None

    def _look_again(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._admit_later)

    def _admit_later(self) -> None:
        self._timer = None
        self._admit()

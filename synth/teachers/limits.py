"""How much may be in flight at one endpoint and model: found out while asking.

Additive increase, multiplicative decrease, as TCP does it: each good reply lets 1/window more in, a reply that says
"too much" (429, 5xx, time-out) halves the window, once for all the calls that were in flight then. Waiting here is never
a model's time-out: the clock of an attempt starts when it leaves. The constants are our choice.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Limit"]

TOO_MUCH = frozenset({"rate_limit", "server", "timeout"})
"""Ends of an attempt that say the endpoint has too much to do."""
DOWN = frozenset({"server", "timeout", "connection"})
"""Ends that, many in a row, say that it is down."""
BREAK_AFTER = 6
"""So many of those one after the other open the circuit: one call at a time goes out, after longer and longer pauses.
Calls that were in flight together count once."""
LONGEST_PAUSE = 30.0
"""Seconds between two of those calls, at most."""


class Limit:
    """A turnstile in front of one endpoint and model; first come, first served.

    Args:
        ceiling: most calls in flight, ever.
        requests_per_minute: calls that may leave in a minute; None for no such limit.
        tokens_per_minute: tokens, read and written, in a minute; None for no such limit.
    """

    def __init__(
        self, ceiling: int, *, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self.ceiling = ceiling
        self.window = float(ceiling)
        """Calls that may be in flight now, at least 1."""
        self.in_flight = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._not_before = 0.0
        self._request_seconds = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_seconds = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._cut_at = float("-inf")
        self._down = 0
        self._down_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._let_go = False

    async def enter(self, *, again: bool = False) -> float:
        """Wait for a turn; returns when it came, which `leave` wants back.

        Args:
            again: whether this call has had a turn before: it goes ahead of those that have not, or it would wait for
                all of them, and with it whoever wants to know what is wrong.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._queue and self._is_room(now):
            self._go(now)
            return now
        turn: asyncio.Future[None] = loop.create_future()
        if again:
            self._queue.appendleft(turn)
        else:
            self._queue.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came in the same moment
                self.in_flight -= 1
                self._let_in()
            raise
        return loop.time()

    def leave(self, entered: float, end: str | None, *, pause: float | None = None, tokens: int = 0) -> None:
        """An attempt is over.

        Args:
            entered: what `enter` returned.
            end: `ok`, or the cause of the failure; None where it never left.
            pause: seconds the endpoint asked everybody to wait.
            tokens: read and written.
        """
        now = asyncio.get_running_loop().time()
        self.in_flight -= 1
        if end in TOO_MUCH and entered > self._cut_at:
            self.window = max(1.0, self.window / 2)
            self._cut_at = now
        if end in DOWN and entered > self._down_at:
            self._down, self._down_at = self._down + 1, now
            if self._down >= BREAK_AFTER:
                self.window = 1.0
                self._hold(now + min(LONGEST_PAUSE, 0.5 * 2 ** (self._down - BREAK_AFTER)))
        elif end is not None and end not in DOWN | TOO_MUCH:  # a reply, of whatever kind: it is up
            self._down = 0
            self.window = min(float(self.ceiling), self.window + 1 / self.window)
        if pause is not None:
            self._hold(now + pause)
        if self._token_seconds:
            self._hold(max(now, self._not_before) + tokens * self._token_seconds)
        self._let_in()

    def let_go(self) -> None:
        """Let everybody in at once: the run is being stopped, and they are to find that out."""
        self._let_go = True
        self._let_in()

    def _hold(self, until: float) -> None:
        self._not_before = max(self._not_before, until)

    def _is_room(self, now: float) -> bool:
        return self._let_go or (self.in_flight < int(self.window) and now >= self._not_before)

    def _go(self, now: float) -> None:
        self.in_flight += 1
        if self._request_seconds:
            self._hold(now + self._request_seconds)

    def _let_in(self) -> None:
        if not self._queue:
            return
        loop = asyncio.get_running_loop()
        while self._queue:
            now = loop.time()
            if not self._is_room(now):
                if self.in_flight < int(self.window) and self._timer is None:
                    self._timer = loop.call_at(self._not_before, self._let_in_again)
                return
            turn = self._queue.popleft()
            if turn.done():  # whoever waited has gone
                continue
            self._go(now)
            turn.set_result(None)

    def _let_in_again(self) -> None:
        self._timer = None
        self._let_in()

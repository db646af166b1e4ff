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
LONGEST_PAUSE = 5.0
"""Seconds between two of those calls, at most: what they cost is little, and so is what is lost when it is up again."""


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
        self.out = 0
        """Of these, how many have really left; whoever asks keeps count."""
        self._queue: deque[tuple[asyncio.Future[None], float]] = deque()
        self._not_before = 0.0
        self._tokens_from = 0.0
        """When the tokens of those that have left will have been had, at so many a minute."""
        self._request_seconds = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_seconds = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._cut_at = float("-inf")
        self._down = 0
        self._down_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._let_go = False

    @property
    def counts_tokens(self) -> bool:
        """Whether there is a limit of tokens."""
        return self._token_seconds > 0

    async def enter(self, *, again: bool = False, tokens: float = 0.0) -> float:
        """Wait for a turn; returns when it came, which `leave` wants back.

        Args:
            again: whether this call has had a turn before: it goes ahead of those that have not, or it would wait for
                all of them, and with it whoever wants to know what is wrong.
            tokens: it is expected to read and write.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._queue and self._is_room(now):
            self._go(now, tokens)
            return now
        turn: asyncio.Future[None] = loop.create_future()
        if again:
            self._queue.appendleft((turn, tokens))
        else:
            self._queue.append((turn, tokens))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came in the same moment
                self.in_flight -= 1
                self._correct(-tokens)
                self._let_in()
            raise
        return loop.time()

    def leave(
        self, entered: float, end: str | None, *, pause: float | None = None, tokens: int = 0, expected: float = 0.0
    ) -> None:
        """An attempt is over.

        Args:
            entered: what `enter` returned.
            end: `ok`, or the cause of the failure; None where it never left.
            pause: seconds the endpoint asked everybody to wait; then it is that long, and no longer.
            tokens: read and written.
            expected: what `enter` was told.
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
                if pause is None:
                    self._hold(now + min(LONGEST_PAUSE, 0.5 * 2 ** (self._down - BREAK_AFTER)))
        elif end is not None and end not in DOWN | TOO_MUCH:  # a reply, of whatever kind: it is up
            self._down = 0
            self.window = min(float(self.ceiling), self.window + 1 / self.window)
        if pause is not None:
            self._hold(now + pause)
        self._correct(tokens - expected)
        self._let_in()

    def let_go(self) -> None:
        """Let everybody in at once: the run is being stopped, and they are to find that out."""
        self._let_go = True
        self._let_in()

    def _hold(self, until: float) -> None:
        self._not_before = max(self._not_before, until)

    def _is_room(self, now: float) -> bool:
        return self._let_go or (
            self.in_flight < int(self.window) and now >= self._not_before and now >= self._tokens_from
        )

    def _go(self, now: float, tokens: float) -> None:
        self.in_flight += 1
        if self._request_seconds:
            self._hold(now + self._request_seconds)
        if self._token_seconds:
            self._tokens_from = max(now, self._tokens_from) + tokens * self._token_seconds

    def _correct(self, tokens: float) -> None:
        """So many more tokens than expected were had, or fewer."""
        if self._token_seconds:
            self._tokens_from += tokens * self._token_seconds

    def _let_in(self) -> None:
        if not self._queue:
            return
        loop = asyncio.get_running_loop()
        while self._queue:
            now = loop.time()
            if not self._is_room(now):
                if self.in_flight < int(self.window):
                    self._look_again(max(self._not_before, self._tokens_from))
                return
            turn, tokens = self._queue.popleft()
            if turn.done():  # whoever waited has gone
                continue
            self._go(now, tokens)
            turn.set_result(None)

    def _look_again(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._let_in_again)

    def _let_in_again(self) -> None:
        self._timer = None
        self._let_in()

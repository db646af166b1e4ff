"""Replies that come at about the same time, handed out together."""

from __future__ import annotations

import asyncio

__all__ = ["GATHER_FROM", "Gathering"]

GATHER_SECONDS, GATHER_FROM, GATHER_MOST = 0.025, 32, 64
"""Where so many calls are in flight, replies are written down and handed out in groups, so that what is done with them is
done stage by stage (see `stages.py`): those that come within so many seconds, and so many at most. Not where there is a
budget: what comes next is to know what they took."""


class Gathering:
    """Replies that wait for others."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self) -> None:
        """Wait for other replies that come about now; the next call is on its way already."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._timer = loop.call_later(GATHER_SECONDS, self._release)
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) >= GATHER_MOST:
            self._release()
        await turn

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        gathered, self._waiting = self._waiting, []
        for turn in gathered:
            if not turn.done():
                turn.set_result(None)

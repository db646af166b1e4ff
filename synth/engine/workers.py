"""Units in flight: tasks that each do one unit after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

from synth.calls import Caller, next_stage
from synth.engine.goal import Goal
from synth.engine.todo import Todo
from synth.errors import Stopped
from synth.sources import Given

__all__ = ["Workers", "units_in_flight"]

UNITS_AHEAD = 1.25
"""Units in flight for each call that may be: enough to keep the models busy, few enough to keep memory flat."""

MOST_AHEAD = 8
"""And so many times as many at most, where calls of units wait for another attempt: others continue in their place."""

LAST_SECONDS = 10.0
"""How long calls in flight may take to return when the run ends in an error."""


def units_in_flight(calls: int) -> int:
    """How many units are in flight where so many calls may be."""
    return ceil(UNITS_AHEAD * calls)


class Workers:
    """Does units until none is left or the goal is reached.

    Args:
        todo: the units.
        goal: how much they are to keep.
        caller: asks the models; no unit is begun once it is closing.
        in_flight: how many units are done at once.
        do: does one unit.
        close: called with the reason where a unit may not be ended.
    """

    def __init__(
        self,
        todo: Todo,
        goal: Goal,
        caller: Caller,
        in_flight: int,
        do: Callable[[Given], Awaitable[None]],
        close: Callable[[Stopped], None],
    ) -> None:
        self._todo = todo
        self._goal = goal
        self._caller = caller
        self._in_flight = in_flight
        self._do = do
        self._close = close
        self._flying = 0
        """Units begun, and not done."""
        self._group: asyncio.TaskGroup | None = None
        self._tasks = 0
        """Tasks that do one unit after the other."""
        self._landed = asyncio.Condition()
        self.all_begun = asyncio.Event()
        """Set while no unit is left to begin."""

    @property
    def is_enough(self) -> bool:
        """Whether no more units are to be begun, even if some are left."""
        return self._caller.closing is not None or self._goal.is_reached

    async def run(self) -> None:
        """Do units until none is left or the goal is reached; returns when none is in flight.

        Raises:
            SynthError: a unit raised it; the calls of the others had some seconds to return.
        """
        self.all_begun.clear()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for _ in range(self._in_flight):
                    self._begin(group)
        except BaseExceptionGroup as group_of_errors:
            error = _first_of(group_of_errors)
            if not isinstance(error, Stopped):
                self._caller.close(Stopped("another model failed"))
                await self._caller.drain(LAST_SECONDS)
                raise error from None
            self._close(error)
        except asyncio.CancelledError:
            if self._caller.closing is None:
                raise
        finally:
            self._group, self._tasks = None, 0
        await self._caller.drain()

    def begin_more(self) -> None:
        """Let another unit be done in the place of one whose call waits for another attempt."""
        most = min(MOST_AHEAD * self._in_flight, self._in_flight + self._caller.counts.retrying)
        if self._group is not None and not self.all_begun.is_set() and self._tasks < most:
            self._begin(self._group)

    def _begin(self, group: asyncio.TaskGroup) -> None:
        work = self._work()
        try:
            group.create_task(work)
            self._tasks += 1
        except RuntimeError:  # the group is ending
            work.close()

    async def _work(self) -> None:
        while (given := await self._next()) is not None:
            self._flying += 1
            try:
                await self._do(given)
            except Stopped as why:
                self._close(why)
                return
            except BaseExceptionGroup as group:  # of a step that asked many at once
                error = _first_of(group)
                if not isinstance(error, Stopped):
                    raise error from None
                self._close(error)
                return
            finally:
                self._flying -= 1
                if self._goal.until is not None:
                    async with self._landed:
                        self._landed.notify_all()
            await next_stage()
            if self._tasks > self._in_flight + self._caller.counts.retrying:
                self._tasks -= 1
                return
        self.all_begun.set()

    async def _next(self) -> Given | None:
        """The next problem to begin; None where no more is to be begun.

        Where the units in flight are expected to bring what is missing, at the rate of those done, it waits for one of them: what
        is made beyond the goal is paid for in vain.
        """
        while not self.is_enough:
            if not self._flying or not self._goal.is_expected(self._flying):
                return self._todo.next()
            async with self._landed:
                await self._landed.wait()
        return None


def _first_of(group: BaseExceptionGroup[BaseException]) -> Any:
    """The one exception to report: the user's mistake before anything else."""
    flat: list[BaseException] = []

    def walk(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                walk(inner)
        else:
            flat.append(error)

    walk(group)
    serious = [e for e in flat if not isinstance(e, (Stopped, asyncio.CancelledError))]
    return (serious or flat)[0]

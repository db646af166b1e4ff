"""The journal of a run materialized into DuckDB while calls are in flight, so that little is left to do at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from synth.errors import RunFolderError
from synth.store.journal import Journal
from synth.store.materialize import materialize

__all__ = ["Materializer"]

MATERIALIZE_SECONDS, MATERIALIZE_PAUSE = 1.0, 3.0
"""Seconds between two materializations of the journal while the run is at work; the pause is at least so many times the work of the last one."""
LAST_MATERIALIZE_SECONDS = 0.1
"""The former once every unit has started: materializing while the last calls are in flight shortens the last materialization."""


class Materializer:
    """Brings `corpus.duckdb` up to date with the journal.

    Args:
        run: the run folder.
        journal: its journal, which this process writes.
        beside: the thread that does it along the run.
    """

    def __init__(self, run: Path, journal: Journal, beside: Executor) -> None:
        self._run = run
        self._journal = journal
        self._beside = beside

    def materialize(self) -> bool:
        """All that the journal has; see `synth.store.materialize`."""
        return materialize(self._run, self._journal.began)

    @asynccontextmanager
    async def along(self, all_begun: asyncio.Event, written: Callable[[], object]) -> AsyncIterator[None]:
        """Materialize now and then, until the block ends.

        Args:
            all_begun: set while every unit has started; set when the block ends, too.
            written: returns how much was written to the journal; nothing is done where that is as it was.
        """
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def work() -> float:
            begun = time.thread_time()
            with suppress(OSError, RunFolderError):  # reported at the end, where it matters
                self.materialize()
            return time.thread_time() - begun

        async def materialize_now_and_then() -> None:
            done, pause = written(), MATERIALIZE_SECONDS
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for((ended if all_begun.is_set() else all_begun).wait(), pause)
                now, took = written(), 0.0
                if now != done and not ended.is_set():
                    took, done = await loop.run_in_executor(self._beside, work), now
                pause = max(
                    LAST_MATERIALIZE_SECONDS if all_begun.is_set() else MATERIALIZE_SECONDS, MATERIALIZE_PAUSE * took
                )

        task = asyncio.create_task(materialize_now_and_then())
        try:
            yield
        finally:
            ended.set()
            all_begun.set()
            with suppress(asyncio.CancelledError):  # a second interrupt ends it too
                await task

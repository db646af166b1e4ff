"""A run held open for pages: opened again when the journal has grown, let go when nobody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from synth.store.apart import Asker
from synth.store.database import Store, open_store
from synth.store.manifest import read_manifest

__all__ = ["Counts", "LiveRun"]

FRESH_SECONDS = 1.0
"""How old what is shown of a run at work may be."""
IDLE_SECONDS = 5.0
"""After which the files are released, so that a run at work can materialize its journal."""
QUESTION_SECONDS = 20.0
"""Longest any one request may ask the store."""
CONDITION_SECONDS = 8.0
"""Longest a condition may take that somebody wrote."""
COUNT_SECONDS = 180.0
"""Longest it may take to count something over all of a run."""

_MOST_KNOWN = 500
"""Counts kept; a few kB each."""

T = TypeVar("T")
State = tuple[tuple[str, int], ...]


class LiveRun:
    """One run folder, asked by one request at a time.

    Args:
        run: the folder.
        seconds: after which a question is interrupted; `QUESTION_SECONDS`, if not given.

    Raises:
        RunFolderError: there is no run in it.
    """

    def __init__(self, run: Path, seconds: float | None = None) -> None:
        read_manifest(run)
        self.run = run
        self._seconds = QUESTION_SECONDS if seconds is None else seconds
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._state: State = ()
        self._opened = 0.0
        self._idle: threading.Timer | None = None
        self.asker = Asker(run, CONDITION_SECONDS)
        """Of whom conditions are asked that somebody wrote, while the store is open."""

    @property
    def name(self) -> str:
        """What pages call it."""
        return self.run.resolve().name

    def state(self) -> State:
        """The journal's files and their sizes: while it is the same, so is the run."""
        return tuple((p.name, p.stat().st_size) for p in sorted((self.run / "journal").glob("*.jsonl")))

    @contextmanager
    def open(self, seconds_old: float = FRESH_SECONDS) -> Iterator[Store]:
        """The store, not older than that where the run has grown; a question that takes too long is interrupted."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            state = self.state()
            if self._store is not None and state != self._state and time.monotonic() - self._opened > seconds_old:
                self.release()
            if self._store is None:
                self._store = open_store(self.run)
                self._state, self._opened = state, time.monotonic()
            alarm = threading.Timer(self._seconds, self._store.interrupt)
            alarm.daemon = True
            alarm.start()
            try:
                yield self._store
            finally:
                alarm.cancel()
                self._idle = threading.Timer(IDLE_SECONDS, self.release)
                self._idle.daemon = True
                self._idle.start()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody asks meanwhile, the files are let go, and what is asked afterwards is new."""
        with self._lock:
            self.release()
            yield

    def release(self) -> None:
        """Close the files until somebody asks again."""
        with self._lock:
            self.asker.end()
            if self._store is not None:
                self._store.close()
                self._store = None

    def close(self) -> None:
        """The end, also of what is being asked."""
        while not self._lock.acquire(timeout=0.05):
            self.asker.end()
            if (store := self._store) is not None:
                store.interrupt()
        try:
            if self._idle is not None:
                self._idle.cancel()
            self.release()
        finally:
            self._lock.release()


class Counts:
    """What takes a while, over all of a run: asked of a store of its own, so that lists need not wait, and kept as long as
    the run does not change.

    Args:
        run: the folder.
    """

    def __init__(self, run: Path) -> None:
        self._run = LiveRun(run, COUNT_SECONDS)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[State, object]] = {}

    def of(self, name: str, count: Callable[[Store], T]) -> T:
        """What `count` gives; if it is known under this name, without asking."""
        with self._lock:
            state = self._run.state()
            known = self._known.get(name)
            if known is None or known[0] != state:
                with self._run.open(0) as store:
                    known = (state, count(store))
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[name] = known
        return known[1]  # type: ignore[return-value]  # of a name it is always of this type

    @property
    def asker(self) -> Asker:
        """Of whom conditions are asked, in what is counted."""
        return self._run.asker

    def close(self) -> None:
        """The end."""
        self._run.close()

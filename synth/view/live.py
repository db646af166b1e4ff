"""A run held open for pages: opened again when the journal has grown, let go when nobody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth.store.database import Store, open_store
from synth.store.run_folder import read_manifest

__all__ = ["LiveRun"]

FRESH_SECONDS = 1.0
"""How old what is shown of a run at work may be."""
IDLE_SECONDS = 5.0
"""After which the files are let go, so that a run at work can fold its journal."""
QUESTION_SECONDS = 20.0
"""Longest any one request may ask the store."""


class LiveRun:
    """One run folder, asked by one request at a time.

    Args:
        run: the folder.

    Raises:
        RunFolderError: there is no run in it.
    """

    def __init__(self, run: Path) -> None:
        read_manifest(run)
        self.run = run
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._state: tuple[tuple[str, int], ...] = ()
        self._opened = 0.0
        self._idle: threading.Timer | None = None

    @property
    def name(self) -> str:
        """What pages call it."""
        return self.run.resolve().name

    def _journal(self) -> tuple[tuple[str, int], ...]:
        return tuple((p.name, p.stat().st_size) for p in sorted((self.run / "journal").glob("*.jsonl")))

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The store, not older than `FRESH_SECONDS`; a question that takes too long is interrupted."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            state = self._journal()
            if self._store is not None and state != self._state and time.monotonic() - self._opened > FRESH_SECONDS:
                self.let_go()
            if self._store is None:
                self._store = open_store(self.run)
                self._state, self._opened = state, time.monotonic()
            alarm = threading.Timer(QUESTION_SECONDS, self._store.interrupt)
            alarm.daemon = True
            alarm.start()
            try:
                yield self._store
            finally:
                alarm.cancel()
                self._idle = threading.Timer(IDLE_SECONDS, self.let_go)
                self._idle.daemon = True
                self._idle.start()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody asks meanwhile, the files are let go, and what is asked afterwards is new."""
        with self._lock:
            self.let_go()
            yield

    def let_go(self) -> None:
        """Close the files until somebody asks again."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def close(self) -> None:
        """The end."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            self.let_go()

"""Garbage collection while runs go on: seldom, for it is a quarter of their time otherwise."""

from __future__ import annotations

import gc
import threading

__all__ = ["rare_garbage_collection"]


class _RareGarbageCollection:
    """Look for cycles among what is new, and seldom: to visit every unit in flight repeatedly is a quarter of
    the time of a run. Several runs may go on at once, in threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._usual = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if not self._runs:
                self._usual = gc.get_threshold()
                gc.freeze()
                gc.set_threshold(50_000, 20, 20)
            self._runs += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs:
                gc.set_threshold(*self._usual)
                gc.unfreeze()


rare_garbage_collection = _RareGarbageCollection()
"""To be entered by every run; the usual thresholds are set again when the last one leaves it."""

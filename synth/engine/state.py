"""Leaves what a run is doing in its folder, where `synth status` reads it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synth.engine.progress import Progress
from synth.errors import Stopped
from synth.redact import redact
from synth.store.state import write_state

__all__ = ["StateWriter"]

SECONDS = 2.0
"""Between two writes: each is synced, which may take some milliseconds, in a thread of its own."""


class StateWriter:
    """Writes `state.json` when the run begins, while it goes on, and how it ended. Never raises.

    Args:
        run: the run folder, held by this process.
        progress: the counts.
    """

    def __init__(self, run: Path, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self._last: dict[str, Any] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_along, daemon=True)
        self.stopped: Stopped | None = None
        """Why the run ended early, if it did."""

    def __enter__(self) -> Self:
        self._write(self._now())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        why = self.stopped or error
        last = {**self._now(), "activity": "finished" if why is None and kind is None else "stopped", "waiting": []}
        if kind is not None or why is not None:
            last["why"] = redact(str(why) if why is not None and str(why) else "interrupted")
        self._write({**last, "retrying": 0})

    def _write_along(self) -> None:
        while not self._ended.wait(SECONDS):
            self._write(self._now())

    def _write(self, now: dict[str, Any]) -> None:
        if now != self._last:
            write_state(self._run, **now, written=time.time())
            self._last = now

    def _now(self) -> dict[str, Any]:
        p, spent, calls = self._progress, self._progress.spent, self._progress.calls
        return {
            "started": p.began,
            "activity": p.activity,
            "phase": p.phase,
            "problems": p.total,
            "done": p.earlier + p.done,
            "until": p.until,
            "retrying": p.retrying,
            "waiting": [w.model_dump() for w in p.waiting],
            "session": {
                "problems": p.done,
                "calls": calls.sent if calls is not None else 0,
                "replayed": calls.replayed if calls is not None else 0,
                "failed": calls.failed if calls is not None else 0,
                "prompt_tokens": calls.prompt_tokens if calls is not None else 0,
                "completion_tokens": calls.completion_tokens if calls is not None else 0,
                "kept": p.kept,
                "cost_usd": spent.cost,
                "unpriced_calls": spent.unpriced,
            },
        }

"""A progress bar for runs from Python, in a terminal or a notebook."""

from __future__ import annotations

import sys
import threading
import warnings
from types import TracebackType
from typing import Any, Self

from synth.engine.progress import Progress

__all__ = ["Bar"]

SECONDS = 0.5
"""How often it is drawn."""


class Bar:
    """Shows the counts of a run as they grow: totals, and where no session came before also what this one alone knows.

    Args:
        progress: the counts.
        title: what is run.
        shown: whether at all; None: in a terminal and in a notebook.
    """

    def __init__(self, progress: Progress, title: str, shown: bool | None = None) -> None:
        self._progress = progress
        self._title = title
        self._shown = shown if shown is not None else sys.stderr.isatty() or "ipykernel" in sys.modules
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._shown:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a notebook without ipywidgets gets the bar of the terminal
                from tqdm.auto import tqdm

            self._bar = tqdm(total=0, desc=self._title, unit=" problems")
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._ended.set()
            self._thread.join()
            self._update()
            self._bar.close()

    def _draw(self) -> None:
        while not self._ended.wait(SECONDS):
            self._update()

    def _update(self) -> None:
        p = self._progress
        total = p.total_spent
        counts: dict[str, Any] = {} if p.resumed else {"kept": p.kept, "failed": p.calls.failed if p.calls else 0}
        counts |= {"calls": total.calls, "USD": round(total.cost, 4)}
        doing = "; ".join(p.waiting_lines) or p.doing
        self._bar.set_description_str(f"{self._title} ({doing})", refresh=False)
        self._bar.total, self._bar.initial = p.total, p.earlier
        self._bar.n = p.earlier + p.done
        self._bar.set_postfix({k: v for k, v in counts.items() if v or k == "kept"})

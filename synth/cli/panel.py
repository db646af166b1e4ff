"""The live panel; plain lines where there is no terminal; the closing summary."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from synth.cli.tables import funnel_table
from synth.engine import Progress, Session, Summary
from synth.engine.loop import run_to_end
from synth.errors import ModelError
from synth.redact import redact
from synth.render.inert import inert_lines
from synth.render.numbers import money, span

__all__ = ["Panel", "show"]

LINE_SECONDS = 10.0
"""How often a plain line is written where there is no terminal."""


class Panel:
    """Shows a run as it goes on, on standard error.

    Args:
        progress: the counts to show.
        title: what is run.
    """

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._notes: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True)
            self._live.__enter__()
        else:
            self._line(self._title)
            self._thread = threading.Thread(target=self._write_lines, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
        if self._thread is not None:
            self._thread.join()

    def note(self, text: str) -> None:
        """A line to show. Of many alike only the first few are shown."""
        text = inert_lines(redact(text))
        alike = text.split("(again in")[0]
        self._notes[alike] = self._notes.get(alike, 0) + 1
        if self._notes[alike] <= 3:
            self._console.print(Text(text), highlight=False)
        elif self._notes[alike] == 4:
            self._console.print(
                Text("… and more like it; synth sql RUN \"SELECT * FROM calls WHERE status <> 'ok'\""), highlight=False
            )

    def _line(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def _write_lines(self) -> None:
        while not self._ended.wait(LINE_SECONDS):
            for line in self.lines():
                self._line(inert_lines(redact(line)))

    def lines(self) -> list[str]:
        """What is going on. The first line is of this session; where there were earlier ones, a line has the totals."""
        p = self._progress
        calls, left, spent, total = p.calls, p.seconds_left(), p.spent, p.total_spent
        most = f"at most {p.total:,}" if p.until else f"{p.total:,}"
        here = f"{p.done:,} problems in this session" if p.resumed else f"{p.earlier + p.done:,} of {most} problems"
        parts = [f"{p.doing}: {here}"]
        if calls is not None:
            seconds = max(time.monotonic() - p.started, 0.001)
            parts.append(f"{calls.sent:,} calls ({calls.sent / seconds:.1f}/s)")
            if calls.replayed:
                parts.append(f"{calls.replayed:,} replayed")
            if calls.failed:
                parts.append(f"{calls.failed:,} failed")
            parts.append(f"{calls.prompt_tokens + calls.completion_tokens:,} tokens")
        if p.ledger is not None:
            parts.append(money(spent.cost, spent.unpriced))
        parts.append(f"{p.kept:,} rationales kept" + (" (before the corpus steps)" if p.before_corpus else ""))
        if p.until:
            parts.append(f"until {p.until} are kept in the end")
        if left is not None and left > 0:
            parts.append(f"{span(left)} left")
        lines = [", ".join(parts)]
        if p.resumed:
            lines.append(
                f"all sessions: {p.earlier + p.done:,} of {most} problems, {total.calls:,} calls, {total.tokens:,} tokens, "
                f"{money(total.cost, total.unpriced)}"
            )
        return [*lines, *p.waiting_lines]

    def _draw(self) -> RenderableType:
        p = self._progress
        bar = ProgressBar(total=max(p.total, 1), completed=p.earlier + p.done, width=None)
        steps = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("step", "taken", "made", "out", "failed"):
            steps.add_column(column, justify="left" if column == "step" else "right")
        for name, c in list(p.steps.items()):
            share = f"{c.rejected:,} ({c.rejected / c.taken:.0%})" if c.rejected and c.taken else ""
            steps.add_row(
                name, f"{c.taken:,}", f"{c.made:,}" if c.made else "", share, f"{c.failed:,}" if c.failed else ""
            )
        parts: list[RenderableType] = [*(Text(inert_lines(redact(line))) for line in self.lines()), bar]
        if p.steps:
            parts.append(steps)
        return Box(Group(*parts), title=Text(self._title), border_style="dim")

    def close_with(self, summary: Summary, formats: Sequence[str] = ()) -> None:
        """The closing summary: the funnel, the cost, and the next command to type.

        Args:
            summary: how the run ended.
            formats: formats that fit what was imported, the best first.
        """
        out = Console(stderr=True)
        p = summary.progress
        if summary.funnel:
            out.print(funnel_table(summary.funnel))
        if summary.invented:
            out.print(Text(inert_lines(summary.invented), style="bold yellow"))
        for note in summary.notes:
            out.print(Text(inert_lines(note)))
        if p.calls is not None:
            seconds = time.monotonic() - p.started
            failed = f", {p.calls.failed:,} of them failed" if p.calls.failed else ""
            asked = (
                f"{p.calls.sent:,} calls{failed}, {p.calls.replayed:,} replayed"
                if p.calls.sent or p.calls.replayed
                else "0 calls"
            )
            spent, total = p.spent, p.total_spent
            here = "this session: " if p.resumed else ""
            out.print(Text(f"{here}{asked}, {span(seconds)}, {money(spent.cost, spent.unpriced)}"))
            if p.resumed:
                out.print(Text(f"all sessions: {total.calls:,} calls, {money(total.cost, total.unpriced)}"))
        if summary.failures:
            causes = ", ".join(f"{n} {cause}" for cause, n in summary.failures.items())
            again = f"synth retry {quote(str(summary.run))}" + ("" if summary.retriable else " --all")
            out.print(Text(f"{sum(summary.failures.values())} failures: {causes}  (again: {again})"))
        if _all_failed(summary) and p.calls is not None:
            out.print(
                Text("not one call gave a reply that can be used: ", style="bold red") + Text(_why(p.calls.last_error))
            )
        if summary.stopped is not None:
            out.print(Text("stopped: ", style="bold yellow") + Text(inert_lines(str(summary.stopped))))
        if p.earlier and not p.done and summary.stopped is None and not summary.not_begun:
            out.print(Text("nothing left to do: this run is complete"))
        if not summary.stored:
            out.print(
                Text(
                    "another process reads corpus.duckdb: the newest rows are in the journal and are shown all the same"
                )
            )
        funnel = dict(summary.funnel)
        counted = {"dpo": "pairs", "sft": "kept"}
        to = next((c for c in (*formats, "sft") if c not in counted or funnel.get(counted[c], 0)), None)
        run = quote(str(summary.run))
        following = f"synth export {run} --to {to} --out data" if to else f"synth status {run}"
        out.print(Text("next: ", style="bold") + Text(following))


def show(session: Session, run: Path, *, formats: Sequence[str] = (), **options: Any) -> Summary:
    """Run a session with the panel, and report how it ended; ends the process where it stopped early."""
    progress = Progress()
    with Panel(progress, f"{session.pipeline.pipeline} → {run}") as panel:
        try:
            summary = run_to_end(session.go(run, progress=progress, on_note=panel.note, **options))
        except asyncio.CancelledError:  # interrupted twice: the calls in flight were not waited for
            raise KeyboardInterrupt from None
    panel.close_with(summary, formats)
    if summary.stopped is not None:
        sys.exit(summary.stopped.exit_code)
    if _all_failed(summary):
        sys.exit(2)
    return summary


def _all_failed(summary: Summary) -> bool:
    """Whether calls were made, and none of them nor of earlier sessions gave a reply that can be used."""
    calls = summary.progress.calls
    return calls is not None and calls.last_error is not None and not calls.ok and not calls.replayed


def _why(error: ModelError | None) -> str:
    return inert_lines(redact(str(error)))

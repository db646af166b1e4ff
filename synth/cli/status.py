"""`synth status`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from synth.cli.as_json import json_option, write_json
from synth.cli.options import run_argument
from synth.cli.run_status import ModelCount, ProcessState, Status, status_of

__all__ = ["command"]


@click.command("status", short_help="Where a run stands: funnel, rejections, failures, cost.")
@run_argument
@json_option
def command(run: Path, as_json: bool) -> None:
    """Where RUN stands: what is going on, the funnel, why records are rejected, what failed, and what it cost. Works while the run goes on.

    What the session now running (or the last one) did is in a line of its own; all else counts all sessions. The models' table gives
    calls (every attempt), prompt and completion tokens, US dollars (`?`: the price of some calls is not known) and the median latency of
    a call in seconds.

    \b
      synth status runs/first
      synth status runs/first --json
    """
    found = status_of(run)
    write_json(found) if as_json else _show(found)


_IN_WORDS = {
    "busy": "another command is at work on this folder",
    "killed": "not running: the last session was killed, or its machine went down",
    "unknown": "not running; how the last session ended is not noted",
    "finished": "not running: the last session finished",
    "stopped": "not running: the last session stopped early",
    "starting": "running: starting",
    "asking": "running: asking",
    "replaying": "running: replaying (all replies so far came from the ledger)",
    "waiting": "running: waiting",
    "corpus_steps": "running: corpus steps",
    "stopping": "running: stopping, waits for the calls in flight",
    "storing": "running: storing the results in DuckDB",
}


def _state_lines(state: ProcessState) -> list[str]:
    from synth.render.inert import inert
    from synth.render.numbers import span, time_words
    from synth.store.state import waiting_words

    words = _IN_WORDS.get(state.activity) or f"running: retrying {state.retrying:,} calls"
    now = time.time()
    if state.running and state.started is not None and state.activity != "busy":
        words += f"; for {span(max(0.0, now - state.started.timestamp()))}, process {state.process}"
    elif state.seen is not None:
        words += f" (seen last: {time_words(state.seen)})"
    lines = [words, *([f"why: {inert(state.why, 300)}"] if state.why else [])]
    for w in state.waiting:
        again = w.next_try.timestamp() if w.next_try is not None else None
        lines.append(inert(waiting_words(w.model, w.state, w.cause, w.since.timestamp(), again), 300))
    return lines


def _show(status: Status) -> None:
    from rich.text import Text

    from synth.cli.tables import funnel_table, output, table_of
    from synth.render.inert import inert
    from synth.render.numbers import money

    out = output()
    out.print(Text(inert(f"{status.pipeline}, input {status.input or '?'}")))
    for line in _state_lines(status.state):
        out.print(Text(line))
    if status.invented is not None:
        out.print(Text(inert(status.invented, 1000), style="bold yellow"))
    s, total = status.session, status.total
    if s is not None:
        which = "this session" if status.state.running and status.state.activity != "busy" else "last session"
        out.print(
            Text(
                f"{which}: {s.problems:,} problems, {s.calls:,} calls, {s.replayed:,} replayed, {s.failed:,} failed, "
                f"{s.prompt_tokens:,} prompt and {s.completion_tokens:,} completion tokens, {money(s.cost_usd, s.unpriced_calls)}"
            )
        )
    done = "" if status.done is None else f"{status.done:,} of {status.problems:,} problems, "
    out.print(
        Text(
            f"all sessions: {done}{total.calls:,} calls, {total.failed:,} failed, {total.prompt_tokens:,} prompt and "
            f"{total.completion_tokens:,} completion tokens, {money(total.cost_usd or 0.0, total.unpriced_calls)}"
        )
    )
    out.print(funnel_table([(f.stage, f.n) for f in status.funnel]))
    for title, rows in (
        (
            "rejected, by step and rule",
            [{"step": r.step, "rule": r.rule, "of": r.table, "n": r.n} for r in status.rejections],
        ),
        (
            "failures",
            [
                {"step": f.step, "cause": f.cause, "retriable": f.retriable, "n": f.n, "example": f.example}
                for f in status.failures
            ],
        ),
        ("models", [_model_row(t) for t in status.models]),
        ("replies with a response schema", [vars(shape) for shape in status.shapes]),
    ):
        if rows:
            out.print(Text(f"\n{title}", style="bold"))
            out.print(table_of(rows))


def _model_row(t: ModelCount) -> dict[str, Any]:
    usd = "" if t.cost_usd is None else f"{t.cost_usd:.4f}"
    return {
        "model": t.model,
        "model_id": t.model_id,
        "calls": t.calls,
        "failed": t.failed,
        "prompt tokens": t.prompt_tokens,
        "completion tokens": t.completion_tokens,
        "USD": f"{usd} ?" if t.unpriced_calls else usd,
        "latency p50": None if t.median_latency_s is None else round(t.median_latency_s, 2),
    }

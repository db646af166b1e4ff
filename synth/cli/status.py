"""`synth status`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synth.cli.as_json import json_option, write_json
from synth.cli.options import run_argument

if TYPE_CHECKING:
    from synth.store.database import Store
    from synth.store.state import State

__all__ = [
    "FailureCount",
    "ModelCount",
    "ProcessState",
    "RejectionCount",
    "SessionState",
    "ShapeCount",
    "Spending",
    "Stage",
    "Status",
    "WaitingFor",
    "command",
]


@dataclass(frozen=True)
class WaitingFor:
    """A model that calls wait for."""

    model: str
    """Its name."""
    state: str
    """Why: `circuit open` (it fails all calls), `backing off` (it refuses most of them) or `waiting for quota` (it said that none is
    left)."""
    cause: str | None
    """The status of the call that failed last: `rate_limit`, `server`, `connection`, …"""
    since: datetime
    """Since when."""
    next_try: datetime | None
    """When the next call leaves; null where it is in flight."""


@dataclass(frozen=True)
class ProcessState:
    """Whether a process is at work on the run folder, and what it does; else how the last session ended."""

    running: bool | None
    """Whether a process holds the run folder now; null where this system cannot say."""
    activity: str
    """While it runs: `starting`, `asking`, `replaying`, `retrying`, `waiting`, `corpus_steps`, `stopping`, `storing`, or `busy` (another
    command, such as curate). Else `finished`, `stopped`, `killed` (the session could not note its end) or `unknown` (none is noted)."""
    process: int | None
    """Number of the process of the session; null where none is noted."""
    started: datetime | None
    """When the session began."""
    seen: datetime | None
    """When it last noted what it does: every two seconds at most."""
    why: str | None
    """Why it stopped."""
    retrying: int
    """Calls that failed and are made again, now."""
    waiting: list[WaitingFor]
    """The models that calls wait for, now."""


@dataclass(frozen=True)
class SessionState:
    """What the running session has done, or the last one; nothing of earlier ones."""

    problems: int
    """Problems it finished."""
    calls: int
    """Calls it made, every attempt counted."""
    replayed: int
    """Replies it took from the ledger instead."""
    failed: int
    """Of the calls, those that gave no usable reply."""
    prompt_tokens: int
    """Of these calls."""
    completion_tokens: int
    """Of these calls."""
    kept: int
    """Rationales kept in its problems, before the corpus steps."""
    cost_usd: float
    """US dollars, as far as prices are known."""
    unpriced_calls: int
    """Calls a reply came for, and whose price is not known."""


@dataclass(frozen=True)
class Spending:
    """What all sessions have used, by the ledger."""

    calls: int
    """Calls, every attempt counted."""
    failed: int
    """Of these, those that did not end with `ok`."""
    prompt_tokens: int
    """As far as endpoints count them."""
    completion_tokens: int
    """As far as endpoints count them."""
    cost_usd: float | None
    """US dollars, as far as prices are known; null where none is."""
    unpriced_calls: int
    """Calls a reply came for, and whose price is not known."""


@dataclass(frozen=True)
class Stage:
    """A stage of the funnel."""

    stage: str
    """What is counted."""
    n: int
    """How many."""


@dataclass(frozen=True)
class RejectionCount:
    """Records that a step rejected."""

    step: str
    """The step."""
    rule: str
    """The rule it went by."""
    table: str
    """Table of the records."""
    n: int
    """How many."""


@dataclass(frozen=True)
class FailureCount:
    """Records that could not be made."""

    step: str
    """The step."""
    cause: str
    """Why, as a stable word."""
    retriable: bool
    """Whether asking again may succeed (`synth retry`)."""
    n: int
    """How many."""
    example: str
    """What one of them says."""


@dataclass(frozen=True)
class ModelCount:
    """What one model was asked in all sessions."""

    model: str
    """Name in the profile."""
    model_id: str
    """The model that was asked."""
    endpoint: str
    """Where it was asked."""
    calls: int
    """Calls, every attempt counted."""
    failed: int
    """Of these, those that did not end with `ok`."""
    prompt_tokens: int | None
    """As the endpoint counts them; null where it does not."""
    completion_tokens: int | None
    """As the endpoint counts them; null where it does not."""
    cost_usd: float | None
    """US dollars, as far as prices are known; null where none is."""
    unpriced_calls: int
    """Calls a reply came for, and whose price is not known."""
    median_latency_s: float | None
    """Seconds of a call, the median; of calls a reply came for."""


@dataclass(frozen=True)
class ShapeCount:
    """Replies that have a response schema."""

    model: str
    """Name in the profile."""
    step: str
    """The step that asked."""
    shape: str
    """The name of the response schema."""
    replies: int
    """First replies."""
    plain_json: int
    """Of these, those that are JSON and nothing else."""
    sent_back: int
    """Replies to a request to repair one."""
    unreadable: int
    """Replies that were never valid, and became a failure."""


@dataclass(frozen=True)
class Status:
    """Where a run stands."""

    run: str
    """The run folder."""
    pipeline: str
    """Name of the pipeline."""
    input: str | None
    """Where the problems come from; null where it is not noted."""
    invented: str | None
    """The warning that the scripted model wrote text of this run; null where it did not."""
    problems: int | None
    """Problems that the session works on, at most; null where no session is noted."""
    done: int | None
    """Of these, those that are done, in whichever session."""
    until: str | None
    """The yield at which the run ends, in words; null where it does all problems."""
    state: ProcessState
    """What is going on."""
    session: SessionState | None
    """This session, or the last one; null where none is noted."""
    total: Spending
    """All sessions."""
    funnel: list[Stage]
    """From problems to what is kept, all sessions."""
    rejections: list[RejectionCount]
    """Why records are rejected."""
    failures: list[FailureCount]
    """What could not be made."""
    models: list[ModelCount]
    """By model."""
    shapes: list[ShapeCount]
    """Replies that have a response schema, by step."""


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
    found = _status(run)
    write_json(found) if as_json else _show(found)


def _status(run: Path) -> Status:
    from synth.store.database import open_store
    from synth.store.invented import invented_in
    from synth.store.state import is_held, read_state

    held, state = is_held(run), read_state(run)
    with open_store(run) as store:
        manifest = store.manifest
        invented = invented_in(store)
        models = _found(store, ModelCount, _MODELS)
        return Status(
            run=str(run),
            pipeline=manifest.pipeline,
            input=manifest.source.name if manifest.source is not None else None,
            invented=invented.sentence if invented is not None else None,
            problems=state.problems if state is not None else None,
            done=state.done if state is not None else None,
            until=state.until if state is not None else None,
            state=_process(held, state),
            session=SessionState(**dict(state.session)) if state is not None else None,
            total=_total(models),
            funnel=_found(store, Stage, "SELECT stage, n FROM funnel ORDER BY position"),
            rejections=_found(store, RejectionCount, "SELECT step, rule, target_table, n FROM rejection_reasons"),
            failures=_found(store, FailureCount, _FAILURES),
            models=models,
            shapes=_found(store, ShapeCount, _SHAPES),
        )


_FAILURES = """SELECT step, cause, retriable, count(*) AS n, any_value(message) FROM failures GROUP BY ALL
ORDER BY n DESC, step, cause, retriable"""
_MODELS = """SELECT model, model_id, endpoint, attempts, failed, prompt_tokens, completion_tokens, cost_usd, unpriced, median_latency_s
FROM models"""
_SHAPES = (
    """SELECT model, step, shape, replies, plain_json, sent_back, unreadable FROM reply_shapes WHERE step <> 'probe'"""
)


def _found(store: Store, kind: Any, query: str) -> list[Any]:
    return [kind(*row) for row in store.sql(query).fetchall()]


def _total(models: list[ModelCount]) -> Spending:
    known = [t.cost_usd for t in models if t.cost_usd is not None]
    return Spending(
        calls=sum(t.calls for t in models),
        failed=sum(t.failed for t in models),
        prompt_tokens=sum(t.prompt_tokens or 0 for t in models),
        completion_tokens=sum(t.completion_tokens or 0 for t in models),
        cost_usd=sum(known) if known else None,
        unpriced_calls=sum(t.unpriced_calls for t in models),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _process(held: bool | None, state: State | None) -> ProcessState:
    """What a process does, from whether one holds the folder and from what the last session noted."""
    if state is None:
        return ProcessState(held, "busy" if held else "unknown", None, None, None, None, 0, [])
    live = not state.ended and held is not False
    if state.ended:
        activity: str = "busy" if held else state.activity
    else:
        activity = state.activity if live else "killed"
    waiting = [
        WaitingFor(w.model, w.state, w.cause, datetime.fromtimestamp(w.since, UTC), _moment(w.next_try))
        for w in state.waiting
    ]
    return ProcessState(
        running=held,
        activity=activity,
        process=state.process,
        started=_moment(state.started),
        seen=_moment(state.written),
        why=state.why if not live else None,
        retrying=state.retrying if live else 0,
        waiting=waiting if live else [],
    )


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

"""Where a run stands, as `synth status --json` gives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    "process_state",
    "status_of",
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


def status_of(run: Path) -> Status:
    """Where a run stands; it may go on meanwhile.

    Raises:
        RunFolderError: there is no run in this folder.
    """
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
            state=process_state(held, state),
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


def process_state(held: bool | None, state: State | None) -> ProcessState:
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

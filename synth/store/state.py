"""`state.json`: what the process at work on a run folder is doing, and how the last session ended.

It is for `synth status` alone: nothing is resumed from it, and a run is the same without it. The run folder may come from
somebody else, so that it is read as a `Note`: typed, bounded, and never through a link out of the folder.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field

from synth.errors import UserError
from synth.files import write_file
from synth.locks import is_locked
from synth.notes import Note, read_note
from synth.reach import inside

__all__ = [
    "STATE",
    "Activity",
    "SessionCounts",
    "State",
    "WaitingNote",
    "is_held",
    "read_state",
    "waiting_words",
    "write_state",
]

STATE = "state.json"
"""Its name in a run folder."""
_FORMAT = 1

Activity = Literal[
    "starting",
    "asking",
    "replaying",
    "retrying",
    "waiting",
    "corpus_steps",
    "stopping",
    "storing",
    "finished",
    "stopped",
]
"""What a session is doing. `asking`: calls are made; `replaying`: all replies so far came from the ledger; `retrying`: calls that
failed are made again; `waiting`: for an endpoint; `stopping`: for calls in flight; `storing`: the results in DuckDB. `finished` and
`stopped` are how it ended."""


_Moment = Annotated[float, Field(ge=0, le=253_402_300_799)]
"""Seconds since the epoch, up to the year 9999."""


class WaitingNote(Note):
    """A model that calls wait for."""

    model: str
    state: str
    """`circuit open`, `backing off` or `waiting for quota`; see `synth.calls.limits`."""
    cause: str | None = None
    """The status of the call that failed last."""
    since: _Moment
    next_try: _Moment | None = None
    """When the next call leaves; None where it is in flight."""


def waiting_words(model: str, state: str, cause: str | None, since: float, next_try: float | None) -> str:
    """A `WaitingNote` as a line of text."""
    why = f"{state}, {cause}" if cause else state
    then = f"next try in {max(0.0, next_try - time.time()):,.0f} s" if next_try is not None else "trying now"
    return f"waiting for {model} ({why}) since {datetime.fromtimestamp(since, UTC):%H:%M:%S}Z, {then}"


class SessionCounts(Note):
    """What one session has done."""

    problems: int
    calls: int
    replayed: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    kept: int
    """Rationales, before the corpus steps."""
    cost_usd: float
    """US dollars, as far as prices are known."""
    unpriced_calls: int
    """Calls that a reply came for, and whose price is not known."""


class State(Note):
    """All of it."""

    format: int
    process: int
    started: _Moment
    written: _Moment
    activity: Activity
    phase: str
    """The activity in words."""
    problems: int
    """Of the run; at most, where it ends at a yield."""
    done: int
    """Of these, those done in all sessions."""
    until: str | None = None
    retrying: int = 0
    waiting: Annotated[list[WaitingNote], Field(default_factory=list, max_length=100)]
    session: SessionCounts
    why: str | None = None
    """Why it stopped."""

    @property
    def ended(self) -> bool:
        """Whether the session came to an end that it could note."""
        return self.activity in {"finished", "stopped"}


def write_state(run: Path, **words: object) -> None:
    """Replace what the folder says. A disk that takes no file is reported by what matters, not by this."""
    content = orjson.dumps({"format": _FORMAT, "process": os.getpid(), **words}, option=orjson.OPT_INDENT_2)
    with suppress(OSError):
        write_file(run / STATE, content + b"\n", private=True)


def read_state(run: Path) -> State | None:
    """What the folder says; None where it says nothing that can be read."""
    try:
        return read_note(run / STATE, State, _FORMAT, fix="remove it")
    except (UserError, OSError):
        return None


def is_held(run: Path) -> bool | None:
    """Whether a process holds the run folder now; None where this system cannot say.

    It asks for a shared lock and lets it go at once; `hold` waits long enough not to be refused for that.
    """
    try:
        return is_locked(inside(run, ".lock"))
    except UserError:
        return False

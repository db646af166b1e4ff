"""What a run has done so far, for the panel, the bar and `synth status`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from synth.calls import CallCounts, Ledger, Waiting
from synth.store.state import Activity, WaitingNote, waiting_words

__all__ = ["Progress", "Spent", "StepCounts"]


class Spent(NamedTuple):
    """What calls have used."""

    calls: int = 0
    tokens: int = 0
    """Prompt and completion tokens."""
    cost: float = 0.0
    """US dollars, as far as prices are known."""
    unpriced: int = 0
    """Calls that a reply came for, and whose price is not known."""


@dataclass
class StepCounts:
    """What a step has done."""

    taken: int = 0
    made: int = 0
    rejected: int = 0
    failed: int = 0


@dataclass
class Progress:
    """Counts that grow as a run goes on; the panel reads them."""

    total: int = 0
    """Units of this run; at most, where it ends at a yield."""
    until: str | None = None
    """The yield at which it ends, in words."""
    earlier: int = 0
    """Units that were done before this session."""
    done: int = 0
    """Units done in this session."""
    kept: int = 0
    """Rationales kept in the units done in this session, before the corpus steps."""
    before_corpus: bool = False
    """Whether corpus steps are still to look at what is kept."""
    steps: dict[str, StepCounts] = field(default_factory=dict)
    phase: str = "starting"
    """What is going on, in a word or two."""
    stage: Activity = "starting"
    """The same as a stable word; while calls are made, see `activity`."""
    waits: Callable[[], Mapping[str, Waiting]] = dict
    """Returns why no call leaves for a model, by its name; only those for which none does."""
    started: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.time)
    """The same moment in seconds since the epoch."""
    calls: CallCounts | None = None
    """Of this session."""
    ledger: Ledger | None = None
    """Of all sessions."""
    before: Spent = field(default_factory=Spent)
    """What earlier sessions used."""

    def enter(self, stage: Activity, phase: str) -> None:
        """Go on to another stage of the run."""
        self.stage, self.phase = stage, phase

    @property
    def waiting(self) -> list[WaitingNote]:
        """The models that calls wait for now."""
        now = time.time()
        return [
            WaitingNote(
                model=name,
                state=why.state,
                cause=why.cause,
                since=now - why.seconds,
                next_try=now + why.next_try if why.next_try else None,
            )
            for name, why in self.waits().items()
        ]

    @property
    def retrying(self) -> int:
        """Calls that have failed and are made again, now."""
        return self.calls.retrying if self.calls is not None else 0

    @property
    def activity(self) -> Activity:
        """What the session is doing."""
        if self.stage != "asking":
            return self.stage
        if self.waits():
            return "waiting"
        if self.retrying:
            return "retrying"
        return "replaying" if self.calls is not None and self.calls.replayed and not self.calls.sent else "asking"

    @property
    def doing(self) -> str:
        """The same in words."""
        activity = self.activity
        if activity == "retrying":
            return f"retrying {self.retrying:,} calls"
        return activity if activity in {"replaying", "waiting"} else self.phase

    @property
    def waiting_lines(self) -> list[str]:
        """What calls wait for, a line for each model."""
        return [waiting_words(w.model, w.state, w.cause, w.since, w.next_try) for w in self.waiting]

    @property
    def resumed(self) -> bool:
        """Whether earlier sessions have done something: totals are not those of this session then."""
        return self.earlier > 0 or self.before.calls > 0

    @property
    def total_spent(self) -> Spent:
        """What all sessions used."""
        ledger = self.ledger
        return Spent() if ledger is None else Spent(ledger.calls, ledger.tokens, ledger.cost, ledger.unpriced)

    @property
    def spent(self) -> Spent:
        """What this session used."""
        total, before = self.total_spent, self.before
        return Spent(
            total.calls - before.calls,
            total.tokens - before.tokens,
            total.cost - before.cost,
            total.unpriced - before.unpriced,
        )

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None before the first unit is done, while an endpoint is waited for, and where the
        run ends at a yield.
        """
        if not self.done or self.until is not None or self.waits():
            return None
        left = self.total - self.earlier - self.done
        return (time.monotonic() - self.started) / self.done * left

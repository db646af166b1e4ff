"""What a run has done so far, for whoever looks on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from synth.teachers import CallCounts, Ledger

__all__ = ["Progress", "StepCounts"]


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
    """Units of this run."""
    earlier: int = 0
    """Units that were done before this session."""
    done: int = 0
    """Units done in this session."""
    kept: int = 0
    """Rationales kept in the units done in this session."""
    steps: dict[str, StepCounts] = field(default_factory=dict)
    phase: str = "starting"
    """What is going on, in a word or two."""
    started: float = field(default_factory=time.monotonic)
    calls: CallCounts | None = None
    ledger: Ledger | None = None

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None before the first unit is done."""
        if not self.done:
            return None
        left = self.total - self.earlier - self.done
        return (time.monotonic() - self.started) / self.done * left

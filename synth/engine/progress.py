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
    started: float = field(default_factory=time.monotonic)
    calls: CallCounts | None = None
    ledger: Ledger | None = None

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None before the first unit is done, and where the run ends at a yield."""
        if not self.done or self.until is not None:
            return None
        left = self.total - self.earlier - self.done
        return (time.monotonic() - self.started) / self.done * left

"""The budget: how much may be asked and paid in one run folder, over all its sessions."""

from __future__ import annotations

from dataclasses import dataclass

from synth.errors import Stopped
from synth.teachers.ledger import Ledger

__all__ = ["Budget"]


@dataclass
class Budget:
    """Limits on a run folder, None for none. Counts every attempt, also failed ones and those of earlier sessions."""

    max_calls: int | None = None
    """Attempts that may reach the wire."""
    max_cost: float | None = None
    """US dollars. Calls of unknown price cannot be counted; the summary says how many there were."""
    max_tokens: int | None = None
    """Tokens read and written, as endpoints count them."""
    in_flight: int = 0
    """Attempts that have left and not come back; each is taken to come to as much as the largest so far."""

    def reserve(self, ledger: Ledger) -> None:
        """Count one attempt about to leave.

        Raises:
            Stopped: it would go over a limit.
        """
        leaving = self.in_flight + 1
        if self.max_calls is not None and ledger.calls + leaving > self.max_calls:
            raise _spent(f"the limit of {self.max_calls:,} calls is reached", "--max-calls")
        if self.max_cost is not None and ledger.cost + leaving * ledger.dearest > self.max_cost:
            raise _spent(f"the limit of {self.max_cost:.2f} USD is reached ({ledger.cost:.4f} spent)", "--max-cost")
        if self.max_tokens is not None and ledger.tokens + leaving * ledger.longest > self.max_tokens:
            what = f"the limit of {self.max_tokens:,} tokens is reached ({ledger.tokens:,} used)"
            raise _spent(what, "--max-tokens")
        self.in_flight += 1

    def release(self) -> None:
        """An attempt has come back."""
        self.in_flight -= 1


def _spent(what: str, option: str) -> Stopped:
    return Stopped(what, remedy=f"raise {option} and give the same command again: nothing paid is paid twice")

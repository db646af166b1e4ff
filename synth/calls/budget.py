"""The budget: how much may be asked and paid in one run folder, over all its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from synth.calls.ledger import LETTERS, Ledger, letters_of
from synth.errors import SetupError, Stopped
from synth.models.base import Model
from synth.models.request import Request

__all__ = ["Budget", "Reserve", "expected"]

REPLY_TOKENS = 500
"""What a reply is taken to have before a first one has come, where no `max_tokens` bounds it: our choice."""


class Reserve(NamedTuple):
    """What is set aside for one call in flight."""

    cost: float = 0.0
    tokens: float = 0.0


_NOTHING = Reserve()


def expected(ledger: Ledger, model: Model, request: Request) -> tuple[float, float]:
    """Tokens a call will read and write: the mean of those this model has answered; before the first, an estimate."""
    usage = ledger.usage.get(model.name)
    if usage is not None:
        return usage.read / usage.replies, usage.written / usage.replies
    given = model.wire_parameters(request)
    most = given.get("max_tokens") or given.get("max_completion_tokens")
    return letters_of(request.messages) / LETTERS, float(most) if isinstance(most, (int, float)) else REPLY_TOKENS


@dataclass
class Budget:
    """Limits on a run folder, None for none. Counts every attempt, also failed ones and those of earlier sessions.

    For each call in flight the mean of its model's calls is set aside. What does not fit beside that waits for one to
    return; what would not fit with nothing in flight ends the run. Tokens that an endpoint does not count are
    guessed from the letters.
    """

    max_calls: int | None = None
    """Attempts that may be sent."""
    max_cost: float | None = None
    """US dollars; needs the price of every model."""
    max_tokens: int | None = None
    """Tokens read and written, as endpoints count them."""
    in_flight: int = 0
    """Attempts that have left and not come back."""
    _cost: float = field(default=0.0, repr=False)
    _tokens: float = field(default=0.0, repr=False)
    _models: dict[str, Model] = field(default_factory=dict, repr=False)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list, repr=False)

    def check(self, models: Iterable[Model]) -> None:
        """Find out what would make a limit none, before anything is asked.

        Raises:
            SetupError: a limit on cost, and a model without a price.
        """
        self._models = {t.name: t for t in models}
        unknown = sorted(name for name, t in self._models.items() if t.price is None)
        if self.max_cost is not None and unknown:
            raise SetupError(
                f"--max-cost cannot be kept: the price of {', '.join(unknown)} is not known",
                fix="give it in the profile (price: {input: 0.4, output: 1.6}; 0 for a server of your own), "
                "or set a limit with --max-tokens or --max-calls",
            )

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return (self.max_calls, self.max_cost, self.max_tokens) != (None, None, None)

    async def reserve(self, ledger: Ledger, model: Model, request: Request) -> Reserve:
        """Count one attempt about to leave; wait where it does not fit beside those in flight.

        Raises:
            Stopped: it would go over a limit.
        """
        if not self.limited:
            self.in_flight += 1
            return _NOTHING
        while True:
            if self.max_calls is not None and ledger.calls + self.in_flight >= self.max_calls:
                raise _spent(f"the limit of {self.max_calls:,} calls is reached", "--max-calls")
            self._models.setdefault(model.name, model)
            read, written = expected(ledger, model, request)
            cost = model.price.of(read, written) if model.price is not None else 0.0
            reserve = Reserve(cost or 0.0, read + written)
            reached = self._reached(ledger, model, reserve)
            if reached is None:
                break
            if not self.in_flight:
                raise reached
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.in_flight += 1
        self._cost += reserve.cost
        self._tokens += reserve.tokens
        return reserve

    def release(self, reserve: Reserve) -> None:
        """An attempt has come back, and is on record."""
        self.in_flight -= 1
        self._cost -= reserve.cost
        self._tokens -= reserve.tokens
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)

    def _reached(self, ledger: Ledger, model: Model, more: Reserve) -> Stopped | None:
        """Why one more does not fit."""
        if not self.in_flight and model.name not in ledger.usage:
            more = _NOTHING  # what a call takes is not known: one finds out
        reserved = Reserve(self._cost, self._tokens) if self.in_flight else _NOTHING  # without what rounding has left
        if self.max_cost is not None:
            spent = ledger.cost + self._unpriced(ledger)
            if spent + reserved.cost + more.cost > self.max_cost or spent >= self.max_cost > 0:
                what = f"the limit of {self.max_cost:.2f} USD is reached ({spent:.4f} spent)"
                return _spent(what, "--max-cost")
        if self.max_tokens is not None:
            used = sum(u.read + u.written for u in ledger.usage.values())
            if used + reserved.tokens + more.tokens > self.max_tokens or used >= self.max_tokens:
                return _spent(f"the limit of {self.max_tokens:,} tokens is reached ({used:,} used)", "--max-tokens")
        return None

    def _unpriced(self, ledger: Ledger) -> float:
        """US dollars that calls of unknown price have come to, by the prices of today."""
        total = 0.0
        for name, usage in ledger.usage.items():
            model = self._models.get(name)
            if model is not None and model.price is not None:
                total += model.price.of(usage.unpriced_read, usage.unpriced_written) or 0.0
        return total


def _spent(what: str, option: str) -> Stopped:
    return Stopped(what, fix=f"raise {option} and give the same command again: nothing paid is paid twice")

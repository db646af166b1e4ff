"""How models are called: replay from the ledger, retries, limits, budget."""

from synth.calls.budget import Budget
from synth.calls.caller import CallCounts, Caller
from synth.calls.ledger import Ledger
from synth.calls.limits import Waiting
from synth.calls.stages import next_stage

__all__ = ["Budget", "CallCounts", "Caller", "Ledger", "Waiting", "next_stage"]

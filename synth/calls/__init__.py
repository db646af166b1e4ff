"""How models are called: replay from the ledger, retries, limits, budget. And how programs are run: replay, else a sandbox."""

from synth.calls.budget import Budget
from synth.calls.caller import CallCounts, Caller
from synth.calls.executions import Executions, Purpose
from synth.calls.ledger import Ledger
from synth.calls.limits import Waiting
from synth.calls.stages import next_stage

__all__ = ["Budget", "CallCounts", "Caller", "Executions", "Ledger", "Purpose", "Waiting", "next_stage"]

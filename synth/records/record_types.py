"""The record types. Frozen; steps only ever add records, they never change one.

A record's `id` is the hash of what determines it, so running the same thing again gives the same ids.
Times and prices live in the ledger (`Call`, `Execution`) alone: everything else is equal between two equal runs.
"""

from __future__ import annotations

from synth.records.judgements import Critique, Failure, Pair, Rejection, Score
from synth.records.ledger import Call, Execution
from synth.records.problem import Problem
from synth.records.record import Record
from synth.records.solutions import Node, Rationale

__all__ = ["RECORD_TYPES"]

RECORD_TYPES: tuple[type[Record], ...] = (
    Problem,
    Rationale,
    Node,
    Score,
    Critique,
    Pair,
    Rejection,
    Failure,
    Call,
    Execution,
)

"""The record types; this package imports nothing else of ours."""

from synth.records.identity import canonical_json, content_id
from synth.records.models import (
    RECORD_TYPES,
    AnswerKind,
    Author,
    Call,
    CallStatus,
    Critique,
    Failure,
    Media,
    Node,
    Pair,
    Problem,
    Rationale,
    Record,
    Rejection,
    Score,
    UnitRecord,
)

__all__ = [
    "RECORD_TYPES",
    "AnswerKind",
    "Author",
    "Call",
    "CallStatus",
    "Critique",
    "Failure",
    "Media",
    "Node",
    "Pair",
    "Problem",
    "Rationale",
    "Record",
    "Rejection",
    "Score",
    "UnitRecord",
    "canonical_json",
    "content_id",
]

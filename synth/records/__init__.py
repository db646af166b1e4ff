"""The record types; this package imports nothing else of ours."""

from synth.records.derive import InUnit, derive
from synth.records.identity import canonical_json, content_id
from synth.records.kept import is_kept
from synth.records.kinds import COMPARE, FORMS, AnswerKind
from synth.records.models import (
    RECORD_TYPES,
    Author,
    Call,
    CallStatus,
    Constraint,
    Critique,
    Failure,
    Media,
    Node,
    Pair,
    Part,
    Problem,
    Rationale,
    Record,
    Rejection,
    Reward,
    Score,
    ThoughtKind,
    UnitRecord,
    record_fields,
)
from synth.records.parts import solution_of, spans_of

__all__ = [
    "COMPARE",
    "FORMS",
    "RECORD_TYPES",
    "AnswerKind",
    "Author",
    "Call",
    "CallStatus",
    "Constraint",
    "Critique",
    "Failure",
    "InUnit",
    "Media",
    "Node",
    "Pair",
    "Part",
    "Problem",
    "Rationale",
    "Record",
    "Rejection",
    "Reward",
    "Score",
    "ThoughtKind",
    "UnitRecord",
    "canonical_json",
    "content_id",
    "derive",
    "is_kept",
    "record_fields",
    "solution_of",
    "spans_of",
]

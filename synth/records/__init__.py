"""The record types; this package imports nothing else of ours."""

from synth.records.derive import InUnit, derive
from synth.records.identity import canonical_json, content_id
from synth.records.judgements import Critique, Failure, Pair, Part, Rejection, Score
from synth.records.kept import is_kept
from synth.records.kinds import COMPARE, FORMS, AnswerKind
from synth.records.ledger import Call, CallStatus, Execution, ExecutionStatus
from synth.records.parts import solution_of, spans_of
from synth.records.problem import Constraint, Media, Problem, Reward
from synth.records.program_tests import Test
from synth.records.record import Record, UnitRecord, record_fields
from synth.records.record_types import RECORD_TYPES
from synth.records.solutions import Author, Node, Rationale, ThoughtKind

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
    "Execution",
    "ExecutionStatus",
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
    "Test",
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

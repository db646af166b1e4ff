"""Checkers of answers. Pure: no model, no network; nothing a model wrote is ever evaluated as code.

An answer is first read out of a reply (`find_answer`), then compared with the gold one (`compare_answers`). The
measured agreement with published labels is printed by `benchmarks/verify_agreement.py`.
"""

from synth.verify.arithmetic import Claim, arithmetic_claims
from synth.verify.clusters import answer_clusters
from synth.verify.compare import compare_answers, verify_answer
from synth.verify.extract import FoundAnswer, extract_answer, find_answer
from synth.verify.kinds import KINDS, Kind, infer_kind, kind_of
from synth.verify.programs import FoundProgram, continued, find_program, same_output, same_value
from synth.verify.quotes import find_quote, quotes_in
from synth.verify.statement import answer_sentence, state_answer
from synth.verify.step_checkers import StepChecker, all_step_checkers, quote_claims, trace_claims
from synth.verify.text import token_f1
from synth.verify.verdict import Label, Verdict
from synth.verify.verifiers import (
    ANSWER,
    CONSTRAINTS,
    Verifier,
    all_verifiers,
    as_verdict,
    verifies,
    verify_by_answer,
    verify_by_constraints,
)

__all__ = [
    "ANSWER",
    "CONSTRAINTS",
    "KINDS",
    "Claim",
    "FoundAnswer",
    "FoundProgram",
    "Kind",
    "Label",
    "StepChecker",
    "Verdict",
    "Verifier",
    "all_step_checkers",
    "all_verifiers",
    "answer_clusters",
    "answer_sentence",
    "arithmetic_claims",
    "as_verdict",
    "compare_answers",
    "continued",
    "extract_answer",
    "find_answer",
    "find_program",
    "find_quote",
    "infer_kind",
    "kind_of",
    "quote_claims",
    "quotes_in",
    "same_output",
    "same_value",
    "state_answer",
    "token_f1",
    "trace_claims",
    "verifies",
    "verify_answer",
    "verify_by_answer",
    "verify_by_constraints",
]

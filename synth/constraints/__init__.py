"""Constraints that a reply has to comply with: a catalogue with checkers, conflicts between them, and texts that comply by construction.

Pure: no model, no network. The ids are those of IFEval (arXiv:2311.07911) where a constraint is one of its 25.
"""

from synth.constraints.catalogue import BUILT_IN, all_constraints, kind_of, misfit, named
from synth.constraints.check import Share, check_constraints, check_rationale, judge_of, share_of
from synth.constraints.compose import Composition, draw_constraints, question_with, sentence_of
from synth.constraints.composed import CONDITIONS, Chain, Judged, Selection
from synth.constraints.conflicts import Conflict, conflicts, why_unfit
from synth.constraints.draft import Draft
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Seed
from synth.constraints.published import ifeval_constraints, reasonif_constraints
from synth.constraints.satisfy import satisfying_text

__all__ = [
    "BUILT_IN",
    "CONDITIONS",
    "Chain",
    "Claims",
    "Composition",
    "Conflict",
    "ConstraintKind",
    "Draft",
    "Finding",
    "Judged",
    "Phrase",
    "Seed",
    "Selection",
    "Share",
    "all_constraints",
    "check_constraints",
    "check_rationale",
    "conflicts",
    "draw_constraints",
    "ifeval_constraints",
    "judge_of",
    "kind_of",
    "misfit",
    "named",
    "question_with",
    "reasonif_constraints",
    "satisfying_text",
    "sentence_of",
    "share_of",
    "why_unfit",
]

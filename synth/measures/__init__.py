"""Measures of a corpus and of those who judge it: plain functions over sequences, each with the definition it follows.

Where a measure is not defined (nothing to measure, no variation) it is None, never a number that looks like a result.
"""

from synth.measures.agreement import (
    area_under_curve,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    quadratic_weighted_kappa,
)
from synth.measures.best_of_n import best_of_n, pass_at_n, vote_of_n
from synth.measures.calibration import ReliabilityBin, brier_score, expected_calibration_error, reliability
from synth.measures.confidence import TokenConfidence, token_confidence, token_divergence
from synth.measures.diversity import compression_ratio, distinct_n, embedding_spread, vendi_score
from synth.measures.faithfulness import Faithfulness, comprehensiveness, faithfulness, sufficiency
from synth.measures.first_error import NO_ERROR, FirstError, first_error, first_wrong_step
from synth.measures.outcome import Purity, purity, trace_error, wilson
from synth.measures.plausibility import Overlap, average_precision, iou_overlap, macro, micro, token_overlap

__all__ = [
    "NO_ERROR",
    "Faithfulness",
    "FirstError",
    "Overlap",
    "Purity",
    "ReliabilityBin",
    "TokenConfidence",
    "area_under_curve",
    "average_precision",
    "best_of_n",
    "brier_score",
    "cohen_kappa",
    "comprehensiveness",
    "compression_ratio",
    "distinct_n",
    "embedding_spread",
    "expected_calibration_error",
    "faithfulness",
    "first_error",
    "first_wrong_step",
    "fleiss_kappa",
    "iou_overlap",
    "krippendorff_alpha",
    "macro",
    "micro",
    "pass_at_n",
    "purity",
    "quadratic_weighted_kappa",
    "reliability",
    "sufficiency",
    "token_confidence",
    "token_divergence",
    "token_overlap",
    "trace_error",
    "vendi_score",
    "vote_of_n",
    "wilson",
]

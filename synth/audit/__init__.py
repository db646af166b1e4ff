"""Looking a run over: how reviewers judge and agree, and what is odd in what was kept."""

from synth.audit.agreement import area_under_curve, cohen_kappa, krippendorff_alpha, quadratic_weighted_kappa
from synth.audit.look import Section, leniency, look_over

__all__ = [
    "Section",
    "area_under_curve",
    "cohen_kappa",
    "krippendorff_alpha",
    "leniency",
    "look_over",
    "quadratic_weighted_kappa",
]

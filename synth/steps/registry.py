"""All steps by name: ours, and those other packages register under the entry point `synth.steps`."""

from __future__ import annotations

from functools import cache

from synth.plugins import plugins, wrong_step
from synth.steps.ask import Ask
from synth.steps.check_steps import CheckSteps
from synth.steps.constrain import Constrain
from synth.steps.contamination import Contamination
from synth.steps.continue_from import Continue
from synth.steps.critique import Critique
from synth.steps.deduplicate import Deduplicate
from synth.steps.derive import Derive
from synth.steps.filter import Filter
from synth.steps.generate import Generate
from synth.steps.mask import Mask
from synth.steps.medoid_score import MedoidScore
from synth.steps.pair import Pair
from synth.steps.pass_rate import PassRate
from synth.steps.path_to_rationale import PathToRationale
from synth.steps.prefixes import Prefixes
from synth.steps.reference import Reference
from synth.steps.review import Review
from synth.steps.revise import Revise
from synth.steps.rollout import Rollout
from synth.steps.score import Score
from synth.steps.search import Search
from synth.steps.segment import Segment
from synth.steps.segment_by_model import SegmentByModel
from synth.steps.select import Select
from synth.steps.step import Step
from synth.steps.step_labels import StepLabels
from synth.steps.text_stats import TextStats
from synth.steps.token_confidence import TokenConfidence
from synth.steps.verify_answer import VerifyAnswer
from synth.steps.verify_constraints import VerifyConstraints
from synth.steps.vote import Vote

__all__ = ["BUILT_IN", "all_steps"]

BUILT_IN: tuple[type[Step], ...] = (
    Generate,
    Continue,
    Rollout,
    Reference,
    Constrain,
    Prefixes,
    Ask,
    Derive,
    Mask,
    Critique,
    Revise,
    Review,
    Search,
    PathToRationale,
    Segment,
    SegmentByModel,
    TextStats,
    TokenConfidence,
    Contamination,
    VerifyAnswer,
    VerifyConstraints,
    CheckSteps,
    Vote,
    MedoidScore,
    Score,
    StepLabels,
    PassRate,
    Pair,
    Filter,
    Deduplicate,
    Select,
)


@cache
def all_steps() -> dict[str, type[Step]]:
    """Every step class by its name."""
    steps = {kind.model_fields["step"].default: kind for kind in BUILT_IN}
    return {**steps, **plugins("synth.steps", steps, wrong_step(Step))}

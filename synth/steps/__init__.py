"""The steps pipelines are made of; one file each."""

from synth.steps.registry import BUILT_IN, all_steps
from synth.steps.sight import UNIT_VARIABLES, names_of
from synth.steps.step import ModelStep, Step
from synth.steps.unit import Unit

__all__ = ["BUILT_IN", "UNIT_VARIABLES", "ModelStep", "Step", "Unit", "all_steps", "names_of"]

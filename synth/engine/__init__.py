"""The engine: runs units concurrently, commits each as a whole, and goes on where it was stopped."""

from synth.engine.progress import Progress, StepCounts
from synth.engine.run import Summary, run_pipeline

__all__ = ["Progress", "StepCounts", "Summary", "run_pipeline"]

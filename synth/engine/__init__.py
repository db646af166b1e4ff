"""The engine: runs units concurrently, commits each as a whole, and resumes where it was stopped."""

from synth.engine.again import Failed, corpus_is_due, failed_in
from synth.engine.corpus import add_by_hand, adopt, by_hand, take_off
from synth.engine.forget import forget
from synth.engine.from_python import run
from synth.engine.progress import Progress, StepCounts
from synth.engine.reopen import reopen
from synth.engine.rounds import Round, Trained, train, walk_rounds
from synth.engine.run import run_pipeline
from synth.engine.session import Session, open_session
from synth.engine.summary import Summary
from synth.engine.target import Target

__all__ = [
    "Failed",
    "Progress",
    "Round",
    "Session",
    "StepCounts",
    "Summary",
    "Target",
    "Trained",
    "add_by_hand",
    "adopt",
    "by_hand",
    "corpus_is_due",
    "failed_in",
    "forget",
    "open_session",
    "reopen",
    "run",
    "run_pipeline",
    "take_off",
    "train",
    "walk_rounds",
]

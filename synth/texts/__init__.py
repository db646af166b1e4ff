"""What can be seen of a text alone: its language, repetitions, refusals, leaks, personal data, thoughts. Pure: no model, no network."""

from synth.texts.control import control_tokens, half_tags
from synth.texts.language import language_of
from synth.texts.leaks import announces_answer, longest_shared_run
from synth.texts.personal_data import PersonalData, personal_data
from synth.texts.phrases import boilerplate, refusal
from synth.texts.repetition import repeated_share
from synth.texts.thoughts import Split, split_thought

__all__ = [
    "PersonalData",
    "Split",
    "announces_answer",
    "boilerplate",
    "control_tokens",
    "half_tags",
    "language_of",
    "longest_shared_run",
    "personal_data",
    "refusal",
    "repeated_share",
    "split_thought",
]

"""What can be seen of a text alone: language, words and sentences, repetitions, refusals, leaks, personal data, thoughts. Pure: no model, no network."""

from synth.texts.control import control_tokens, half_tags
from synth.texts.counts import ABBREVIATION, Count, count_sentences, count_words, words_of
from synth.texts.language import language_of
from synth.texts.leaks import announces_answer, longest_shared_run
from synth.texts.personal_data import PersonalData, personal_data
from synth.texts.phrases import boilerplate, refusal
from synth.texts.repetition import repeated_share
from synth.texts.thoughts import Split, split_thought

__all__ = [
    "ABBREVIATION",
    "Count",
    "PersonalData",
    "Split",
    "announces_answer",
    "boilerplate",
    "control_tokens",
    "count_sentences",
    "count_words",
    "half_tags",
    "language_of",
    "longest_shared_run",
    "personal_data",
    "refusal",
    "repeated_share",
    "split_thought",
    "words_of",
]

"""Corpus steps: they run over the store, after the units."""

from synth.corpus.duplicates import NearDuplicates
from synth.corpus.step import CorpusRecord, CorpusStep, CorpusView, Target, scores_read
from synth.corpus.steps import CORPUS_STEPS, all_corpus_steps

__all__ = [
    "CORPUS_STEPS",
    "CorpusRecord",
    "CorpusStep",
    "CorpusView",
    "NearDuplicates",
    "Target",
    "all_corpus_steps",
    "scores_read",
]

"""Corpus steps: they run over the store, after the units."""

from synth.corpus.step import CorpusRecord, CorpusStep, CorpusView
from synth.corpus.steps import CORPUS_STEPS, NearDuplicates

__all__ = ["CORPUS_STEPS", "CorpusRecord", "CorpusStep", "CorpusView", "NearDuplicates"]

"""The corpus steps pipelines can name."""

from __future__ import annotations

from synth.corpus.choose import Band, Cap, Diverse
from synth.corpus.cot_share import CotShare
from synth.corpus.decontaminate import Decontaminate
from synth.corpus.duplicates import NearDuplicates
from synth.corpus.mix import Mix
from synth.corpus.split import Split
from synth.corpus.step import CorpusStep

__all__ = ["CORPUS_STEPS"]

CORPUS_STEPS: tuple[type[CorpusStep], ...] = (NearDuplicates, Decontaminate, Band, Cap, Diverse, Mix, CotShare, Split)

"""The corpus steps pipelines can name."""

from __future__ import annotations

from synth.corpus.choose import FilterRange, LimitPerGroup, SelectDiverse
from synth.corpus.cot_share import CotShare
from synth.corpus.decontaminate import Decontaminate
from synth.corpus.duplicates import NearDuplicates
from synth.corpus.rebalance import Rebalance
from synth.corpus.split import Split
from synth.corpus.step import CorpusStep

__all__ = ["CORPUS_STEPS"]

CORPUS_STEPS: tuple[type[CorpusStep], ...] = (
    NearDuplicates,
    Decontaminate,
    FilterRange,
    LimitPerGroup,
    SelectDiverse,
    Rebalance,
    CotShare,
    Split,
)

"""All corpus steps by name: ours, and those that other packages register under the entry point `synth.corpus_steps`."""

from __future__ import annotations

from functools import cache

from synth.corpus.choose import FilterRange, LimitPerGroup, SelectDiverse
from synth.corpus.cot_share import CotShare
from synth.corpus.decontaminate import Decontaminate
from synth.corpus.duplicates import NearDuplicates
from synth.corpus.rebalance import Rebalance
from synth.corpus.split import Split
from synth.corpus.step import CorpusStep
from synth.plugins import plugins, wrong_step

__all__ = ["CORPUS_STEPS", "all_corpus_steps"]

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


@cache
def all_corpus_steps() -> dict[str, type[CorpusStep]]:
    """Every corpus step class by its name."""
    steps = {kind.model_fields["step"].default: kind for kind in CORPUS_STEPS}
    return {**steps, **plugins("synth.corpus_steps", steps, wrong_step(CorpusStep))}

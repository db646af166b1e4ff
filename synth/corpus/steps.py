"""The corpus steps pipelines can name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synth.corpus.near_duplicates import near_duplicates
from synth.corpus.step import CorpusStep, CorpusView
from synth.records import Rejection

__all__ = ["CORPUS_STEPS", "NearDuplicates"]

_TABLES = {"problem": "problems", "rationale": "rationales"}


class NearDuplicates(CorpusStep):
    """Put out questions or rationales that nearly repeat another of the whole corpus; the rejection names it.

    MinHash with banding finds candidates, exact Jaccard similarity of word shingles decides. Of a cluster the record
    with the smallest id stays, so that the outcome does not depend on the order of the run.
    """

    step: Literal["near_duplicates"] = "near_duplicates"
    target: Literal["problem", "rationale"] = "rationale"
    """What is compared: questions (with their context), or the text of rationales."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Jaccard similarity from which on two count as near-duplicates."""
    shingle: Annotated[int, Field(ge=1)] = 5
    """Words in a shingle."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """Hash functions of the sketch."""
    engine: Literal["numpy", "datasketch"] = "numpy"
    """Which implementation finds the candidates."""

    def run(self, view: CorpusView) -> list[Rejection]:
        records = view.kept(_TABLES[self.target])
        found = near_duplicates(
            [r.text for r in records],
            threshold=self.threshold,
            shingle=self.shingle,
            permutations=self.permutations,
            engine=self.engine,
        )
        rule = f"near-duplicate, Jaccard >= {self.threshold:g}"
        return [
            Rejection.make(
                unit=records[d.item].unit,
                step=self.name,
                because=[self.version, records[d.item].id, rule],
                target=records[d.item].id,
                target_table=records[d.item].table,
                rule=rule,
                observed={"duplicate_of": records[d.keeper].id, "similarity": round(d.similarity, 4)},
            )
            for d in found
        ]


CORPUS_STEPS: tuple[type[CorpusStep], ...] = (NearDuplicates,)

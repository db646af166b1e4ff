"""`deduplicate`: no two rationales of one problem that say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.corpus.near_duplicates import near_duplicates
from synth.records import Rationale, Rejection, UnitRecord
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Deduplicate"]


class Deduplicate(Step):
    """Reject rationales that (nearly) repeat an earlier one of the same problem; the rejection names it and the similarity."""

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rejection,)

    step: Literal["deduplicate"] = "deduplicate"
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Jaccard similarity of word shingles from which on two count as the same; 1: the same words in the same order."""
    shingle: Annotated[int, Field(ge=1)] = 5
    """Words in a shingle."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        found = near_duplicates([r.reasoning for r in records], threshold=self.threshold, shingle=self.shingle)
        return [
            self.reject(
                records[d.item],
                f"near-duplicate, Jaccard >= {self.threshold:g}",
                {"duplicate_of": records[d.keeper].id, "similarity": round(d.similarity, 4)},
            )
            for d in found
        ]

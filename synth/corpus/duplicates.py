"""`near_duplicates`: no two records that say nearly the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from synth.corpus.index import SketchIndex
from synth.corpus.near_duplicates import near_duplicates
from synth.corpus.step import CorpusRecord, CorpusView, FileStep, Target
from synth.records import Rejection

__all__ = ["NearDuplicates"]


class NearDuplicates(FileStep):
    """Put out what nearly repeats another record of the whole corpus; the rejection names it and the similarity.

    MinHash with banding finds candidates, exact Jaccard similarity of word shingles decides; those that are alike, or
    tied by others, are a cluster, and one of each cluster stays.
    """

    step: Literal["near_duplicates"] = "near_duplicates"
    target: Target = "rationale"
    """What is compared."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Jaccard similarity from which on two count as near-duplicates; 1: the same words in the same order."""
    shingle: Annotated[int, Field(ge=1, le=64)] = 5
    """Words in a shingle."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """Hash functions of the sketch."""
    engine: Literal["numpy", "datasketch"] = "numpy"
    """Which implementation finds the candidates."""
    keep: str = "id"
    """Who of a cluster stays: `id` (the smallest: the same in whatever order records were made), `earliest` in the
    input, `longest`, or the name of a score, of which the highest stays; ties go to the smallest id."""
    index: str | None = None
    """Folder of an index (`synth index`): what resembles one of its texts is out too, by the similarity of sketches."""

    def files(self) -> Iterable[tuple[str, str]]:
        return [("index", self.index)] if self.index is not None else []

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with()
        if self.index is not None and self.path(self.index).exists():
            try:
                SketchIndex(self.path(self.index), shingle=self.shingle)
            except ValueError as error:
                yield "index", str(error), "give the shingle it was made with, or make another"

    def run(self, view: CorpusView) -> list[Rejection]:
        records, texts = view.kept(self.target), view.texts(self.target)
        rule = f"near-duplicate, Jaccard >= {self.threshold:g}"
        rejections: dict[int, Rejection] = {}
        if self.index is not None:
            index = SketchIndex(self.path(self.index), shingle=self.shingle)
            for item, other, similarity in index.alike(texts, self.threshold):
                observed = {"duplicate_of": other, "estimated": round(similarity, 4), "index": self.index}
                rejections[item] = self.reject(records[item], f"{rule}, of what is in the index", observed)
        found = near_duplicates(
            texts,
            # What the index puts out must not stay in the stead of another.
            priority=[float("-inf") if i in rejections else p for i, p in enumerate(self._priority(records, view))],
            threshold=self.threshold,
            shingle=self.shingle,
            permutations=self.permutations,
            engine=self.engine,
        )
        for d in found:
            observed = {"duplicate_of": records[d.keeper].id, "similarity": round(d.similarity, 4)}
            rejections.setdefault(d.item, self.reject(records[d.item], rule, observed))
        return [rejections[i] for i in sorted(rejections)]

    def _priority(self, records: Sequence[CorpusRecord], view: CorpusView) -> list[float]:
        if self.keep == "id":
            return [0.0] * len(records)
        if self.keep == "earliest":
            order = {i: rank for rank, i in enumerate(sorted(range(len(records)), key=lambda i: _place(records[i])))}
            return [-float(order[i]) for i in range(len(records))]
        values = view.values(self.target, "length" if self.keep == "longest" else self.keep)
        return [float("-inf") if v is None else v for v in values]


def _place(record: CorpusRecord) -> tuple[Any, ...]:
    """File and line, so that line 10 comes after line 9."""
    found = re.fullmatch(r"(.*?):(\d+)", record.source or "")
    return (found[1], int(found[2]), record.id) if found else (record.source or "", 0, record.id)

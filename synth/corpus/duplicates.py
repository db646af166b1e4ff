"""`near_duplicates`: no two records that say nearly the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from synth.corpus.index import ShingleIndex
from synth.corpus.meaning import near_duplicates_in_meaning
from synth.corpus.near_duplicates import Engine, NearDuplicate, near_duplicates
from synth.corpus.step import CorpusRecord, CorpusView, FileStep, Target
from synth.records import Rejection

__all__ = ["NearDuplicates"]


class NearDuplicates(FileStep):
    """Reject what nearly repeats another record of the whole corpus; the rejection names it and the similarity.

    By words: MinHash with banding finds candidates, exact Jaccard similarity of word shingles decides; those that are alike,
    or tied by others, are a cluster, and one of each cluster stays. By meaning: cosine of embeddings of a small static
    model; a record is rejected when it is like one that stays. Of 420 questions rephrased by a model 0.85 finds 60 %, and 2 of
    870,540 pairs of other questions; it hardly sees numbers, and other questions with the same story are alike to it.
    """

    version: ClassVar[int] = 3

    step: Literal["near_duplicates"] = "near_duplicates"
    target: Target = "rationale"
    """What is compared."""
    similarity: Literal["shingles", "embedding"] = "shingles"
    """How similarity is measured: by word shingles, or by embeddings (1 kB a record in memory; needs the extra `curate`)."""
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Similarity from which on two count as near-duplicates: of shingles Jaccard, 0.8 if not given, and 1 is the same
    words in the same order; of embeddings the cosine, 0.85 if not given."""
    shingle: Annotated[int, Field(ge=1, le=64)] = 5
    """Words in a shingle."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """Hash functions of the sketch."""
    engine: Engine = "auto"
    """What finds the candidates: passes by numpy, or compiled by numba (the extra `fast`), which find the very same; `auto`:
    whichever is faster. Or the library datasketch."""
    keep: str = "id"
    """Who of those that are alike stays: `id` (the smallest: the same in any order of the records), `earliest` in
    the input, `longest`, or the name of a score, of which the highest stays; ties go to the smallest id."""
    index: str | None = None
    """Folder of an index (`synth index`): what resembles one of its texts is rejected too."""

    def files(self) -> Iterable[tuple[str, str]]:
        return [("index", self.index)] if self.index is not None else []

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        missing = list(super().problems_with())
        yield from missing
        if self.similarity == "embedding":
            if find_spec("wordllama") is None:
                yield "similarity", "embedding needs what is not installed", "pip install 'synth-rationales[curate]'"
            for option in {"shingle", "permutations", "engine", "index"} & self.model_fields_set:
                yield (
                    option,
                    f"{option} is of shingles, and embeddings have none",
                    "leave it out, or similarity: shingles",
                )
        if self.engine == "numba" and find_spec("numba") is None:
            yield "engine", "numba is not installed", "pip install 'synth-rationales[fast]', or leave the engine out"
        if self.index is not None and not missing:
            try:
                ShingleIndex(self.path(self.index), shingle=self.shingle)
            except ValueError as error:
                yield "index", str(error), "give the shingle it was made with, or make another"

    def run(self, view: CorpusView) -> list[Rejection]:
        records, texts = view.kept(self.target), view.texts(self.target)
        priority = self._priority(records, view)
        if self.similarity == "embedding":
            least = 0.85 if self.threshold is None else self.threshold
            alike = near_duplicates_in_meaning(texts, priority=priority, threshold=least)
            return self._rejections(alike, records, f"near-duplicate in meaning, cosine >= {least:g}")
        least = 0.8 if self.threshold is None else self.threshold
        rule = f"near-duplicate, Jaccard >= {least:g}"
        by_index: dict[int, Rejection] = {}
        if self.index is not None:
            index = ShingleIndex(self.path(self.index), shingle=self.shingle, permutations=self.permutations)
            for item, other, similarity in index.alike(texts, least):
                observed = {"duplicate_of": other, "similarity": round(similarity, 4), "index": self.index}
                by_index[item] = self.reject(records[item], f"{rule}, of what is in the index", observed)
                priority[item] = float("-inf")  # it must not stay instead of another
        found = near_duplicates(
            texts,
            priority=priority,
            threshold=least,
            shingle=self.shingle,
            permutations=self.permutations,
            engine=self.engine,
        )
        return [*by_index.values(), *self._rejections([d for d in found if d.item not in by_index], records, rule)]

    def _rejections(
        self, found: Sequence[NearDuplicate], records: Sequence[CorpusRecord], rule: str
    ) -> list[Rejection]:
        return [
            self.reject(
                records[d.item], rule, {"duplicate_of": records[d.keeper].id, "similarity": round(d.similarity, 4)}
            )
            for d in found
        ]

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
    found = re.fullmatch(r"(.*?):(\d{1,18})", record.source or "")
    return (found[1], int(found[2]), record.id) if found else (record.source or "", 0, record.id)

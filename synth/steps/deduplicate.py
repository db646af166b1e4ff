"""`deduplicate`: no two rationales of one problem that say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.corpus.near_duplicates import near_duplicates
from synth.records import Rationale, Rejection, UnitRecord
from synth.steps.step import Step
from synth.steps.unit import Unit
from synth.verify import answer_clusters

__all__ = ["Deduplicate"]


class Deduplicate(Step):
    """Reject rationales that (nearly) repeat an earlier one of the same problem; the rejection names it and the similarity.

    Only rationales with the same answer repeat each other: the same reasoning may lead to two answers, one of them wrong. Answers
    that differ in writing alone are the same (`1/2`, `0.5`); rationales without an answer are compared with each other.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rejection,)
    version: ClassVar[int] = 2

    step: Literal["deduplicate"] = "deduplicate"
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Jaccard similarity of word shingles from which on two count as the same; 1: the same words in the same order."""
    shingle: Annotated[int, Field(ge=1)] = 5
    """Words in a shingle."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        return await asyncio.to_thread(self._repeated, records, unit)

    def _repeated(self, records: Sequence[Rationale], unit: Unit) -> list[Rejection]:
        made: list[Rejection] = []
        for alike in _with_one_answer(records, unit):
            found = near_duplicates([r.reasoning for r in alike], threshold=self.threshold, shingle=self.shingle)
            made += [
                self.reject(
                    alike[d.item],
                    f"near-duplicate, Jaccard >= {self.threshold:g}",
                    {"duplicate_of": alike[d.keeper].id, "similarity": round(d.similarity, 4)},
                )
                for d in found
            ]
        place = {record.id: i for i, record in enumerate(records)}
        return sorted(made, key=lambda rejection: place[rejection.target])


def _with_one_answer(records: Sequence[Rationale], unit: Unit) -> Iterator[list[Rationale]]:
    """Rationales by problem and answer, each in their order."""
    for id_ in dict.fromkeys(r.problem for r in records):
        of_problem = [r for r in records if r.problem == id_]
        problem = unit.problem_of(of_problem[0])
        answers = [r.answer for r in of_problem]
        clusters = answer_clusters(answers, kind=problem.compared_as, choices=problem.choices)
        by_answer: dict[int | None, list[Rationale]] = {}
        for record, cluster in zip(of_problem, clusters, strict=True):
            by_answer.setdefault(cluster, []).append(record)
        yield from by_answer.values()

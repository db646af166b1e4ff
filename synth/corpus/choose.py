"""`cap`, `band` and `diverse`: fewer records, and which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from synth.corpus.minhash import sketch
from synth.corpus.near_duplicates import chunks, in_threads
from synth.corpus.shingles import hash_shingles
from synth.corpus.step import CorpusRecord, CorpusStep, CorpusView, Target
from synth.records import Rejection, content_id

__all__ = ["Band", "Cap", "Diverse"]


class Cap(CorpusStep):
    """Keep at most so many records of each teacher, source, problem…: the best by a score, else at random."""

    step: Literal["cap"] = "cap"
    target: Target = "rationale"
    """What is counted."""
    per: Literal["teacher", "source", "step", "problem", "unit", "answer"] = "teacher"
    """What has a share each: who wrote it, the input file, the step that made it, its problem, the root of that, the gold
    answer."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """Records to keep of each."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Or: the most that one of them may have of all that is kept."""
    best: str | None = None
    """A score, or `length`, of which the highest stay; at random if not given."""
    seed: int = 0
    """Another seed chooses others."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if (self.at_most is None) == (self.share is None):
            yield "at_most", "either at_most or share is to be given", "at_most: 500, or share: 0.3"

    def run(self, view: CorpusView) -> list[Rejection]:
        records = view.kept(self.target)
        groups: dict[str, list[int]] = {}
        for i, record in enumerate(records):
            groups.setdefault(record.shared(self.per), []).append(i)
        most = self.at_most if self.at_most is not None else _most(self.share or 1.0, [len(g) for g in groups.values()])
        rank = _ranks(self, records, view)
        rule = f"at most {most} of each {self.per}"
        return [
            self.reject(records[i], rule, {self.per: name, "of": len(group), "best": self.best})
            for name, group in groups.items()
            for i in sorted(group, key=rank.__getitem__)[most:]
        ]


def _most(share: float, sizes: Sequence[int]) -> int:
    """The largest cap at which none of the groups has more than its share of what is left; 1 where there is none."""
    for cap in range(max(sizes, default=1), 1, -1):
        if min(cap, max(sizes)) <= share * sum(min(cap, n) for n in sizes):
            return cap
    return 1


def _ranks(step: Cap | Diverse, records: Sequence[CorpusRecord], view: CorpusView) -> list[tuple[Any, ...]]:
    """What to sort by, the best first."""
    values: Sequence[float | None] = [None] * len(records) if step.best is None else view.values(step.target, step.best)
    return [
        (value is None, -value if value is not None else 0.0, content_id([step.seed, record.id]))
        for value, record in zip(values, records, strict=True)
    ]


class Band(CorpusStep):
    """Keep records whose score lies in a band, ends included: such as problems that are neither too easy nor too hard.

    By default problems by `pass_rate`, the share of right ones among all their judged rationales, also of those that other
    steps have put out. What has no such score stays.
    """

    step: Literal["band"] = "band"
    target: Target = "problem"
    """What is looked at."""
    of: str = "pass_rate"
    """A score, `length` in characters, or `pass_rate` of problems."""
    lowest: float | None = None
    """The least it may be."""
    highest: float | None = None
    """The most it may be."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.lowest is None and self.highest is None:
            yield "lowest", "the band has no end", "give lowest, highest, or both"
        if self.lowest is not None and self.highest is not None and self.lowest > self.highest:
            yield "lowest", "lowest is above highest", "exchange them"

    def run(self, view: CorpusView) -> list[Rejection]:
        rejections = []
        for record, value in zip(view.kept(self.target), view.values(self.target, self.of), strict=True):
            if value is None:
                continue
            if self.lowest is not None and value < self.lowest:
                rejections.append(self.reject(record, f"{self.of} below {self.lowest:g}", round(value, 4)))
            elif self.highest is not None and value > self.highest:
                rejections.append(self.reject(record, f"{self.of} above {self.highest:g}", round(value, 4)))
        return rejections


class Diverse(CorpusStep):
    """Keep so many records, good ones that are unlike each other.

    Greedy k-centre (Gonzalez 1985, within twice the best covering radius): the record that is farthest from all chosen so
    far is next, distance being 1 minus the estimated Jaccard similarity of word shingles. With `quality` above 0 the rank
    by `best`, brought to between 0 and 1, weighs as much beside the distance. Takes `keep` passes over all sketches.
    """

    step: Literal["diverse"] = "diverse"
    target: Target = "rationale"
    """What is chosen from."""
    keep: Annotated[int, Field(ge=1)]
    """Records to keep."""
    best: str | None = None
    """A score, or `length`, that says how good a record is; at random if not given."""
    quality: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of that beside the distance: 0 looks at the distance alone, 1 at the score alone."""
    shingle: Annotated[int, Field(ge=1, le=64)] = 2
    """Words in a shingle."""
    seed: int = 0
    """Another seed begins elsewhere."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.quality and self.best is None:
            yield "quality", "quality weighs a score, and none is named", "best: NAME"

    def run(self, view: CorpusView) -> list[Rejection]:
        import numpy as np

        records = view.kept(self.target)
        if len(records) <= self.keep:
            return []
        ranks = _ranks(self, records, view)
        order = sorted(range(len(records)), key=ranks.__getitem__)
        goodness = np.zeros(len(records))
        goodness[order] = np.linspace(1.0, 0.0, len(records))
        parts = in_threads(
            lambda some: sketch(hash_shingles(some, self.shingle), 128, 1), chunks(view.texts(self.target))
        )
        sketches = np.ascontiguousarray(np.concatenate(list(parts), axis=1).T)
        nearest, distance = np.zeros(len(records), dtype=np.int64), np.full(len(records), np.inf)
        free = np.ones(len(records), dtype=bool)
        chosen = order[0]
        for _ in range(self.keep):
            free[chosen] = False
            far = 1.0 - (sketches == sketches[chosen]).mean(axis=1)
            closer = far < distance
            distance[closer], nearest[closer] = far[closer], chosen
            worth = np.where(free, (1 - self.quality) * distance + self.quality * goodness, -np.inf)
            chosen = int(np.lexsort((goodness, worth))[-1]) if self.quality < 1 else int(np.argmax(worth))
        rule = f"not among the {self.keep} chosen"
        return [
            self.reject(
                records[i],
                rule,
                {"nearest": records[int(nearest[i])].id, "distance": round(float(distance[i]), 4), "best": self.best},
            )
            for i in np.flatnonzero(free).tolist()
        ]

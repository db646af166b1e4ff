"""`split`: which part of the corpus a problem belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.corpus.near_duplicates import clusters, near_duplicate_pairs
from synth.corpus.step import FIELDS, NONE, CorpusStep, CorpusView, expression_mistakes, kinds_of
from synth.records import Score, content_id

__all__ = ["Split"]

_OF = 2**64


class Split(CorpusStep):
    """Assign problems to splits, with all that is derived from them; `synth export` then writes a file for each.

    Problems that are near-duplicates go to the same split, through however many others; and so do all of one unit. A
    split is drawn by the hash of the smallest id of such a family: the same in every run with the same seed, and the same
    when rows are added, unless these tie two families together.
    """

    version: ClassVar[int] = 2
    once: ClassVar[bool] = True
    gives_scores: ClassVar[tuple[str, ...]] = ("split",)

    step: Literal["split"] = "split"
    shares: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=2)] = Field(
        {"train": 0.9, "validation": 0.05, "test": 0.05}
    )
    """What part of the problems goes where; brought to a sum of 1, and met as far as chance allows."""
    threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.7
    """Jaccard similarity of questions (shingles of 3 words) from which on two belong together; null: only by unit."""
    together: str | None = None
    """An expression: problems for which it has the same value belong together, such as the twins of a generated problem:
    `problem.meta.get("twin_of", problem.meta.item)`. Where it has no value it ties nothing."""
    seed: int = 0
    """Another seed draws others."""

    def sources(self) -> Iterable[tuple[str, str]]:
        yield from [("together", self.together)] if self.together is not None else []

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.together is not None:
            yield from expression_mistakes("together", self.together, FIELDS)
        for name in self.shares:
            if not name.replace("_", "").isalnum():
                yield (
                    "shares",
                    f"{name!r} is not a name for a split",
                    "take letters, digits and _: it becomes a file's name",
                )

    def run(self, view: CorpusView) -> list[Score]:
        records = view.kept("problem")
        units = sorted({r.unit for r in records})
        place = {unit: i for i, unit in enumerate(units)}
        ties: list[tuple[int, int]] = []
        if self.threshold is not None:
            found = near_duplicate_pairs(view.texts("problem"), threshold=self.threshold, shingle=3)
            ties = [(place[records[i].unit], place[records[j].unit]) for i, j, _ in found]
        if self.together is not None:
            first: dict[str, int] = {}
            for record, kind in zip(records, kinds_of(view, "problem", self.together, self), strict=True):
                if kind != NONE:
                    ties.append((first.setdefault(kind, place[record.unit]), place[record.unit]))
        return [self._assigned(unit, units[head]) for unit, head in zip(units, clusters(len(units), ties), strict=True)]

    def _assigned(self, unit: str, family: str) -> Score:
        whole, drawn = sum(self.shares.values()), int(content_id([self.seed, family])[3:19], 16) / _OF
        for name, share in self.shares.items():
            chosen = name
            drawn -= share / whole
            if drawn < 0:
                break
        return self.derive(
            Score,
            [unit],
            unit=unit,
            target=unit,
            name="split",
            label=chosen,
            judge=f"split/{self.version}",
            reason=f"family of {family}" if family != unit else None,
        )

"""`pair`: preferences between rationales of one problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Pair as PairRecord
from synth.records import Rationale, UnitRecord
from synth.steps.step import Flow, Step
from synth.steps.unit import Unit

__all__ = ["Pair"]


class Pair(Step):
    """Prefer rationales with the higher score over others of the same problem.

    Put it before the filter that removes the losers. With a 0/1 score such as `correct` this is preference by outcome
    (arXiv:2410.16198). No pair has sides of equal text, no two pairs of a problem have the same two texts, and each
    rationale is used about equally often.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (PairRecord,)

    step: Literal["pair"] = "pair"
    score: str = "correct"
    """The score that decides."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """The chosen side's score must be higher by more than this."""
    limit: Annotated[int, Field(ge=1)] = 3
    """Most pairs for each problem."""
    match: Literal["order", "length"] = "length"
    """Which pairs come first: the earliest, or those whose sides are of the most similar length (against length bias)."""

    def flow(self, _teachers: int) -> Flow:
        return Flow(calls=0, records=1)

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in records):
            made += self._pairs([r for r in records if r.problem == problem], unit)
        return made

    def _pairs(self, rationales: Sequence[Rationale], unit: Unit) -> list[PairRecord]:
        values: dict[str, float] = {}
        for r in rationales:
            score = unit.score(r, self.score)
            if score is not None and score.value is not None:
                values[r.id] = score.value
        scored = [r for r in rationales if r.id in values and r.text.strip()]
        possible = [
            (a, b)
            for a, b in product(scored, scored)
            if values[a.id] - values[b.id] > self.margin and _whole(a) != _whole(b)
        ]
        if self.match == "length":
            possible.sort(key=lambda ab: abs(len(ab[0].text) - len(ab[1].text)))  # stable
        used: dict[str, int] = {}
        seen: set[tuple[tuple[str, str | None], tuple[str, str | None]]] = set()
        made: list[PairRecord] = []
        while possible and len(made) < self.limit:
            a, b = min(possible, key=lambda ab: used.get(ab[0].id, 0) + used.get(ab[1].id, 0))
            possible.remove((a, b))
            texts = (_whole(a), _whole(b))
            if texts in seen:
                continue
            seen.add(texts)
            used[a.id], used[b.id] = used.get(a.id, 0) + 1, used.get(b.id, 0) + 1
            made.append(self._pair(a, b, values[a.id] - values[b.id]))
        return made

    def _pair(self, chosen: Rationale, rejected: Rationale, margin: float) -> PairRecord:
        return PairRecord.make(
            unit=chosen.unit,
            step=self.name,
            because=[self.version, chosen.id, rejected.id],
            problem=chosen.problem,
            chosen=chosen.id,
            rejected=rejected.id,
            reason="correctness" if self.score == "correct" else f"score {self.score}",
            margin=margin,
            first_differing_step=_first_difference(chosen.steps, rejected.steps),
            length_difference=len(chosen.text) - len(rejected.text),
        )


def _whole(r: Rationale) -> tuple[str, str | None]:
    """What a reader sees of a rationale, without regard to white space."""
    return " ".join(r.text.split()), r.answer


def _first_difference(a: Sequence[str], b: Sequence[str]) -> int:
    same = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        same += 1
    return same

"""`cot_share`: which rows are learnt with their rationale, and which with the answer alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.corpus.step import CorpusStep, CorpusView, chance, expression_mistakes, numbers_of
from synth.errors import UserError
from synth.records import Score

__all__ = ["CotShare"]

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class CotShare(CorpusStep):
    """Schedule a share of rows with their rationale, the others with the answer alone, so that a model learns to do both.

    A row at place x of the training stream, from 0 to 1, keeps its rationale with probability
    `min(share * x ** power + lowest, highest)`: with `power` 0 the same throughout, else few at first and more later; over
    the whole stream `share / (1 + power)` where nothing is cut off. The draw, and the place unless it is given, are by hash of `seed`
    and id, so rows that are added leave the others as they are. `synth export --to sft` writes the rows in the order of the schedule, and
    the trainer must not shuffle them. Source: arXiv:2512.05318 (there scale, alpha, p0, p1).
    """

    once: ClassVar[bool] = True
    gives_scores: ClassVar[tuple[str, ...]] = ("cot_share",)

    step: Literal["cot_share"] = "cot_share"
    share: _Share = 1.0
    """Probability of a rationale at the end of the stream; with `power` 0 anywhere."""
    power: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How late rationales come: 0 evenly, 1 in a straight line from none, more: ever later."""
    lowest: _Share = 0.0
    """Added to the probability: what it is at the beginning, where `power` is above 0."""
    highest: _Share = 1.0
    """What it is at most."""
    place: str | None = None
    """Where in the stream a row stands: a score, or an expression, from 0 to 1, such as `problem.meta.place` of `make:symbolic`; what it
    has no number for comes last. Drawn by hash if not given."""
    seed: int = 0
    """Another seed draws others."""

    def sources(self) -> Iterable[tuple[str, str]]:
        yield from [("place", self.place)] if self.place is not None else []

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.place is not None:
            yield from expression_mistakes("place", self.place)
        if self.lowest > self.highest:
            yield "lowest", "lowest is above highest", "exchange them"
        elif self.share == 1 and self.power == 0 and self.highest == 1:
            yield (
                "share",
                "every row would have its rationale",
                "share: 0.5, or power: 1 for few at first and more later",
            )

    def run(self, view: CorpusView) -> list[Score]:
        made = []
        records = view.kept("rationale")
        given = [None] * len(records) if self.place is None else numbers_of(view, "rationale", self.place, self)
        for record, at in zip(records, given, strict=True):
            place = chance([self.seed, "place", record.id]) if self.place is None else 1.0 if at is None else at
            if not 0 <= place <= 1:
                what = f"the place {self.place!r} of a row is {place:g}, not from 0 to 1"
                raise UserError(
                    what, where=f"corpus step {self.name}, {record.id}", fix="divide it by the greatest place"
                )
            probability = min(self.share * place**self.power + self.lowest, self.highest)
            label = "rationale" if chance([self.seed, "draw", record.id]) < probability else "answer"
            made.append(
                self.derive(
                    Score,
                    [record],
                    target=record.id,
                    name="cot_share",
                    value=probability,
                    label=label,
                    judge=f"cot_share/{self.version}",
                )
            )
        return made

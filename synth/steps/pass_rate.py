"""`pass_rate`: how many of the solutions of a problem reach its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from synth.records import Author, Problem, Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit

__all__ = ["PassRate"]


class PassRate(Step):
    """Score each problem by its rationales that are marked by the score `correct`.

    `pass_rate` is the share of them that are right, 0 where there are none: by it a problem is hard or easy.
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["pass_rate"] = "pass_rate"
    score: ScoreName = "correct"
    """The score that marks rationales."""
    over: str | tuple[str, ...] | None = None
    """The step, or steps, whose rationales count; those of all steps if not given."""
    author: Author | None = None
    """Whose rationales count, such as `student`; those of all authors if not given."""
    by: Literal["model"] | None = None
    """`model`: a score for each model, so that `judgements.pass_rate` lists them and `score.pass_rate` is their mean: a model that was asked
    more often has no more weight."""
    bands: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]] | None, Field(min_length=1)] = None
    """Bands of difficulty by their upper bounds, the hardest first, such as `{unsolved: 0, hard: 0.25, medium: 0.75, easy: 1}`: the label is the
    first band that the rate does not exceed."""
    rate: ScoreName = "pass_rate"
    """Name of the score that it makes."""

    names_steps: ClassVar[tuple[str, ...]] = ("of", "over")

    def named_by(self, option: str) -> type[UnitRecord]:
        return Rationale if option == "over" else super().named_by(option)

    def gives_scores(self) -> tuple[str, ...]:
        return (self.rate,)

    @field_validator("bands")
    @classmethod
    def _rise_to_one(cls, bands: dict[str, float] | None) -> dict[str, float] | None:
        bounds = list((bands or {"all": 1.0}).values())
        if bounds != sorted(set(bounds)) or bounds[-1] != 1:
            raise ValueError(
                "the bounds of bands rise to 1: the hardest band comes first, and the last one has the bound 1"
            )
        return bands

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        makers = (self.over,) if isinstance(self.over, str) else self.over
        made: list[UnitRecord] = []
        for problem in records:
            solutions = [
                r
                for r in unit.all(Rationale)
                if r.problem == problem.id
                and (makers is None or r.step in makers)
                and (self.author is None or r.author == self.author)
                and unit.score(r, self.score) is not None
            ]
            groups: dict[str | None, list[Rationale]] = {None: solutions}
            if self.by == "model":
                names = sorted({r.model or "" for r in solutions})
                groups = {name: [r for r in solutions if (r.model or "") == name] for name in names} or groups
            made += [self._score(problem, model, some, unit) for model, some in groups.items()]
        return made

    def _score(self, problem: Problem, model: str | None, solutions: Sequence[Rationale], unit: Unit) -> Score:
        right = sum(bool(s.value) for r in solutions if (s := unit.score(r, self.score)) is not None)
        value = right / len(solutions) if solutions else 0.0
        return self.derive(
            Score,
            [problem],
            key=None if model is None else [model],
            target=problem.id,
            name=self.rate,
            value=value,
            label=next((band for band, most in (self.bands or {}).items() if value <= most), None),
            judge="pass_rate/1" if model is None else f"pass_rate/1 {model}",
            reason=f"{right} of {len(solutions)}",
        )

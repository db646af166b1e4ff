"""`check_steps`: what the steps of a rationale claim, checked without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from synth.records import Critique, Part, Rationale, Score, UnitRecord
from synth.steps.make import part_key
from synth.steps.step import ScoreName
from synth.steps.subject import PartStep, Subject
from synth.steps.unit import Unit
from synth.verify import Claim, StepChecker, all_step_checkers

__all__ = ["CheckSteps"]

_LONG = 10_000
"""Characters from which on a rationale is checked in a thread, so that replies to other units do not wait for it."""


class CheckSteps(PartStep):
    """Score each step 1 (`right`), 0 (`wrong`) or null (`unknown`) by the claims that a program can check, and each rationale by their share.

    `with: arithmetic` recalculates equations (`3 + 4 = 7`, `<<3*4=12>>`, chains, fractions, percentages, units, LaTeX); `with: quotes` looks up
    quotations of three words or more in the context, question, choices and evidence of the problem; `with: trace` recalculates the steps of
    algorithms, of problems that `make:` made with one. A step is wrong where one of its claims is,
    right where at least one was decided and none is wrong, else unknown: most mistakes are none of arithmetic, so `right` says that the claims
    hold, not that the step does. How often each errs: benchmarks/README.md. Checkers by a rule of your own are `score` with
    `each: step of rationale`. Checked steps instead of judged ones: arXiv:2510.14942.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["check_steps"] = "check_steps"
    each: Literal["step of rationale"] = "step of rationale"
    """Over what it runs: the steps of rationales. `where` is looked at for each."""
    checkers: str | tuple[str, ...] = Field("arithmetic", alias="with")
    """What is checked: `arithmetic`, `quotes`, `trace`, or a list; packages can register more under the entry point `synth.step_checkers`."""
    score: ScoreName = "step_check"
    """Name of the score of each step."""
    share: ScoreName = "claims_hold"
    """Name of the score of the rationale: the share of its decided claims that hold, null where none was decided."""
    critique: bool = False
    """Whether the first wrong step of each rationale gets a critique, with the correction where there is one."""

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return (Score, Critique) if self.critique else (Score,)

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score, self.share)

    def described(self) -> dict[str, Any]:
        return super().described() | {"checkers": [_judge(checker) for checker in self._checkers()]}

    @field_validator("checkers")
    @classmethod
    def _are_known(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        names = (value,) if isinstance(value, str) else value
        known = ", ".join(sorted(all_step_checkers()))
        if not names:
            raise ValueError(f"a list without a checker of steps; there are {known}")
        for name in names:
            if name not in all_step_checkers():
                raise ValueError(f"there is no checker of steps {name!r}; there are {known}")
        return value

    @model_validator(mode="after")
    def _has_two_names(self) -> Self:
        if self.score == self.share:
            raise ValueError(f"score and share have one name, {self.share}")
        return self

    def _checkers(self) -> list[StepChecker]:
        names = (self.checkers,) if isinstance(self.checkers, str) else self.checkers
        return [all_step_checkers()[name] for name in dict.fromkeys(names)]

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for rationale in records:
            subjects = list(self.subjects([rationale], unit))
            if sum(map(len, rationale.steps)) > _LONG:
                made += await asyncio.to_thread(self._check, rationale, subjects)
            else:
                made += self._check(rationale, subjects)
        return made

    def _check(self, rationale: Rationale, subjects: Sequence[Subject]) -> list[UnitRecord]:
        checkers = self._checkers()
        made: list[UnitRecord] = []
        first_wrong: tuple[Part | None, StepChecker, Claim] | None = None
        claims: list[Claim] = []
        claiming = 0
        for subject in subjects:
            assert subject.part is not None
            assert subject.part.index is not None
            before = rationale.steps[: subject.part.index]
            found = [(k, c) for k in checkers for c in k.check(subject.text or "", subject.problem, before)]
            wrong = next(((k, c) for k, c in found if c.holds is False), None)
            if wrong is not None and first_wrong is None:
                first_wrong = (subject.part, *wrong)
            decided = [c for _, c in found if c.holds is not None]
            claiming += bool(decided)
            claims += decided
            made.append(self._score(rationale, subject.part, [c for _, c in found]))
        hold = sum(c.holds is True for c in claims)
        coverage = f"{claiming} of {_counted(len(subjects), 'step')} claim something that can be checked"
        made.append(
            self.derive(
                Score,
                [rationale],
                key=[self.share],
                target=rationale.id,
                name=self.share,
                value=hold / len(claims) if claims else None,
                judge=self._judges(),
                reason=f"{hold} of {_counted(len(claims), 'claim')} hold; {coverage}" if claims else coverage,
            )
        )
        if self.critique and first_wrong is not None:
            part, checker, claim = first_wrong
            made.append(
                self.derive(
                    Critique,
                    [rationale],
                    key=[part_key(part)],
                    target=rationale.id,
                    part=part,
                    mistake=checker.mistake,
                    explanation=claim.reason,
                    correction=claim.correction,
                    critic=_judge(checker),
                )
            )
        return made

    def _judges(self) -> str:
        return "+".join(_judge(checker) for checker in self._checkers())

    def _score(self, rationale: Rationale, part: Part, claims: Sequence[Claim]) -> Score:
        wrong = next((c for c in claims if c.holds is False), None)
        hold = sum(c.holds is True for c in claims)
        value, label, reason = None, "unknown", "nothing that can be checked"
        if wrong is not None:
            value, label, reason = 0.0, "wrong", wrong.reason
        elif hold:
            value, label, reason = 1.0, "right", f"{_counted(hold, 'claim')} {'holds' if hold == 1 else 'hold'}"
        elif claims:
            reason = f"not decided: {claims[0].reason}"
        return self.derive(
            Score,
            [rationale],
            key=[self.score, part_key(part)],
            target=rationale.id,
            part=part,
            name=self.score,
            value=value,
            label=label,
            judge=self._judges(),
            reason=reason,
        )


def _judge(checker: StepChecker) -> str:
    return f"{checker.name}/{checker.version}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"

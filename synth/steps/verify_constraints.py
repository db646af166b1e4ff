"""`verify_constraints`: does a rationale comply with the constraints of its problem?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from synth.constraints import Finding, all_constraints, check_rationale, judge_of, share_of
from synth.records import Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.unit import Unit

__all__ = ["VerifyConstraints"]


class VerifyConstraints(Step):
    """Score each rationale on every constraint of its problem, 1 or 0, by code: the name of a score is the id with `_` for `:`, such as
    `punctuation_no_comma`. Null where the checker cannot say (a language that cannot be detected; what only a judge decides).

    `constraints` is the share of those that have a value, `constraints_all` 1 where all are 1 and 0 where one is 0. A constraint on the
    reasoning looks at the thought, or of a reply without one at what the response says before its answer; where a provider hides or
    summarises the thought it is null.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)
    needs: ClassVar[frozenset[str]] = frozenset({"constraints"})

    step: Literal["verify_constraints"] = "verify_constraints"
    score: ScoreName = "constraints"
    """Name of the score that is the share; that of the score for all of them has `_all` at its end."""

    def gives_scores(self) -> tuple[str, ...]:
        return (self.score, f"{self.score}_all", *(id_.replace(":", "_") for id_ in all_constraints()))

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        found = await asyncio.to_thread(lambda: [check_rationale(unit.problem_of(r), r) for r in records])
        return [score for r, findings in zip(records, found, strict=True) for score in self._scores(r, findings, unit)]

    def _scores(self, rationale: Rationale, findings: Sequence[Finding], unit: Unit) -> Iterable[Score]:
        constraints = unit.problem_of(rationale).constraints
        for place, (one, finding) in enumerate(zip(constraints, findings, strict=True)):
            yield self.derive(
                Score,
                [rationale],
                key=place,
                target=rationale.id,
                name=one.id.replace(":", "_"),
                value=finding.value,
                label=finding.label,
                judge=judge_of(one),
                reason=finding.reason,
            )
        share = share_of(findings)
        label = "none" if not findings else f"{sum(f.label == 'right' for f in findings)} of {len(findings)}"
        for name, value in ((self.score, share.share), (f"{self.score}_all", share.all_right)):
            yield self.derive(
                Score,
                [rationale],
                target=rationale.id,
                name=name,
                value=None if value is None else float(value),
                label=label,
                judge=f"{self.step}/{self.version}",
            )

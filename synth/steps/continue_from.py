"""`continue`: models continue a rationale from one of its steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.errors import UserError
from synth.models import Model, Request
from synth.prompts import Expression
from synth.records import Rationale, UnitRecord
from synth.steps.continuing import Beginning, ContinuingStep
from synth.steps.make import Expr
from synth.steps.unit import Unit

__all__ = ["Continue"]

_OF_NOTHING = 50_000
"""Samples of a continuation of nothing begin here: the question is that of `generate`, whose samples these are not to be."""


class Continue(ContinuingStep):
    """Keep the first steps of a rationale and have models continue from there, on request after a text that is inserted.

    A continuation is a rationale whose `parent` is the one it continues, whose text begins with that one's, byte for byte, and
    whose `given` says how many leading steps are not its own; `parts.spans` says who wrote which characters. Verify it like any
    rationale. Sources: continuations as in arXiv:2312.08935 (Math-Shepherd); inserted feedback as in arXiv:2508.07616 (ThinkTuning).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["continue"] = "continue"
    at: Expr | None = None
    """How many leading steps are kept, as an expression: `score.step_value_first_zero`, `2`. 0: none. Where it has no value, or the rationale has
    fewer steps, nothing is continued. All steps if not given."""
    whole: bool = False
    """Instead of `at`: keep all of its text, with the statement of its answer, which is then a step of its own. `insert` says what
    follows it."""
    insert: Expr | None = None
    """A text that is written after them as a step of its own, as an expression; of a list each text in turn. Where it has no value, nothing
    is continued."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Continuations to ask of each model from each beginning."""

    def expressions(self) -> Mapping[str, str]:
        named = {"at": self.at, "insert": self.insert}
        return {name: source for name, source in named.items() if source is not None}

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        yield from self.equal_samples(self.samples, models)
        if self.whole and self.at is not None:
            yield "at", "whole keeps all of the text", "leave out at, or whole"
        if self.whole and self.insert is None:
            yield (
                "whole",
                "a solution that has stated its answer has nothing left to say",
                "say with insert what follows it",
            )

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        asked: list[tuple[Model, Request, UnitRecord]] = []
        beginnings: list[Beginning] = []
        times: Counter[str] = Counter()
        for rationale in records:
            for beginning in self._beginnings(rationale, unit):
                for model in unit.models(self.by):
                    requests = self.going_on(unit.problem_of(rationale), beginning, model, self.samples)
                    # What two rationales begin alike, and what `generate` was asked already, gets samples of its own.
                    key = model.key(requests[0])
                    offset = times[key] + (0 if beginning.given else _OF_NOTHING)
                    times[key] += self.samples
                    requests = [r._replace(sample=r.sample + offset) for r in requests]
                    asked += [(model, request, rationale) for request in requests]
                    beginnings += [beginning] * len(requests)
        replies = await self.ask_all(asked, unit)
        return [
            self.read_on(request.task.problem, beginning, model, request, reply)
            for beginning, (model, request, _), reply in zip(beginnings, asked, replies, strict=True)
            if reply is not None
        ]

    def _beginnings(self, rationale: Rationale, unit: Unit) -> list[Beginning]:
        where, seen = f"step {self.name}, {rationale.id}", unit.variables(rationale)
        kept: object = len(rationale.steps)
        if self.at is not None:
            kept = Expression(self.at).value(seen, where)
        if kept is None:
            return []
        if isinstance(kept, bool) or not isinstance(kept, (int, float)) or kept != int(kept):
            what = f"at is to be a number of steps, and {self.at} is {kept!r:.100}"
            raise UserError(what, where=where, fix="give an expression of a whole number")
        if kept < 0:
            raise UserError(f"at is {int(kept)}", where=where, fix="give a number of steps, from 0")
        if kept > len(rationale.steps):
            return []
        if self.insert is None:
            return [Beginning.of(rationale, int(kept))]
        inserted = Expression(self.insert).value(seen, where)
        texts = inserted if isinstance(inserted, (list, tuple)) else [] if inserted is None else [inserted]
        if not all(isinstance(text, str) for text in texts):
            raise UserError("insert is to be a text, or a list of texts", where=where, fix="correct the expression")
        texts = [text for text in texts if text.strip()]
        if self.whole:
            return [Beginning.of_all(rationale, text) for text in texts]
        return [Beginning.of(rationale, int(kept), text) for text in texts]

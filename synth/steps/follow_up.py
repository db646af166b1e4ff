"""`follow_up`: does a rationale lead to the right verdict on every option, not only on the one it chose?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.records import Problem, Rationale, Score, UnitRecord, record_fields
from synth.steps.step import ModelStep
from synth.steps.unit import Unit

__all__ = ["FollowUp"]

_PLAIN = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)


class _Answered(Reply):
    """A verdict on one option."""

    correct: Annotated[Literal["yes", "no"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)]


class FollowUp(ModelStep):
    """Ask of each option, with the question and the rationale at hand, whether it is the correct answer.

    Scores: `follow_up`, the share of options answered rightly (yes for the gold option, no for the others; what is
    neither is wrong); `follow_up_misses`, how many were not, for thresholds that do not depend on the number of options;
    and `follow_up_balanced`, the mean of the shares among the gold option and among the others, because who always says
    no is right on all options but one. Source: arXiv:2411.06387, which looks for "not" in the reply.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)
    needs: ClassVar[frozenset[str]] = frozenset({"answer", "choices"})

    step: Literal["follow_up"] = "follow_up"
    prompt: str = "rationale/follow_up"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Sampling temperature; greedy as in arXiv:2411.06387."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 16
    """Most tokens of a verdict."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        shown = {"problem": record_fields(Problem), "rationale": record_fields(Rationale)}
        return {**shown, "option": None, "format": None}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self) -> tuple[str, ...]:
        return ("follow_up", "follow_up_misses", "follow_up_balanced")

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        asked: list[tuple[Model, Request, UnitRecord]] = []
        about: list[tuple[Rationale, bool]] = []
        for rationale in records:
            problem = unit.problem_of(rationale)
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                for option in problem.lettered_choices:
                    shown = {"problem": problem, "rationale": rationale, "option": option, "format": form}
                    task = Task("follow_up", problem, subject=rationale, hint=option[0], format=form)
                    shape = _Answered if form == "json" else None
                    asked.append((model, self.request(self.load(), shown, task, shape=shape), rationale))
                    about.append((rationale, option[0] == problem.answer))
        replies = await self.ask_all(asked, unit)
        verdicts: dict[str, list[tuple[bool, bool]]] = {}
        for (rationale, is_gold), reply in zip(about, replies, strict=True):
            verdicts.setdefault(rationale.id, []).append((is_gold, _said(reply) == ("yes" if is_gold else "no")))
        return [score for r in records for score in self._scores(r, verdicts[r.id])]

    def _scores(self, rationale: Rationale, verdicts: Sequence[tuple[bool, bool]]) -> list[Score]:
        right = sum(ok for _, ok in verdicts)
        of_gold = [ok for is_gold, ok in verdicts if is_gold]
        of_others = [ok for is_gold, ok in verdicts if not is_gold]
        values = {
            "follow_up": right / len(verdicts),
            "follow_up_misses": float(len(verdicts) - right),
            "follow_up_balanced": (sum(of_gold) / len(of_gold) + sum(of_others) / len(of_others)) / 2,
        }
        return [
            self.derive(
                Score,
                [rationale],
                target=rationale.id,
                name=name,
                value=value,
                judge="follow_up/1",
                reason=f"{right} of {len(verdicts)} options",
            )
            for name, value in values.items()
        ]


def _said(reply: Completion | None) -> str | None:
    if reply is None:
        return None
    if reply.value is not None:
        return str(reply.value.correct)
    found = _PLAIN.fullmatch(reply.text.strip())
    return found[1].lower() if found else None

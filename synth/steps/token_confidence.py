"""`token_confidence`: how sure a model was of what it wrote, step by step, from the log-probabilities of its tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.measures import TokenConfidence as Figures
from synth.measures import token_confidence
from synth.models import Completion, Model
from synth.records import Part, Rationale, Score, UnitRecord
from synth.steps.step import ScoreName, Step
from synth.steps.token_spans import Unaligned, step_logprobs
from synth.steps.unit import Unit
from synth.steps.writing import WritingStep

__all__ = ["TokenConfidence"]

OfStep = Literal["mean", "minimum", "first", "divergence", "leco"]
OfWhole = Literal["mean", "logprob", "perplexity"]


class TokenConfidence(Step):
    """Score each step of a rationale by the probabilities of its tokens, as the model gave them when it wrote them; nothing is asked.

    The step that wrote the rationale needs `logprobs: true`. Its tokens are found by their place in the reply. Where they do not spell
    it, where the steps are not slices of it, and for steps that the reply does not hold (those of a prefix that it continues), the
    score is null and its reason says why. Confidence is not correctness: measure first whether it ranks on your problems.

    Source: arXiv:2403.19094 (LeCo).
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["token_confidence"] = "token_confidence"
    figures: Annotated[tuple[OfStep, ...], Field(min_length=1)] = ("mean",)
    """The figures of each step. The first has the name `score`, the others have theirs behind it, such as `step_confidence_minimum`.
    `mean`: mean probability of its tokens. `minimum`: the lowest. `first`: the mean of its first tokens. `divergence`: how uneven they
    are, 0 where all are alike. `leco`: `mean + first - divergence`, from below 0 to 2."""
    score: ScoreName = "step_confidence"
    """Name of the score on each step."""
    whole: tuple[OfWhole, ...] = ()
    """Figures of the rationale as a whole, over the tokens of its steps, none by default: `mean` probability, as the score `whole_score`;
    `logprob`, its mean, and `perplexity`, with their names behind it."""
    whole_score: ScoreName = "confidence"
    """Name of the score on the whole rationale."""
    first_tokens: Annotated[int, Field(ge=1)] = 5
    """How many tokens of a step are its first ones."""
    skip_tokens: Annotated[int, Field(ge=0)] = 0
    """How many tokens stand before these: 3 where steps begin with "Step 1:", which a model is sure of anyway."""

    def gives_scores(self) -> tuple[str, ...]:
        return (*self._names(self.score, self.figures).values(), *self._names(self.whole_score, self.whole).values())

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.whole and self.score == self.whole_score:
            what = f"{self.score} is the name of the score on steps and on the whole"
            yield "whole_score", what, "give them different names"

    def problems_with_sources(self, sources: Sequence[Step]) -> Iterable[tuple[str, str, str]]:
        for source in sources:
            if isinstance(source, WritingStep) and not source.logprobs:
                what = f"step {source.name} does not ask for log-probabilities, so its rationales would have no score"
                yield "of", what, f"write logprobs: true at step {source.name}"

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        return await asyncio.to_thread(lambda: [score for r in records for score in self._scores(r, unit)])

    def _scores(self, rationale: Rationale, unit: Unit) -> list[Score]:
        reply = unit.reply_of(rationale.call)
        found, lacking = _logprobs(reply, rationale)
        made = []
        for index, logprobs in enumerate(found):
            seen = None if logprobs is None else self._figures(logprobs)
            reason = lacking if logprobs is None else "no token has a character of it" if seen is None else None
            part = Part(kind="step", index=index)
            names = self._names(self.score, self.figures)
            made += [self._score(rationale, part, names[f], seen, f, reason, reply) for f in self.figures]
        if self.whole:
            seen = self._figures([value for logprobs in found for value in logprobs or ()])
            names = self._names(self.whole_score, self.whole)
            reason = None if seen is not None else lacking if rationale.steps else "it has no steps"
            made += [self._score(rationale, None, names[w], seen, w, reason, reply) for w in self.whole]
        return made

    def _figures(self, logprobs: Sequence[float]) -> Figures | None:
        return token_confidence(logprobs, first=self.first_tokens, skip=self.skip_tokens)

    def _score(
        self,
        rationale: Rationale,
        part: Part | None,
        name: str,
        seen: Figures | None,
        figure: str,
        reason: str | None,
        reply: Completion | None,
    ) -> Score:
        return self.derive(
            Score,
            [rationale],
            key=[name, part.index if part is not None else None],
            target=rationale.id,
            part=part,
            name=name,
            value=None if seen is None else getattr(seen, figure),
            judge=f"token_confidence/{self.version}",
            reason=f"{seen.tokens} tokens" if seen is not None else reason,
            call=reply.call if reply is not None else None,
        )

    @staticmethod
    def _names(score: str, figures: Sequence[str]) -> dict[str, str]:
        return {figure: score if i == 0 else f"{score}_{figure}" for i, figure in enumerate(figures)}


def _logprobs(reply: Completion | None, rationale: Rationale) -> tuple[list[tuple[float, ...] | None], str]:
    """The log-probabilities of each step, and why those that have none have none."""
    if reply is None:
        why = "no reply with log-probabilities made it in this run: the step that wrote it needs logprobs: true"
        return [None] * len(rationale.steps), why
    try:
        return step_logprobs(reply, rationale), "its reply does not hold this step"
    except Unaligned as error:
        return [None] * len(rationale.steps), str(error)

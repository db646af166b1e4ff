"""Whether a thought helps to comply."""

from typing import ClassVar, Literal

import synth
from synth.steps.step import ScoreName


class ThoughtHelps(synth.Step):
    """Score each reply 1 where it complies with at least as many constraints as the best reply of another step, else 0 (arXiv:2506.01413).

    A reply of that step that did not come complies with none, so that every other passes. Null where it is not known with how many a reply complies.
    """

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Score,)
    names_steps: ClassVar = ("of", "reference")

    step: Literal["thought_helps"] = "thought_helps"
    reference: str
    """The step whose replies have no thought."""
    score: ScoreName = "met"
    """The score that says with how many constraints a reply complies."""

    def gives_scores(self):
        """The name of its score."""
        return ("superior",)

    def named_by(self, option):  # noqa: ARG002
        """What the steps make that it names."""
        return synth.Rationale

    async def run(self, records, unit):
        """The scores."""
        best = {}
        for other in unit.made_by(synth.Rationale, [self.reference]):
            best[other.problem] = max(best.get(other.problem, 0), self.met(other, unit) or 0)
        return [
            self.verdict(rationale, self.met(rationale, unit), best.get(rationale.problem, 0)) for rationale in records
        ]

    def met(self, rationale, unit):
        """With how many constraints a reply complies."""
        score = unit.score(rationale, self.score)
        return None if score is None else score.value

    def verdict(self, rationale, met, without):
        """The score of a reply."""
        return self.derive(
            synth.Score,
            [rationale],
            target=rationale.id,
            name="superior",
            value=None if met is None else float(met >= without),
            judge=f"{self.step}/{self.version}",
            reason=f"{met} with a thought, {without} without",
        )

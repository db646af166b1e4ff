"""The corpus steps pipelines can name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synth.corpus.near_duplicates import near_duplicates
from synth.corpus.step import CorpusStep, CorpusView
from synth.records import Rejection, content_id

__all__ = ["CORPUS_STEPS", "Mix", "NearDuplicates"]

_TABLES = {"problem": "problems", "rationale": "rationales", "pair": "pairs"}


class NearDuplicates(CorpusStep):
    """Put out questions or rationales that nearly repeat another of the whole corpus; the rejection names it.

    MinHash with banding finds candidates, exact Jaccard similarity of word shingles decides. Of a cluster the record
    with the smallest id stays, so that the outcome does not depend on the order of the run.
    """

    step: Literal["near_duplicates"] = "near_duplicates"
    target: Literal["problem", "rationale"] = "rationale"
    """What is compared: questions (with their context), or the text of rationales."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Jaccard similarity from which on two count as near-duplicates."""
    shingle: Annotated[int, Field(ge=1)] = 5
    """Words in a shingle."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """Hash functions of the sketch."""
    engine: Literal["numpy", "datasketch"] = "numpy"
    """Which implementation finds the candidates."""

    def run(self, view: CorpusView) -> list[Rejection]:
        records = view.kept(_TABLES[self.target])
        found = near_duplicates(
            [r.text for r in records],
            threshold=self.threshold,
            shingle=self.shingle,
            permutations=self.permutations,
            engine=self.engine,
        )
        rule = f"near-duplicate, Jaccard >= {self.threshold:g}"
        return [
            Rejection.make(
                unit=records[d.item].unit,
                step=self.name,
                because=[self.version, records[d.item].id, rule],
                target=records[d.item].id,
                target_table=records[d.item].table,
                rule=rule,
                observed={"duplicate_of": records[d.keeper].id, "similarity": round(d.similarity, 4)},
            )
            for d in found
        ]


class Mix(CorpusStep):
    """Keep records of several steps in given shares, as many as there are to be had; the surplus is chosen at random.

    The shares hold within rounding; a step that made none is left out of them. Records of steps that are not named stay. Source: the mix of preference pairs of
    arXiv:2411.06387 (lambda = 0.6 of pairs by consistency).
    """

    step: Literal["mix"] = "mix"
    target: Literal["rationale", "pair"] = "pair"
    """What is mixed."""
    shares: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=2)]
    """By the step that makes them: what part of the whole its records are; brought to a sum of 1."""
    seed: int = 0
    """Another seed chooses others."""

    def run(self, view: CorpusView) -> list[Rejection]:
        of = {name: [r for r in view.kept(_TABLES[self.target]) if r.step == name] for name in self.shares}
        shares = {name: share for name, share in self.shares.items() if of[name]}
        whole = sum(shares.values())
        total = min((len(of[name]) / (share / whole) for name, share in shares.items()), default=0)
        rejections = []
        for name, share in shares.items():
            keep = round(total * share / whole)
            at_random = sorted(of[name], key=lambda r: content_id([self.seed, r.id]))
            rejections += [
                Rejection.make(
                    unit=r.unit,
                    step=self.name,
                    because=[self.version, r.id, name],
                    target=r.id,
                    target_table=r.table,
                    rule=f"{share / whole:.0%} of {name}",
                    observed={"kept": keep, "of": len(of[name])},
                )
                for r in at_random[keep:]
            ]
        return rejections


CORPUS_STEPS: tuple[type[CorpusStep], ...] = (NearDuplicates, Mix)

"""`limit_per_group`, `filter_range` and `select_diverse`: fewer records, and which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from synth.corpus.coverage import facility_location, k_centre, meanings, nearest_chosen, word_sketches
from synth.corpus.step import (
    FIELDS,
    CorpusRecord,
    CorpusStep,
    CorpusView,
    Target,
    expression_mistakes,
    kinds_of,
    numbers_of,
)
from synth.records import Rejection, content_id

__all__ = ["FilterRange", "LimitPerGroup", "SelectDiverse", "ranked"]

TO_COVER = 20_000
"""Records that `select_diverse` covers; of more a sample, whose mean coverage is within 0.012 of that of all, 99 times of 100, for
any one choice (Hoeffding)."""


class LimitPerGroup(CorpusStep):
    """Keep at most so many records of each model, source, problem…, of several at once: the best by a score, else at random.

    Records are taken from the best on, and one is kept if none of its groups is full. Of a single
    kind of cap that is the best choice there is; of k at once it has at least a k-th of the most records, or of the most
    score, that any choice could keep (Korte and Hausmann 1978).
    """

    version: ClassVar[int] = 2

    step: Literal["limit_per_group"] = "limit_per_group"
    target: Target = "rationale"
    """What is counted."""
    per: str = "model"
    """What has a share each: `model` (who wrote it), `source` (the input file), `step` (that made it), `problem`, `unit` (the
    root of that), `answer` (the gold one), or an expression, such as `problem.meta.topic`."""
    at_most: (
        Annotated[int, Field(ge=1)] | Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)] | None
    ) = None
    """Records to keep of each. Several at once: by what `per` could say, such as `{model: 500, problem: 2}`."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Or: the most that one of them may have of all that is kept."""
    best: str | None = None
    """A score, `length`, or an expression, of which the highest stay; at random if not given."""
    seed: int = 0
    """Another seed chooses others."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if (self.at_most is None) == (self.share is None):
            yield "at_most", "either at_most or share is to be given", "at_most: 500, or share: 0.3"
        if isinstance(self.at_most, dict):
            if "per" in self.model_fields_set:
                yield "per", "at_most says of what already", "leave per out, or write it into at_most"
            for per in self.at_most:
                yield from expression_mistakes("at_most", per, FIELDS)
        yield from expression_mistakes("per", self.per, FIELDS)
        if self.best is not None:
            yield from expression_mistakes("best", self.best)

    def sources(self) -> Iterable[tuple[str, str]]:
        kinds = [("at_most", p) for p in self.at_most] if isinstance(self.at_most, dict) else [("per", self.per)]
        yield from ((option, kind) for option, kind in kinds if not kind.isidentifier())
        yield from [("best", self.best)] if self.best is not None else []

    def run(self, view: CorpusView) -> list[Rejection]:
        records = view.kept(self.target)
        caps = self.at_most if isinstance(self.at_most, dict) else {self.per: self.at_most or 0}
        of = {per: kinds_of(view, self.target, per, self) for per in caps}
        sizes = {per: Counter(kinds) for per, kinds in of.items()}
        if self.share is not None:
            caps = {self.per: _most(self.share, [*sizes[self.per].values()])}
        rank, value = ranked(self, self.target, records, view, self.best)
        taken: dict[tuple[str, str], list[int]] = {}
        rejections = []
        for i in sorted(range(len(records)), key=rank.__getitem__):
            mine = [taken.setdefault((per, of[per][i]), []) for per in caps]
            full = next((k for k, per in enumerate(caps) if len(mine[k]) >= caps[per]), None)
            if full is None:
                for group in mine:
                    group.append(i)
                continue
            per, last = [*caps][full], mine[full][-1]
            observed = {per: of[per][i], "of": sizes[per][of[per][i]], "last_kept": records[last].id}
            observed |= value(i) | {f"{name}_of_last_kept": v for name, v in value(last).items()}
            rejections.append(self.reject(records[i], f"at most {caps[per]} of each {per}", observed))
        return sorted(rejections, key=lambda r: r.target)


def _most(share: float, sizes: Sequence[int]) -> int:
    """The largest cap at which none of the groups has more than its share of what is left; 1 where there is none."""
    for cap in range(max(sizes, default=1), 1, -1):
        if min(cap, max(sizes)) <= share * sum(min(cap, n) for n in sizes):
            return cap
    return 1


def ranked(
    step: CorpusStep, target: Target, records: Sequence[CorpusRecord], view: CorpusView, best: str | None
) -> tuple[list[tuple[Any, ...]], Callable[[int], dict[str, float | None]]]:
    """What to sort records by, the best first, ties and all else by a hash of seed and id; and of each what a rejection
    shows of its value.
    """
    values: Sequence[float | None] = [None] * len(records) if best is None else numbers_of(view, target, best, step)
    seed = getattr(step, "seed", 0)
    order = [
        (value is None, -value if value is not None else 0.0, content_id([seed, record.id]))
        for value, record in zip(values, records, strict=True)
    ]
    return order, lambda i: {} if best is None else {best: values[i]}


class FilterRange(CorpusStep):
    """Keep records whose score lies in a band, ends included: such as problems that are neither too easy nor too hard.

    By default problems by `pass_rate`, the share of right ones among all their judged rationales, also of those that other
    steps have rejected. A problem without this score stays.
    """

    step: Literal["filter_range"] = "filter_range"
    target: Target = "problem"
    """What is looked at."""
    of: str = "pass_rate"
    """A score, `length` in characters, `pass_rate` of problems, or an expression."""
    lowest: float | None = None
    """The least it may be."""
    highest: float | None = None
    """The most it may be."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        yield from expression_mistakes("of", self.of)
        if self.lowest is None and self.highest is None:
            yield "lowest", "the band has no end", "give lowest, highest, or both"
        if self.lowest is not None and self.highest is not None and self.lowest > self.highest:
            yield "lowest", "lowest is above highest", "exchange them"

    def sources(self) -> Iterable[tuple[str, str]]:
        yield "of", self.of

    def run(self, view: CorpusView) -> list[Rejection]:
        rejections = []
        for record, value in zip(view.kept(self.target), numbers_of(view, self.target, self.of, self), strict=True):
            if value is None:
                continue
            if self.lowest is not None and value < self.lowest:
                rejections.append(self.reject(record, f"{self.of} below {self.lowest:g}", round(value, 4)))
            elif self.highest is not None and value > self.highest:
                rejections.append(self.reject(record, f"{self.of} above {self.highest:g}", round(value, 4)))
        return rejections


class SelectDiverse(CorpusStep):
    """Keep so many records, good ones that are unlike each other, or that stand for all.

    `k_center` takes the record that is farthest from all chosen so far (greedily, Gonzalez 1985: within twice the best
    covering radius), rare kinds and outliers first. `facility_location` takes what is most like many that nothing chosen is like
    yet (greedily, Nemhauser, Wolsey and Fisher 1978: at least 1 - 1/e of the best coverage), large kinds
    first and outliers last. With `quality` above 0 the rank by `best`, between 0 and 1, weighs beside that. Time grows
    with the records times `keep`, for `facility_location` also times 20,000 at most: of more than that a sample is to be covered.
    """

    version: ClassVar[int] = 3

    step: Literal["select_diverse"] = "select_diverse"
    target: Target = "rationale"
    """What is chosen from."""
    keep: Annotated[int, Field(ge=1)]
    """Records to keep."""
    objective: Literal["k_center", "facility_location"] = "k_center"
    """What is optimised: records far from each other, or records that others are like."""
    similarity: Literal["shingles", "embedding"] = "shingles"
    """How similarity is measured: by the Jaccard similarity of word shingles, as sketches estimate it (256 bytes a record), or by the
    cosine of embeddings of a small static model (1 kB a record; needs the extra `curate`)."""
    best: str | None = None
    """A score, `length`, or an expression, that says how good a record is; at random if not given."""
    quality: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of that: 0 looks at likeness alone, 1 at the score alone."""
    shingle: Annotated[int, Field(ge=1, le=64)] = 2
    """Words in a shingle."""
    seed: int = 0
    """Another seed begins elsewhere."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.quality and self.best is None:
            yield "quality", "quality weighs a score, and none is named", "best: NAME"
        if self.best is not None:
            yield from expression_mistakes("best", self.best)
        if self.similarity == "embedding" and find_spec("wordllama") is None:
            yield "similarity", "embedding needs what is not installed", "pip install 'synth-rationales[curate]'"
        if self.similarity == "embedding" and "shingle" in self.model_fields_set:
            yield "shingle", "embeddings have no shingles", "leave it out, or similarity: shingles"

    def sources(self) -> Iterable[tuple[str, str]]:
        yield from [("best", self.best)] if self.best is not None else []

    def run(self, view: CorpusView) -> list[Rejection | str]:
        records = view.kept(self.target)
        if len(records) <= self.keep:
            note = f"{self.keep:,} asked for, and there are {len(records):,}: all of them stay"
            return [note] if len(records) < self.keep else []
        ranks, value = ranked(self, self.target, records, view, self.best)
        order = sorted(range(len(records)), key=ranks.__getitem__)
        goodness = _goodness(ranks)
        texts = view.texts(self.target)
        likeness: Any = word_sketches(texts, self.shingle) if self.similarity == "shingles" else meanings(texts)
        if self.objective == "k_center":
            chosen = k_centre(likeness, self.keep, goodness=goodness, quality=self.quality, order=order)
        else:
            by_hash = sorted(range(len(records)), key=lambda i: ranks[i][2])
            chosen = facility_location(
                likeness,
                self.keep,
                clients=sorted(by_hash[:TO_COVER]),
                goodness=goodness,
                quality=self.quality,
                order=order,
            )
        nearest, alike = nearest_chosen(likeness, chosen)
        rule = f"not among the {self.keep} chosen for {self.objective.replace('_', ' ')}"
        out = sorted(set(range(len(records))) - set(chosen))
        return [
            self.reject(
                records[i],
                rule,
                {"nearest": records[chosen[nearest[i]]].id, "similarity": round(float(alike[i]), 4)} | value(i),
            )
            for i in out
        ]


def _goodness(ranks: Sequence[tuple[Any, ...]]) -> list[float]:
    """From 0 for the worst to 1 for the best, by rank; equals have the mean of theirs, what has no value has 0."""
    groups: dict[tuple[Any, ...], int] = Counter(r[:2] for r in ranks)
    of, before = {}, 0
    for group in sorted(groups, reverse=True):
        of[group] = 0.0 if group[0] else (before + (groups[group] - 1) / 2) / max(len(ranks) - 1, 1)
        before += groups[group]
    return [of[r[:2]] for r in ranks]

"""`pair`: preferences between rationales of one problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from synth.records import Node, Rationale, UnitRecord
from synth.records import Pair as PairRecord
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["Pair"]

Reason = Literal["correctness", "score", "review", "majority", "siblings", "first_error", "revision", "counterfactual"]


class _Candidate(NamedTuple):
    chosen: Rationale
    rejected: Rationale
    margin: float | None


class Pair(Step):
    """Prefer rationales over others of the same problem, for a stated reason.

    Put it before the filter that removes the losers. No pair has sides of equal text, no two pairs of a problem have the
    same two texts, and each rationale is used about equally often. By correctness it is arXiv:2410.16198, by siblings in
    a tree arXiv:2406.19949, by the first wrong step arXiv:2406.18629.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (PairRecord,)
    names_steps: ClassVar[tuple[str, ...]] = ("of", "over")

    step: Literal["pair"] = "pair"
    reason: Reason | None = None
    """Why one side is preferred. All but `majority` by the higher `score`; then `siblings`: paths of one tree;
    `first_error`: the sides share their first steps, and the loser's next one is its first wrong step (where steps are
    labelled; else the longest shared beginning comes first); `revision`: the winner revises the loser; `majority`: the
    answer with most votes over the others, by the score of a `vote`; `counterfactual`: a right rationale of a derived
    problem over a right one of the problem it was derived from, which reads the wrong passage. Default: `correctness` for the score `correct`,
    else `score`."""
    score: str = "correct"
    """The score that decides."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """The chosen side's score must be higher by more than this; for siblings whose answers are marks, the marks apart."""
    over: str | tuple[str, ...] | None = None
    """The step or steps whose rationales are the losing sides, those of `of` being the others; a loser without the score
    has 0. Without it, any of `of` may be either."""
    step_score: str = "step_correct"
    """For `first_error`: the score on steps of which 0 is wrong."""
    weight: str = "path_weight"
    """For `rank_by: weight`: the score that is the weight of a side."""
    limit: Annotated[int, Field(ge=1)] = 3
    """Most pairs for each problem."""
    rank_by: Literal["order", "length", "weight", "edit_distance"] = "length"
    """Which pairs come first: the earliest; those whose sides are of the most similar length (against length bias); those
    whose sides have the highest `weight`; those that differ in the fewest steps (or, in a tree, decisions)."""

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        losing = set(self.refers_to().get("over", ()))
        also = [r for r in unit.made_by(Rationale, tuple(losing)) if isinstance(r, Rationale)] if losing else []
        every = list({r.id: r for r in (*records, *also)}.values())
        made: list[UnitRecord] = []
        for problem in dict.fromkeys(r.problem for r in every):
            rationales = [r for r in every if r.problem == problem and r.reasoning]
            winners = [r for r in rationales if r.step not in losing]
            losers = [r for r in rationales if r.step in losing] if losing else winners
            if self.reason == "counterfactual":
                original = unit.problem_of(winners[0]).parent if winners else None
                losers = [r for r in every if r.problem == original and r.reasoning]
                found = [_Candidate(a, b, None) for a, b in product(winners, losers) if a.answer != b.answer]
            else:
                found = list(self._candidates(winners, losers, unit))
            made += self._choose(found, unit)
        return made

    def _candidates(
        self, winners: Sequence[Rationale], losers: Sequence[Rationale], unit: Unit
    ) -> Iterable[_Candidate]:
        fits = self._fits(unit)
        values = {r.id: self._value(r, unit) for r in (*winners, *losers)}
        whole = {r.id: _whole(r) for r in (*winners, *losers)}
        for a, b in product(winners, losers):
            high, low = values[a.id], values[b.id]
            if self.over is not None and low is None:  # such as the student's mistake, which nobody reviewed
                low = 0.0
            if high is None or low is None or high <= low or whole[a.id] == whole[b.id]:
                continue
            margin = _distance(a, b) if self.reason == "siblings" else None
            margin = high - low if margin is None else margin
            if margin > self.margin and fits(a, b):
                yield _Candidate(a, b, margin)

    def _value(self, rationale: Rationale, unit: Unit) -> float | None:
        score = unit.score(rationale, self.score)
        return None if score is None else score.value

    def _fits(self, unit: Unit) -> Callable[[Rationale, Rationale], bool]:
        """What a pair must be for its reason, beyond its scores."""

        def tree(rationale: Rationale) -> str:
            leaf = unit.get(str(rationale.node))
            assert isinstance(leaf, Node)
            return leaf.step  # of one problem, so this names the tree

        def wrong_at_the_fork(a: Rationale, b: Rationale) -> bool:
            wrong = [i for i, s in sorted(unit.step_scores(b, self.step_score).items()) if s.value == 0]
            return not wrong or wrong[0] == _first_difference(a.steps, b.steps)

        def label(rationale: Rationale) -> str | None:
            score = unit.score(rationale, self.score)
            return None if score is None else score.label

        return {
            "siblings": lambda a, b: a.node is not None and b.node is not None and tree(a) == tree(b),
            "revision": lambda a, b: a.parent == b.id,
            "first_error": wrong_at_the_fork,
            "majority": lambda a, b: label(a) == "majority" and label(b) == "minority",
        }.get(self.reason or "", lambda _a, _b: True)

    def _choose(self, possible: list[_Candidate], unit: Unit) -> list[PairRecord]:
        possible.sort(key=self._order(unit))  # stable
        used: dict[str, int] = {}
        seen: set[frozenset[tuple[str, str | None]]] = set()
        made: list[PairRecord] = []
        while possible and len(made) < self.limit:
            best = min(possible, key=lambda c: used.get(c.chosen.id, 0) + used.get(c.rejected.id, 0))
            possible.remove(best)
            texts = frozenset((_whole(best.chosen), _whole(best.rejected)))
            if texts in seen:
                continue
            seen.add(texts)
            for side in (best.chosen, best.rejected):
                used[side.id] = used.get(side.id, 0) + 1
            made.append(self._pair(best))
        return made

    def _order(self, unit: Unit) -> Callable[[_Candidate], float]:
        def heavy(rationale: Rationale) -> float:
            score = unit.score(rationale, self.weight)
            return 0.0 if score is None or score.value is None else score.value

        if self.reason == "first_error":
            return lambda c: -_first_difference(c.chosen.steps, c.rejected.steps)
        return {
            "order": lambda _: 0.0,
            "length": lambda c: abs(len(c.chosen.reasoning) - len(c.rejected.reasoning)),
            "weight": lambda c: -heavy(c.chosen) - heavy(c.rejected),
            "edit_distance": lambda c: len(_content(c.chosen) ^ _content(c.rejected)),
        }[self.rank_by]

    def _pair(self, candidate: _Candidate) -> PairRecord:
        chosen, rejected, margin = candidate
        named = "correctness" if self.score == "correct" else "score"
        reason = self.reason or named
        return self.derive(
            PairRecord,
            [chosen, rejected],
            problem=chosen.problem,
            chosen=chosen.id,
            rejected=rejected.id,
            reason=f"score {self.score}" if reason == "score" else reason,
            margin=margin,
            first_differing_step=_first_difference(chosen.steps, rejected.steps),
            length_difference=len(chosen.reasoning) - len(rejected.reasoning),
        )


def _whole(r: Rationale) -> tuple[str, str | None]:
    """What a reader sees of a rationale, without regard to white space."""
    return " ".join(r.reasoning.split()), r.answer


def _distance(a: Rationale, b: Rationale) -> float | None:
    """How far the marks of two rationales lie apart; None where they are no numbers."""
    try:
        return abs(float(a.answer or "") - float(b.answer or ""))
    except ValueError:
        return None


def _content(rationale: Rationale) -> set[str]:
    """The decisions of a path of a tree; the steps of another rationale."""
    decisions = rationale.parts.get("decisions") if isinstance(rationale.parts, dict) else None
    return {str(d) for d in decisions} if isinstance(decisions, list) else set(rationale.steps)


def _first_difference(a: Sequence[str], b: Sequence[str]) -> int:
    same = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        same += 1
    return same

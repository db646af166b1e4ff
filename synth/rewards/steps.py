"""Rewards made of scores of the steps of a completion, such as those of a process reward model."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import orjson
from pydantic import Field

from synth.measures.shaping import weibull
from synth.records import AnswerKind
from synth.rewards.answers import correct_or_unknown
from synth.rewards.registry import reward

__all__ = ["length_shape", "step_aggregate"]

Scores = Sequence[float] | str


@reward
def step_aggregate(
    completion: str,
    step_scores: Scores,
    answer: str | None = None,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    *,
    how: Literal["product", "min", "mean", "last", "geomean"] = "product",
) -> float:
    """The scores of the steps of each completion as one number in [0, 1]; 0 without steps.

    Where the row has a gold answer, a completion that does not state it has 0.

    Args:
        completion: what the model wrote.
        step_scores: of each of its steps, from 0 to 1, as a list or as a JSON list. They are of the completion, not of the row: give
            them in a function of your own, which asks the model that scores steps.
        answer: the gold answer; empty where there is none.
        answer_kind: how answers are compared.
        choices: the options.
        how: `product` and `min` as arXiv:2305.20050, `last` as arXiv:2211.14275; `geomean` is the product to the power of 1 / steps.
    """
    scores = _scores(step_scores, completion)
    if not scores or not correct_or_unknown(completion, answer, answer_kind, choices):
        return 0.0
    return _AGGREGATES[how](scores)


@reward
def length_shape(
    completion: str,
    step_scores: Scores,
    answer: str | None = None,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    *,
    mode: Annotated[float, Field(gt=0)] = 4.0,
    k: Annotated[float, Field(gt=1)] = 1.5,
) -> float:
    """The geometric mean of the scores of steps, less where there are fewer or more steps than `mode` (arXiv:2411.11681).

    The factor is `synth.measures.shaping.weibull`: 1 at `mode` steps, below it elsewhere, so the reward is never more than the mean. A step
    of 0, or no step, makes it 0. Where the row has a gold answer, a completion that does not state it has 0. The exponential of the
    released code of the paper is not here: it has no bound (12.15 for ten good steps) and so pays for padding.

    Args:
        completion: what the model wrote.
        step_scores: of each of its steps, from 0 to 1; as for `step_aggregate`.
        answer: the gold answer; empty where there is none.
        answer_kind: how answers are compared.
        choices: the options.
        mode: how many steps are best. 3.846 gives the scale 8 of the paper with `k` 1.5.
        k: how steep it is; the paper has 1.5.
    """
    scores = _scores(step_scores, completion)
    if not scores or not correct_or_unknown(completion, answer, answer_kind, choices):
        return 0.0
    return _geomean(scores) * weibull(len(scores), mode, k)


def _scores(given: Scores, completion: str) -> list[float]:
    """The scores of the steps of a completion; of an empty one none.

    Raises:
        ValueError: they are not from 0 to 1, such as logits.
    """
    scores = list(orjson.loads(given) if isinstance(given, str) else given)
    wrong = [s for s in scores if isinstance(s, bool) or not isinstance(s, (int, float)) or not 0 <= s <= 1]
    if wrong:
        raise ValueError(f"a score of a step is {wrong[0]!r}, not a number from 0 to 1")
    return scores if completion.strip() else []


def _geomean(scores: Sequence[float]) -> float:
    return 0.0 if min(scores) == 0 else math.exp(statistics.fmean(map(math.log, scores)))


_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "product": math.prod,
    "min": min,
    "mean": statistics.fmean,
    "last": operator.itemgetter(-1),
    "geomean": _geomean,
}

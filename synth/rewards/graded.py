"""Rewards of answers that are right in part: numbers, sets, rankings, actions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from synth.errors import UserError
from synth.rewards.registry import reward
from synth.verify import compare_answers, find_answer
from synth.verify.items import Value, key, read_items
from synth.verify.kinds.action import GoldAction, compare_fields, read_action, read_gold
from synth.verify.kinds.number import HIGH, LOW, smooth
from synth.verify.kinds.ranking import concordance
from synth.verify.numbers import read_number
from synth.verify.rouge import rouge_l

__all__ = ["action", "numeric_smooth", "ranking", "set_match"]

Share = Annotated[float, Field(ge=0, le=1)]

_CALL = re.compile(r"([\w ]{1,60})\(([^()]{0,400})\)")
_MOST_ITEMS = 200
"""Items of a completion that are matched, at most: the work grows with the cube of their number."""


@reward
def numeric_smooth(completion: str, answer: str, *, low: Share = LOW, high: Share = HIGH) -> float:
    """How near a number is to the gold one: 1 up to the relative error `low`, 0 from `high` on, half a cosine between (arXiv:2503.20752).

    Where the gold answer is 0, the absolute error counts; in the code of the paper a correct 0 has the reward 0.

    Args:
        completion: what the model wrote.
        answer: the gold number.
        low: relative error up to which the reward is 1.
        high: relative error from which on it is 0; above `low`.

    Raises:
        UserError: `high` is not above `low`.
        ValueError: the gold answer is not one number.
    """
    if high <= low:
        raise UserError(f"the reward numeric_smooth: high is {high:g}, and low {low:g}", fix="high is above low")
    gold = read_number(answer)
    if gold is None:
        raise ValueError(f"the gold answer {answer[:80]!r} is not one number")
    found = find_answer(completion, kind="number").answer
    said = None if found is None else read_number(found)
    return 0.0 if said is None else smooth(said, gold, low, high)


@reward
def set_match(completion: str, answer: str, *, two_parts: Share = 0.5, first_part: Share = 0.25) -> float:
    """How well a set of items matches the gold one, in [0, 1] (arXiv:2503.20752, its lists of functions).

    Items are paired one to one for the largest sum: 1 for an equal item; of items with parts, such as `move(cube, left)` or
    `["move", "cube", "left"]`, `two_parts` where the first and one more part are equal, and `first_part` where the first alone is. The sum is
    divided by the larger number of items, and multiplied by the share of the items that are distinct, so that none gains by repetition.

    Args:
        completion: what the model wrote.
        answer: the gold items, as a JSON list.
        two_parts: worth of an item of which two parts are right.
        first_part: worth of an item of which the first part is right.

    Raises:
        ValueError: the gold answer lists no items.
    """
    gold = read_items(answer)
    if gold is None:
        raise ValueError(f"the gold answer {answer[:80]!r} lists no items")
    found = find_answer(completion, kind="set").answer
    said = None if found is None else read_items(found)
    if said is None:
        return 0.0
    ours = list({key(item): _parts(item) for item in said}.values())[:_MOST_ITEMS]
    theirs = [_parts(item) for item in gold][:_MOST_ITEMS]
    if not ours or not theirs:
        return float(not said and not theirs)
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    worth = np.array([[_worth(a, b, two_parts, first_part) for b in theirs] for a in ours])
    rows, columns = linear_sum_assignment(worth, maximize=True)
    unique = len({key(item) for item in said})
    return float(worth[rows, columns].sum()) / max(unique, len(theirs)) * unique / len(said)


def _parts(item: Value) -> tuple[object, ...]:
    """The keys of the parts of an item."""
    if isinstance(item, str) and (call := _CALL.fullmatch(item.strip())) is not None:
        return (key(call[1].strip()), *(key(part.strip()) for part in call[2].split(",") if part.strip()))
    if isinstance(item, dict):
        return tuple(map(key, item.values()))
    return tuple(map(key, item)) if isinstance(item, list) else (key(item),)


def _worth(one: Sequence[object], other: Sequence[object], two_parts: float, first_part: float) -> float:
    if one == other:
        return 1.0
    if not one or not other or one[0] != other[0] or len(other) < 2:
        return 0.0
    return two_parts if any(a == b for a, b in zip(one[1:], other[1:], strict=False)) else first_part


@reward
def ranking(
    completion: str,
    answer: str,
    *,
    by: Literal["kendall", "ndcg", "recall"] = "kendall",
    relevant: tuple[str, ...] = (),
    at: Annotated[int, Field(ge=1)] = 10,
) -> float:
    """How good a ranking of the given items is, in [0, 1]; 0 for what does not rank each of them once.

    Args:
        completion: what the model wrote.
        answer: the gold ranking, as a JSON list of all items.
        by: `kendall`: the share of pairs in the gold order; `ndcg`: discounted gain of the first `at` places over that of the gold ranking;
            `recall`: the share of the relevant items among the first `at`.
        relevant: the relevant items, each with a gain of 1. Without it an item gains as many as stand below it in the gold ranking.
        at: how many places `ndcg` and `recall` look at.

    Raises:
        UserError: `recall` without relevant items.
        ValueError: the gold answer is no ranking, or lacks a relevant item.
    """
    if by == "recall" and not relevant:
        raise UserError("the reward ranking by recall needs the relevant items", fix="give relevant: a list of items")
    found = find_answer(completion, kind="ranking").answer
    verdict = compare_answers(found, answer, kind="ranking")
    if verdict.label == "undecided":
        raise ValueError(verdict.detail)
    if found is None or verdict.label == "unparsed":
        return 0.0
    meant, said = ([key(item) for item in read_items(text) or ()] for text in (answer, found))
    places = {item: place for place, item in enumerate(meant)}
    order = [places[item] for item in said]
    if by == "kendall":
        return concordance(order)
    gains = [float(len(meant) - 1 - place) for place in range(len(meant))]
    if relevant:
        chosen = {key(item) for item in relevant}
        if not chosen <= places.keys():
            raise ValueError("a relevant item is none of the gold ranking")
        gains = [float(item in chosen) for item in meant]
    if by == "recall":
        return sum(gains[place] for place in order[:at]) / sum(gains)
    return _discounted(gains[p] for p in order[:at]) / _discounted(sorted(gains, reverse=True)[:at])


def _discounted(gains: Iterable[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


@reward
def action(
    completion: str,
    answer: str,
    *,
    type_field: str = "type",
    form: Share = 0.5,
    right_type: Share = 0.3,
    given: Share = 0.2,
    normalised: bool = True,
) -> float:
    """The hierarchical reward of an action with easy and hard fields (arXiv:2507.17842).

    0 for what holds no JSON object; else `form`, and if the type of the action is right `right_type`, shares of `given` for the other fields
    that are there, and of each field its weight in the gold action: times ROUGE-L where the gold action compares it so and it reaches
    the threshold, else where it is equal. Fields that the gold action does not have lower it in proportion.

    Args:
        completion: what the model wrote; of a field `action` with an object in it that object counts.
        answer: the gold action; its field `$compare` says how fields are compared and what they weigh.
        type_field: the field that says what kind of action it is.
        form: worth of a JSON object.
        right_type: worth of the right type.
        given: worth of all other fields of the gold action being there.
        normalised: whether it is divided by the most that this gold action allows, so that it is in [0, 1]. The paper has weights of 1000
            for hard fields and does not divide.

    Raises:
        ValueError: the gold answer is no action, or has no such type.
    """
    gold = read_gold(answer)
    if type_field not in gold.fields:
        raise ValueError(f"the gold action has no field {type_field!r}")
    others = [name for name in gold.fields if name != type_field]
    most = form + right_type + (given + sum(gold.rule(name).weight for name in others) if others else 0.0)
    found = find_answer(completion, kind="action").answer
    said = None if found is None else read_action(found)
    if not said:
        return 0.0
    worth = form
    fields = {field.name: field for field in compare_fields(said, gold)}
    if fields[type_field].right:
        worth += right_type
        for name in others:
            worth += given / len(others) if fields[name].given else 0.0
            worth += gold.rule(name).weight * _similarity(said.get(name), gold, name) if fields[name].right else 0.0
    worth *= len(fields) / (len(fields) + len(said.keys() - gold.fields.keys()))
    return worth / most if normalised else worth


def _similarity(found: Value, gold: GoldAction, name: str) -> float:
    """Of a field that is right: its ROUGE-L where it is compared so, else 1."""
    return rouge_l(found, gold.fields[name]) if gold.rule(name).rouge_l is not None else 1.0

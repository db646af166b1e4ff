"""Rewards over the completions of a problem that need no gold answer (arXiv:2504.05812)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synth.records import AnswerKind
from synth.rewards.answers import choices_of
from synth.rewards.registry import reward
from synth.texts import refusal
from synth.verify import answer_clusters, extract_answer

__all__ = ["majority", "majority_share"]


@reward(group=True)
def majority_share(
    completions: Sequence[str],
    answer_kind: Sequence[AnswerKind | None] = (),
    choices: Sequence[str | Sequence[str] | None] = (),
) -> list[float]:
    """Of each completion, the share of the completions of its problem whose answer is equal to its own, in (0, 1] (arXiv:2504.05812).

    No gold answer is read. A completion without an answer, or one that refuses, is alone: it never gains by others like it.

    Args:
        completions: what the model wrote for one problem.
        answer_kind: how its answers are compared; `choice` if there are options, else `math`, which also knows numbers and words.
        choices: its options, as a list or as a JSON list.
    """
    clusters = _clusters(completions, answer_kind, choices)
    sizes = Counter(clusters)
    return [(1 if mine is None else sizes[mine]) / len(completions) for mine in clusters]


@reward(group=True)
def majority(
    completions: Sequence[str],
    answer_kind: Sequence[AnswerKind | None] = (),
    choices: Sequence[str | Sequence[str] | None] = (),
) -> list[float]:
    """1.0 for each completion whose answer is the most frequent one of its problem, else 0.0 (arXiv:2504.05812, its variant by votes).

    Where several answers are equally frequent all of them have 1.0. No gold answer is read. A completion without an answer, or
    one that refuses, has 0.0. Arguments as those of `majority_share`.
    """
    clusters = _clusters(completions, answer_kind, choices)
    sizes = Counter(mine for mine in clusters if mine is not None)
    most = max(sizes.values(), default=0)
    return [float(mine is not None and sizes[mine] == most) for mine in clusters]


def _clusters(
    completions: Sequence[str],
    answer_kind: Sequence[AnswerKind | None],
    choices: Sequence[str | Sequence[str] | None],
) -> list[int | None]:
    options = choices_of(choices[0]) if choices else ()
    kind: AnswerKind = (answer_kind[0] if answer_kind else None) or ("choice" if options else "math")
    answers = [extract_answer(said, kind=kind, choices=options) for said in completions]
    given = [None if answer is None or refusal(answer) else answer for answer in answers]
    return answer_clusters(given, kind=kind, choices=options)

"""Which of several answers are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synth.records import AnswerKind
from synth.verify.compare import compare_answers

__all__ = ["answer_clusters"]


def answer_clusters(
    answers: Sequence[str | None], *, kind: AnswerKind, choices: Sequence[str] = ()
) -> list[int | None]:
    """The cluster of each answer, from 0 for the largest; None for an answer that could not be read, which is like no other.

    An answer is compared with the first of each cluster, as in the released code of arXiv:2504.05812. Where equality is not transitive
    the order counts: the most frequent wording comes first, then by its text, so that the order of the answers is of no consequence.
    A comparison that takes too long makes no two answers equal.

    Args:
        answers: the answers as they were read.
        kind: how they are compared.
        choices: the options, for `choice`.
    """
    wordings = Counter(answer for answer in answers if answer is not None)
    firsts: list[str] = []
    of: dict[str, int] = {}
    for answer in sorted(wordings, key=lambda a: (-wordings[a], a)):
        alike = (
            i
            for i, first in enumerate(firsts)
            if compare_answers(answer, first, kind=kind, choices=choices).label == "right"
        )
        of[answer] = next(alike, len(firsts))
        if of[answer] == len(firsts):
            firsts.append(answer)
    sizes = [sum(n for answer, n in wordings.items() if of[answer] == i) for i in range(len(firsts))]
    place = {i: rank for rank, i in enumerate(sorted(range(len(firsts)), key=lambda i: -sizes[i]))}
    return [None if answer is None else place[of[answer]] for answer in answers]

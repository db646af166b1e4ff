"""Which of several solutions is taken: best of n by a score, a vote, a weighted vote, an oracle.

Each function is about one problem with k samples. It gives the exact expectation of the accuracy over all subsets of n samples, so that
its value does not depend on which n were drawn. Where several candidates tie, one of them is drawn: the expectation is over that, too.
The mean over problems is the accuracy of the policy. Sources: best-of-N, arXiv:2305.20050; weighted votes, arXiv:2206.02336 and
arXiv:2211.14275; majority, arXiv:2203.11171; pass@n, arXiv:2107.03374.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby
from math import comb, fsum, isclose

__all__ = ["MOST_SUBSETS", "best_of_n", "pass_at_n", "vote_of_n"]

MOST_SUBSETS = 200_000
"""A weighted vote goes through all subsets of n samples, and through this many at most; all n of n are one subset."""


def _fits(k: int, n: int) -> bool:
    """Whether n samples can be drawn.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is at least 1, not {n}")
    return n <= k


def pass_at_n(right: Sequence[bool], n: int) -> float | None:
    """The chance that one of n samples is right: what an oracle reaches. With n = 1 it is chance.

    Args:
        right: whether each of the k samples is right.
        n: how many are drawn.

    Returns:
        0 to 1; None where there are fewer than n samples.

    Raises:
        ValueError: n is below 1.
    """
    if not _fits(len(right), n):
        return None
    return 1 - comb(len(right) - sum(right), n) / comb(len(right), n)


def best_of_n(scores: Sequence[float | None], right: Sequence[bool], n: int) -> float | None:
    """The accuracy of the sample with the highest score among n.

    Args:
        scores: of the k samples; a sample without one (None) ranks below all others.
        right: whether each is right.
        n: how many are drawn.

    Returns:
        0 to 1; None where there are fewer than n samples.

    Raises:
        ValueError: n is below 1, or there is not one score for each sample.
    """
    k = len(right)
    ranked = sorted(
        zip((float("-inf") if s is None else s for s in scores), right, strict=True), key=lambda sample: sample[0]
    )
    if not _fits(k, n):
        return None
    accuracy, below = [], 0
    for _, group in groupby(ranked, key=lambda sample: sample[0]):
        tied = [is_right for _, is_right in group]
        # The highest score of the subset is this one; by symmetry each of those that have it is as likely.
        highest = comb(below + len(tied), n) - comb(below, n)
        accuracy.append(highest / comb(k, n) * sum(tied) / len(tied))
        below += len(tied)
    return fsum(accuracy)


def vote_of_n(
    answers: Sequence[str | None], weights: Sequence[float | None] | None, right: Sequence[bool], n: int
) -> float | None:
    """The accuracy of the answer with most votes, or with most weight, among n samples.

    Args:
        answers: of the k samples, the same text for the same answer; a sample without one (None) does not vote.
        weights: of their votes, 0 or more; None counts as 0. Without weights each vote counts 1.
        right: whether each is right. Where samples of one answer differ in this, the answer is right to the share of them.
        n: how many are drawn.

    Returns:
        0 to 1, 0 for a subset in which nobody votes; None where there are fewer than n samples, and where weights differ and there
        are more than `MOST_SUBSETS` subsets.

    Raises:
        ValueError: n is below 1, a weight is negative or no number, or the lists are of different lengths.
    """
    k = len(right)
    heavy = [1.0] * k if weights is None else [0.0 if w is None else float(w) for w in weights]
    if any(not 0 <= w < float("inf") for w in heavy):
        raise ValueError("weights of votes are 0 or more: make them of rewards by softmax or a rank")
    samples = list(zip(answers, heavy, right, strict=True))
    if not _fits(k, n):
        return None
    shares = {a: [r for b, _, r in samples if b == a] for a in answers if a is not None}
    worth = {answer: sum(labels) / len(labels) for answer, labels in shares.items()}
    voting = [w for a, w, _ in samples if a is not None]
    if voting and min(voting) == max(voting) > 0:
        return _counted([len(labels) for labels in shares.values()], list(worth.values()), k, n)
    if comb(k, n) > MOST_SUBSETS:
        return None
    found = [_heaviest(subset, worth) for subset in combinations([(a, w) for a, w, _ in samples], n)]
    return fsum(found) / len(found)


def _heaviest(subset: Sequence[tuple[str | None, float]], worth: dict[str, float]) -> float:
    """The accuracy of the heaviest answer of a subset; of those that tie, one is drawn."""
    weight: dict[str, list[float]] = {}
    for answer, w in subset:
        if answer is not None and w > 0:
            weight.setdefault(answer, []).append(w)
    sums = {answer: fsum(ws) for answer, ws in weight.items()}
    most = max(sums.values(), default=0.0)
    tied = [worth[answer] for answer, total in sums.items() if isclose(total, most, rel_tol=1e-9)]
    return sum(tied) / len(tied) if tied else 0.0


def _counted(sizes: Sequence[int], worth: Sequence[float], k: int, n: int) -> float:
    """The expectation of a vote in which all votes count the same, by counting subsets instead of going through them.

    For each number of votes `top` with which an answer can win: `ways[drawn][tied]` counts the ways to draw that many votes of the answers
    seen so far, with as many of these answers at `top` and the others below it; `good` is the same, weighted by how many of the
    tied answers are right.
    """
    silent = k - sum(sizes)
    expected = []
    for top in range(1, min(n, max(sizes)) + 1):
        ways: dict[tuple[int, int], int] = {(0, 0): 1}
        good: dict[tuple[int, int], float] = {(0, 0): 0.0}
        for size, is_right in zip(sizes, worth, strict=True):
            more: dict[tuple[int, int], int] = {}
            better: dict[tuple[int, int], float] = {}
            for (drawn, tied), count in ways.items():
                for votes in range(min(top, size, n - drawn) + 1):
                    at = (drawn + votes, tied + (votes == top))
                    many = comb(size, votes)
                    more[at] = more.get(at, 0) + count * many
                    gained = good[drawn, tied] + (count * is_right if votes == top else 0.0)
                    better[at] = better.get(at, 0.0) + gained * many
            ways, good = more, better
        expected += [
            good[drawn, tied] / tied * comb(silent, n - drawn) / comb(k, n)
            for drawn, tied in ways
            if tied and n - drawn <= silent
        ]
    return fsum(expected)

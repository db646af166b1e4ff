"""Policies that take one of several samples: exact expectations against a walk over all subsets, and closed forms."""

from __future__ import annotations

import math
import random
from itertools import combinations
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from support import sums

import synth as package
from synth.audit import add_functions
from synth.measures import best_of_n, pass_at_n, vote_of_n
from synth.store.database import open_store

SAMPLES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([None, 0.0, 0.3, 0.7, 1.0]), st.booleans()),
    min_size=1,
    max_size=7,
)


def by_walk(samples: list[tuple[str | None, float | None, bool]], n: int) -> tuple[float, float, float, float]:
    """Best of n, majority, weighted vote and oracle, by going through all subsets and all tied candidates."""
    worth = {a: [r for b, _, r in samples if a == b] for a, _, _ in samples}
    totals = [0.0] * 4
    subsets = list(combinations(samples, n))
    for subset in subsets:
        top = max(-1 if s is None else s for _, s, _ in subset)
        best = [r for _, s, r in subset if (-1 if s is None else s) == top]
        totals[0] += sum(best) / len(best)
        for place, weigh in ((1, lambda s: 1), (2, lambda s: s or 0.0)):
            votes: dict[str, int] = {}
            for answer, score, _ in subset:
                if answer is not None:
                    votes[answer] = votes.get(answer, 0) + round(10 * weigh(score))
            most = max(votes.values(), default=0)
            winners = [a for a, v in votes.items() if v == most and v > 0]
            shares = [sum(worth[a]) / len(worth[a]) for a in winners]
            totals[place] += sum(shares) / len(shares) if shares else 0
        totals[3] += any(r for *_, r in subset)
    return tuple(total / len(subsets) for total in totals)


@given(SAMPLES, st.integers(1, 7))
@settings(max_examples=300)
def test_expectations_are_those_of_all_subsets(samples, n):
    answers, scores, right = map(list, zip(*samples, strict=True))
    found = (
        best_of_n(scores, right, n),
        vote_of_n(answers, None, right, n),
        vote_of_n(answers, scores, right, n),
        pass_at_n(right, n),
    )
    if n > len(samples):
        assert found == (None,) * 4
    else:
        assert found == pytest.approx(by_walk(samples, n))


@given(SAMPLES, st.integers(1, 7), st.sampled_from([0.2, 1.0, 5.0]))
def test_a_constant_score_is_chance_and_a_constant_weight_the_majority(samples, n, constant):
    """Exactly, not only on average."""
    answers, _, right = map(list, zip(*samples, strict=True))
    if n <= len(samples):
        assert best_of_n([constant] * len(right), right, n) == pytest.approx(sum(right) / len(right), abs=1e-12)
        assert vote_of_n(answers, [constant] * len(right), right, n) == vote_of_n(answers, None, right, n)


@given(SAMPLES, st.integers(1, 7))
def test_a_perfect_score_reaches_the_oracle(samples, n):
    """So do perfect weights, where samples of one answer are all right or all wrong."""
    answers, _, right = map(list, zip(*samples, strict=True))
    right = [a == "a" for a in answers]
    perfect = [float(r) for r in right]
    if n <= len(samples):
        assert best_of_n(perfect, right, n) == pytest.approx(pass_at_n(right, n))
        assert vote_of_n(answers, perfect, right, n) == pytest.approx(pass_at_n(right, n))


def test_closed_forms():
    assert pass_at_n([True, False, False, False], 2) == pytest.approx(0.5)
    # The best of 4 is wrong; of 2 the wrong one is drawn with half of all pairs, in which it wins.
    assert best_of_n([4, 3, 2, 1], [False, True, True, True], 2) == pytest.approx(0.5)
    assert best_of_n([4, 3, 2, 1], [False, True, True, True], 4) == 0
    assert (
        best_of_n([None, 0.0], [True, False], 2) == 0
    )  # a sample without a score is never taken before one with a score
    assert vote_of_n(["a", "a", "b"], [0.1, 0.1, 0.3], [True, True, False], 3) == 0
    assert vote_of_n(["a", "a", "b"], [0.1, 0.2, 0.3], [True, True, False], 3) == pytest.approx(
        0.5
    )  # 0.1 + 0.2 ties with 0.3
    assert vote_of_n([None, None], None, [False, False], 2) == 0


def test_a_majority_of_many_samples_is_counted_and_not_walked():
    """60 of 100 samples are right, in one answer: a subset of 25 votes right where 13 or more of them are."""
    answers = ["a"] * 60 + ["b"] * 40
    right = [a == "a" for a in answers]
    exact = sum(math.comb(60, i) * math.comb(40, 25 - i) for i in range(13, 26)) / math.comb(100, 25)
    assert vote_of_n(answers, None, right, 25) == pytest.approx(exact)
    rng = random.Random(1)
    weights = [rng.random() for _ in answers]
    assert vote_of_n(answers, weights, right, 25) is None  # too many subsets, and no closed form
    assert vote_of_n(answers, weights, right, 100) in {0.0, 1.0}
    assert 0 < vote_of_n(answers, weights, right, 2) < 1


@pytest.mark.parametrize("wrong", [-0.1, float("inf"), float("nan")])
def test_what_is_no_weight_is_refused(wrong: float):
    with pytest.raises(ValueError, match="0 or more"):
        vote_of_n(["a", "b"], [1.0, wrong], [True, False], 1)


def test_n_and_lengths_are_checked():
    for call in (
        lambda n: pass_at_n([True], n),
        lambda n: best_of_n([1.0], [True], n),
        lambda n: vote_of_n(["a"], None, [True], n),
    ):
        with pytest.raises(ValueError, match="at least 1"):
            call(0)
    with pytest.raises(ValueError, match="argument"):
        best_of_n([1.0], [True, False], 1)


def test_the_same_in_sql(tmp_path: Path):
    pipeline = {"pipeline": "my/all", "steps": [{"step": "filter", "target": "problem", "keep": "problem.answer"}]}
    package.run(pipeline, sums(tmp_path / "in.jsonl", 1), tmp_path / "run")
    with open_store(tmp_path / "run") as store:
        add_functions(store)
        asked = """SELECT best_of_n([0.1, NULL, 0.9], [true, true, false], 2), vote_of_n(['a', 'a', NULL], NULL, [true, true, false], 2),
            vote_of_n(['a', 'b'], [1, 3], [true, false], 2), pass_at_n([true, false], 1), best_of_n(NULL, [true], 1), pass_at_n([true], 2),
            first_error([0, -1, NULL], [0, -1, 2], [3, 3, 3])"""
        (*numbers, found) = store.sql(asked).fetchall()[0]
    assert numbers[:-2] == pytest.approx([1 / 3, 1.0, 0.0, 0.5])
    assert numbers[-2:] == [None, None]
    assert (found["erroneous"], found["correct"], found["on_erroneous"], found["on_correct"]) == (2, 1, 0.5, 1.0)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["chance_f1"] == pytest.approx(0.25)

"""The first wrong step: cases by hand, closed forms of judges with known rates, and Wilson's interval."""

from __future__ import annotations

import random

import pytest
from methods import near
from scipy.stats import binomtest

from synth.measures import NO_ERROR, first_error, first_wrong_step, wilson


def test_cases_by_hand():
    """Three wrong solutions: one found, one named too late, one passed. Two right ones: one passed, one called wrong."""
    found = first_error([1, 3, NO_ERROR, NO_ERROR, 0], [1, 2, 0, NO_ERROR, NO_ERROR], [4, 4, 4, 4, 4])
    assert (found.erroneous, found.correct) == (3, 2)
    assert (found.on_erroneous, found.on_correct) == pytest.approx((1 / 3, 1 / 2))
    assert found.f1 == pytest.approx(0.4)  # 2 * (1/3) * (1/2) / (5/6)
    assert found.precision == pytest.approx(1 / 3)  # of the three that are named: 1, 3, 0
    assert found.step_f1 == pytest.approx(1 / 3)
    assert (found.chance_on_erroneous, found.chance_on_correct, found.chance_f1) == pytest.approx((0.2, 0.2, 0.2))


def test_what_is_not_known_is_none_and_no_verdict_is_never_right():
    assert first_error([], []) is None
    found = first_error([None, None], [0, 1])
    assert (found.on_erroneous, found.on_correct, found.f1, found.precision) == (0, None, None, None)
    assert first_error([None], [NO_ERROR]).on_correct == 0
    assert first_error([0], [0]).chance_on_erroneous is None
    assert first_error([1, 1], [0, NO_ERROR]).f1 == 0


@pytest.mark.parametrize(
    ("predicted", "gold", "steps", "said"),
    [([0], [5], [5], "the solution has 5"), ([-2], [0], None, "counted from 0"), ([0], [-3], None, "counted from 0")],
)
def test_indexes_are_checked(predicted, gold, steps, said):
    with pytest.raises(ValueError, match=said):
        first_error(predicted, gold, steps)


def test_a_judge_with_known_rates_and_one_that_guesses():
    """A judge who finds 0.6 of the first errors and passes 0.8 of the right solutions has F1 0.686; one that guesses, chance."""
    rng = random.Random(3)
    gold = [rng.choice([NO_ERROR, *range(4)]) for _ in range(4000)]
    said = []
    for marked in gold:
        hit = rng.random() < (0.8 if marked == NO_ERROR else 0.6)
        said.append(marked if hit else rng.choice([i for i in (NO_ERROR, *range(4)) if i != marked]))
    found = first_error(said, gold, [4] * len(gold))
    assert near(found.on_erroneous, 0.6, found.erroneous)
    assert near(found.on_correct, 0.8, found.correct)
    assert found.f1 == pytest.approx(0.686, abs=0.03)
    guess = first_error([rng.choice([NO_ERROR, *range(4)]) for _ in gold], gold, [4] * len(gold))
    assert near(guess.on_erroneous, guess.chance_on_erroneous, guess.erroneous)
    assert near(guess.on_correct, guess.chance_on_correct, guess.correct)


@pytest.mark.parametrize(
    ("labels", "first"),
    [
        ([1, 1, 0, 1], 2),
        ([1.0, 0.5], NO_ERROR),
        ([1, None, 0], None),
        ([0, None], 0),
        ([1, 0.49], 1),
        ([], None),
        ([1, None], None),
    ],
)
def test_the_first_wrong_step_by_labels(labels, first):
    assert first_wrong_step(labels) == first


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_interval_is_that_of_scipy(level: float):
    for n in (1, 8, 16, 500):
        for k in {0, 1, n // 2, n}:
            expected = binomtest(k, n).proportion_ci(level, method="wilson")
            assert wilson(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "n", "level"), [(9, 8, 0.95), (0, 0, 0.95), (4, 8, 1.0), (-1, 8, 0.5)])
def test_the_interval_refuses_what_is_no_share(successes: int, n: int, level: float):
    with pytest.raises(ValueError, match="0 to all succeed"):
        wilson(successes, n, level)

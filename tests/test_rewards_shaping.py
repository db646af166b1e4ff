"""Rewards by steps, length and groups, held to their arithmetic."""

from __future__ import annotations

import json
import math
import random
import statistics
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from synth.errors import UserError
from synth.measures.shaping import segment_penalties, weibull
from synth.rewards import (
    correct,
    length_band,
    length_shape,
    majority,
    majority_share,
    segments_penalty,
    step_aggregate,
)
from synth.verify import answer_clusters

COLOURS = json.dumps(["red", "green", "blue", "black"])
LENGTHS = st.lists(st.lists(st.integers(1, 40), max_size=12), min_size=1, max_size=8)


def of_problem(n: int, **row: Any) -> dict[str, list[Any]]:
    return {name: [value] * n for name, value in {"problem_id": "p", **row}.items()}


# Weibull (arXiv:2411.11681)


def test_weibull_is_the_papers_factor_with_its_constant():
    """Scale 8 and shape 1.5: the mode is 3.846, C is 10.7350, and the factors of one to eight steps are those of the density."""
    mode = 8 * ((1.5 - 1) / 1.5) ** (1 / 1.5)
    assert mode == pytest.approx(3.8460, abs=5e-5)

    def density(n: float) -> float:
        return 1.5 / 8 * (n / 8) ** 0.5 * math.exp(-((n / 8) ** 1.5))

    assert 1 / density(mode) == pytest.approx(10.7350, abs=5e-5)
    found = [weibull(n, mode, 1.5) for n in range(1, 9)]
    assert found == pytest.approx([density(n) / density(mode) for n in range(1, 9)])
    assert found == pytest.approx([0.681, 0.888, 0.980, 0.9994, 0.971, 0.910, 0.831, 0.741], abs=6e-4)


@given(st.floats(0.01, 1e6), st.floats(1.0001, 50), st.floats(0, 1e9))
def test_weibull_has_its_only_maximum_of_1_at_the_mode(mode: float, k: float, n: float):
    assert weibull(mode, mode, k) == pytest.approx(1, abs=1e-12)
    assert 0 <= weibull(n, mode, k) <= 1 + 1e-12
    assert weibull(0, mode, k) == 0
    assert weibull(mode, mode, k) >= weibull(mode * 0.9, mode, k)


@pytest.mark.parametrize("wrong", [(-1, 4, 1.5), (1, 0, 1.5), (1, 4, 1), (math.inf, 4, 2), (1, 4, math.nan)])
def test_weibull_says_what_it_needs(wrong: tuple[float, float, float]):
    with pytest.raises(ValueError, match="a shape above 1"):
        weibull(*wrong)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.5, 20), st.floats(1.01, 5))
def test_length_shape_is_between_0_and_the_geometric_mean(scores: list[float], mode: float, k: float):
    (found,) = length_shape(["Some steps."], step_scores=[scores], mode=mode, k=k)
    mean = 0.0 if 0 in scores else statistics.geometric_mean(scores)
    assert found is not None
    assert 0 <= found <= mean + 1e-9
    if 0 in scores:
        assert found == 0
    (better,) = length_shape(["Some steps."], step_scores=[[min(1.0, s + 0.01) for s in scores]], mode=mode, k=k)
    assert better is not None
    assert better >= found - 1e-12


def test_length_shape_of_one_to_eight_steps():
    found = length_shape(["x"] * 8, step_scores=[[0.9] * n for n in range(1, 9)], mode=3.846)
    assert [f / 0.9 for f in found if f is not None] == pytest.approx(
        [0.681, 0.888, 0.980, 0.9994, 0.971, 0.910, 0.831, 0.741], abs=6e-4
    )


def test_scores_that_are_none_of_probabilities_have_no_reward(caplog: pytest.LogCaptureFixture):
    """Logits, a score of 1.2, a true: each such completion alone has None."""
    found = length_shape(["x"] * 4, step_scores=[[-1.5], [0.9, 1.2], [True], [1.0] * 4])
    assert found == [None, None, None, pytest.approx(1.0)]
    assert "is -1.5, not a number from 0 to 1" in caplog.text


@pytest.mark.parametrize(
    ("how", "value"),
    [("product", 0.36), ("min", 0.5), ("mean", 0.7333333), ("last", 0.9), ("geomean", 0.36 ** (1 / 3))],
)
def test_step_aggregate(how: str, value: float):
    scores = [0.8, 0.5, 0.9]
    assert step_aggregate(["x"] * 3, step_scores=[scores, json.dumps(scores), []], how=how) == [
        pytest.approx(value),
        pytest.approx(value),
        0.0,
    ]
    # A wrong answer is worth nothing, whatever its steps are worth.
    assert step_aggregate(["The answer is 6."], step_scores=[[1.0]], answer=["5"], how=how) == [0.0]
    with pytest.raises(UserError, match="how: Input should be"):
        step_aggregate(["x"], step_scores=[scores], how="sum")


# Majority (arXiv:2504.05812)


@pytest.mark.parametrize("letters", ["ABC", "CAB", "DBA"])
def test_ten_four_one_and_none(letters: str):
    """Rewards 0.625, 0.25, 0.0625 and 0.0625, the mean is the sum of squares; what the answers are called changes nothing."""
    first, second, third = letters
    said = [f"The answer is {x}." for x in [first] * 10 + [second] * 4 + [third]] + ["I do not know."]
    random.Random(letters).shuffle(said)
    worth = {first: 0.625, second: 0.25, third: 0.0625}
    columns = of_problem(16, answer_kind="choice", choices=COLOURS)
    found = majority_share(said, **columns)
    assert found == [worth.get(text[14:15], 0.0625) for text in said]
    assert statistics.fmean(f for f in found if f is not None) == pytest.approx(0.4609, abs=5e-5)
    assert majority(said, **columns) == [float(text[14:15] == first) for text in said]


def test_majority_of_one_mind_of_none_and_of_a_tie():
    same, none, tie = (
        ["The answer is 3."] * 4,
        ["I cannot answer that.", "", "It is hard to say that.", "I cannot answer that."],
        ["The answer is 3.", "The answer is 4."] * 2,
    )
    assert majority_share(same, **of_problem(4)) == majority(same, **of_problem(4)) == [1.0] * 4
    assert majority_share(none, **of_problem(4)) == [0.25] * 4
    assert majority(none, **of_problem(4)) == [0.0] * 4
    assert majority(tie, **of_problem(4)) == [1.0] * 4
    assert majority_share(["It is \\boxed{1/2}.", "The answer is 0.5."], prompts=["?", "?"]) == [1.0, 1.0]


def test_clusters_where_equality_is_not_transitive(monkeypatch: pytest.MonkeyPatch):
    """Of a = b = c with a ≠ c the most frequent wording comes first, so the order of the answers is of no consequence."""

    def compare(found: str, gold: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(label="right" if abs(ord(found) - ord(gold)) <= 1 else "wrong")

    monkeypatch.setattr("synth.verify.clusters.compare_answers", compare)
    for order in permutations(["a", "b", "b", "c", None]):
        found = dict(zip(order, answer_clusters(order, kind="text"), strict=True))
        assert found == {"a": 0, "b": 0, "c": 0, None: None}
    assert answer_clusters(["c", "d", "a"], kind="text") == [0, 0, 1]


def test_groups_are_by_problem():
    said = ["The answer is 3."] * 3 + ["The answer is 4."]
    assert majority_share(said, problem_id=["p", "q", "p", "q"]) == [1.0, 0.5, 1.0, 0.5]
    asked = [[{"role": "user", "content": "A"}], [{"role": "user", "content": "B"}]] * 2
    assert majority_share(said, prompts=asked) == [1.0, 0.5, 1.0, 0.5]


# Segments (arXiv:2510.09535)


@given(LENGTHS)
def test_penalties_sum_to_0_in_each_cluster(segments: list[list[int]]):
    for weights in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 2, 1]):
        found = segment_penalties(segments, weights)
        assert math.fsum(found) == pytest.approx(0, abs=1e-9)
        # No standardised number of n is beyond the root of n - 1: what the bound of the reward rests on.
        assert max(map(abs, found)) <= sum(weights) * math.sqrt(max(0, len(segments) - 1)) + 1e-9
    assert segment_penalties([segments[0]] * 5, [3, 2, 1]) == [0.0] * 5


@given(LENGTHS, st.randoms())
def test_penalties_of_a_permuted_group_are_permuted(segments: list[list[int]], rng: random.Random):
    order = rng.sample(range(len(segments)), len(segments))
    before, after = segment_penalties(segments, [3, 2, 1]), segment_penalties([segments[i] for i in order], [3, 2, 1])
    assert after == pytest.approx([before[i] for i in order])


def test_one_more_short_segment_costs_more_than_one_more_long_one():
    group = [[5, 20], [5, 20], [5, 20], [5, 20]]
    short = segment_penalties([[5, 5, 20], *group[1:]], [2, 1])
    long = segment_penalties([[5, 20, 20], *group[1:]], [2, 1])
    assert short[0] > long[0] > 0


def test_segments_are_counted_by_their_markers():
    """Three traces of which the first turns twice; equal words, so only the turns differ."""
    plain = "We add two and three and that is five.\nThe answer is 5."
    turning = "We add two. Wait, and three. However that is five.\nThe answer is 5."
    columns = of_problem(4, answer="5")
    found = segments_penalty([turning, plain, plain, "The answer is 6."], **columns, weights=[1])
    counts = [3, 1, 1, 1]
    z = [(c - 1.5) / statistics.pstdev(counts) for c in counts]
    assert found == [pytest.approx(v) for v in (1 - 0.1 * z[0], 1 - 0.1 * z[1], 1 - 0.1 * z[2], 0.0)]
    assert segments_penalty([plain] * 3, **of_problem(3, answer="5")) == [1.0] * 3
    assert segments_penalty([turning], **of_problem(1, answer="5")) == [1.0]
    # Markers within words are none: "waiting", "butter".
    assert segments_penalty(["Waiting. Butter. The answer is 5.", plain], **of_problem(2, answer="5"), weights=[1]) == [
        1,
        1,
    ]


def test_wrong_ones_may_be_penalised_too_and_an_empty_one_gains_nothing_by_it():
    said = ["The answer is 5.", "Wait. Hmm. But. The answer is 6.", "It is 6.", ""]
    found = segments_penalty(said, **of_problem(4, answer="5"), of="all", weights=[1])
    assert found[0] is not None
    assert found[0] > found[2] > found[1] >= found[3] == pytest.approx(-0.1 * math.sqrt(3))  # type: ignore[operator]


@pytest.mark.parametrize(("n", "scale", "fine"), [(8, 0.18, True), (8, 0.19, False), (25, 0.1, True), (27, 0.1, False)])
def test_penalties_cannot_outweigh_an_answer(n: int, scale: float, fine: bool):
    """At the largest scale that is taken the worst right completion is worth more than the best wrong one; beyond is an error."""
    said = ["Wait. " * 50 + "The answer is 5.", *["The answer is 6."] * (n - 1)]
    if not fine:
        with pytest.raises(UserError, match="could be worth more than a right one"):
            segments_penalty(said, **of_problem(n, answer="5"), scale=scale, of="all")
        return
    worst, *others = segments_penalty(said, **of_problem(n, answer="5"), scale=scale, of="all")
    assert worst is not None
    assert worst > max(v for v in others if v is not None)


# Bands of length


@pytest.mark.parametrize(
    ("words", "value"), [(4, 1 - 0.5 * 6 / 10), (10, 1.0), (20, 1.0), (30, 0.75), (40, 0.5), (400, 0.5)]
)
def test_length_band(words: int, value: float):
    said = "so " * (words - 4) + "The answer is 5."
    assert length_band([said], answer=["5"], low=10, high=20) == [pytest.approx(value)]
    assert length_band([said.replace("5", "6")], answer=["5"], low=10, high=20) == [0.0]
    assert length_band([said], answer=["5"], low=10, high=20, count="tokens", completion_ids=[[1] * words]) == [
        pytest.approx(value)
    ]
    signs = len(said)
    assert length_band([said], answer=["5"], high=signs, count="characters") == [1.0]


def test_length_band_says_what_it_needs():
    with pytest.raises(UserError, match="high: Field required"):
        length_band(["The answer is 5."], answer=["5"])
    with pytest.raises(UserError, match="low is 9 and high is 3"):
        length_band(["The answer is 5."], answer=["5"], low=9, high=3)
    with pytest.raises(UserError, match="no column completion_ids"):
        length_band(["The answer is 5."], answer=["5"], high=3, count="tokens")


@given(st.lists(st.sampled_from(["The answer is 5.", "The answer is 6.", "Hm.", ""]), min_size=2, max_size=9))
def test_shaped_rewards_rank_right_before_wrong(said: list[str]):
    columns = of_problem(len(said), answer="5")
    right = correct(said, **columns)
    for shaped in (segments_penalty(said, **columns), length_band(said, **columns, high=2)):
        for a, x in zip(right, shaped, strict=True):
            for b, y in zip(right, shaped, strict=True):
                assert a <= b or x > y  # type: ignore[operator]

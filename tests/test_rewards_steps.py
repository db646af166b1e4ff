"""Rewards of a step, and partial ones: closed forms."""

from __future__ import annotations

import random
import time

import pytest

from synth.errors import UserError
from synth.rewards import partial, step_similarity
from synth.rewards.partial import similarity

THOUGHT = "<think>Hm.</think>"


@pytest.mark.parametrize(
    ("text", "other", "value"),
    [
        ("abcd", "bcde", 0.75),
        ("abcd", "abcd", 1.0),
        ("ab", "cd", 0.0),
        ("", "ab", 0.0),
        ("", "", 0.0),
        ("a  b\n", "a b", 1.0),
    ],
)
def test_similarity_is_twice_the_matches_over_both_lengths(text: str, other: str, value: float):
    assert similarity(text, other) == value


def test_frequent_characters_count_too():
    """Python's own shortcut (`autojunk`) leaves out what is frequent in texts of 200 characters or more."""
    assert similarity("b" + "a" * 300, "a" * 300) == 600 / 601


def test_long_texts_are_compared_by_words_in_bounded_time():
    """A word in every second place is the worst case of the algorithm; without a bound this takes minutes."""
    one = " ".join(f"a w{i}" for i in range(20_000))
    other = " ".join(f"a v{i}" for i in range(20_000))
    start = time.perf_counter()
    assert 0 < similarity(one, other) < 0.01  # what follows 500 words counts as different
    assert time.perf_counter() - start < 30
    words = [f"word{i}" for i in range(400)]
    assert similarity(" ".join(words), " ".join(words[:200])) == pytest.approx(
        2 * len("".join(words[:200])) / (len("".join(words)) + len("".join(words[:200])))
    )


@pytest.mark.parametrize(
    ("completion", "reward"),
    [
        (f"{THOUGHT}abcd", 0.75),
        ("I think.</think>bcde", 1.0),  # the template opened the thought
        ("bcde", -1.0),
        ("", -1.0),
        (f"{THOUGHT} \n", -1.0),
        ("<think>bcde", -1.0),
        ("<think></think>bcde", -1.0),
    ],
)
def test_a_step_needs_a_thought_and_an_action(completion: str, reward: float):
    assert step_similarity([completion], step="bcde") == [reward]
    if reward == -1 and completion == "bcde":
        assert step_similarity([completion], step="bcde", thought=False) == [1.0]


def test_the_beginning_that_is_continued_counts_for_nothing():
    """It is in the column `begun`, and the step that is compared comes after it."""
    given = {"begun": ["We add.\n"] * 2, "reward_args": ['{"step": "bcde"}'] * 2}
    assert step_similarity([f"{THOUGHT}bcde", f"{THOUGHT}abcd"], **given) == [1.0, 0.75]
    assert step_similarity([f"{THOUGHT}We add.\nbcde"], begun=["We add.\n"], step="bcde")[0] < 1


def test_who_copies_with_probability_p_has_the_mean_that_follows():
    """P + (1 - p) r, with r the similarity of what is written instead; within three standard deviations."""
    n, p, other = 2_000, 0.3, "We count pears."
    step = "So 3 + 4 = 7."
    rng = random.Random(0)
    said = [step if rng.random() < p else other for _ in range(n)]
    values = step_similarity([f"{THOUGHT}{s}" for s in said], step=step)
    r = similarity(other, step)
    assert 0 < r < 0.6
    assert abs(sum(values) / n - (p + (1 - p) * r)) < 3 * (1 - r) * (p * (1 - p) / n) ** 0.5


def test_partial_has_three_values_in_order():
    columns = {"answer": ["7"] * 3, "answer_kind": ["number"] * 3}
    said = ["The answer is 7.", "The answer is 8.", "I do not know."]
    assert partial(said, **columns) == [1.0, 0.2, 0.0]
    assert partial(said, **columns, full=2, parsed=-0.5, none=-1) == [2.0, -0.5, -1.0]
    for wrong in ({"parsed": 1.0}, {"none": 0.3}, {"full": 0.1}):
        with pytest.raises(UserError, match="the reward partial has full"):
            partial(said, **columns, **wrong)

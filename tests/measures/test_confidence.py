"""Figures of the tokens of a step: the closed forms of arXiv:2403.19094, and their bounds."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from synth.measures import token_confidence, token_divergence

LOGPROBS = st.lists(st.floats(-50, 0), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.3, 0.3, 0.3], 0.0),
        ([0.9, 0.9, 0.1], 0.4810),
        ([1.0, 0.0], 0.6339),
        ([0.7], 0.0),
        ([0.0, 0.0], 0.0),
        ([], 0.0),
    ],
)
def test_divergence_in_closed_form(probabilities, expected):
    """0 for equal probabilities and for one token; the values of the formula else."""
    assert token_divergence(probabilities) == pytest.approx(expected, abs=5e-5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.01, 1))
def test_divergence_depends_on_the_ratios_alone(probabilities, factor):
    """It lies between 0 and that of one sure token among impossible ones, and scaling changes nothing."""
    found = token_divergence(probabilities)
    assert 0 <= found <= math.log(math.log(len(probabilities)) ** (1 / 3) + 1) + 1e-9
    if min(probabilities) > 1e-6:
        # A cube root magnifies what rounding leaves near 0.
        assert token_divergence([p * factor for p in probabilities]) == pytest.approx(found, abs=1e-4)


def test_figures_by_hand():
    """Probabilities 0.9, 0.9, 0.1 with two first tokens: each figure as computed on paper."""
    found = token_confidence([math.log(p) for p in (0.9, 0.9, 0.1)], first=2)
    assert found is not None
    assert (found.mean, found.minimum, found.first) == pytest.approx((1.9 / 3, 0.1, 0.9))
    assert found.leco == pytest.approx(1.9 / 3 + 0.9 - 0.4810, abs=5e-5)
    assert found.logprob == pytest.approx(math.log(0.081) / 3)
    assert found.perplexity == pytest.approx(0.081 ** (-1 / 3))
    assert found.tokens == 3


@pytest.mark.parametrize(("first", "skip", "expected"), [(1, 0, 0.1), (2, 1, 0.25), (5, 0, 0.2), (2, 3, 0.15)])
def test_which_tokens_are_the_first(first, skip, expected):
    """Those after a header; of a text that is a header alone its own first ones."""
    found = token_confidence([math.log(p) for p in (0.1, 0.2, 0.3)], first=first, skip=skip)
    assert found is not None
    assert found.first == pytest.approx(expected)


@given(LOGPROBS, st.integers(1, 8), st.integers(0, 8))
def test_figures_stay_within_their_bounds(logprobs, first, skip):
    """Probabilities in [0, 1], the minimum below the mean, and the mean below 1 / perplexity of Jensen turned round."""
    found = token_confidence(logprobs, first=first, skip=skip)
    assert found is not None
    assert 0 <= found.minimum <= found.mean + 1e-12
    assert found.mean <= 1
    assert found.minimum <= found.first + 1e-12
    assert found.leco <= 2
    assert found.perplexity is not None
    assert 1 / found.perplexity <= found.mean + 1e-9


def test_what_endpoints_send_for_impossible_and_certain_tokens():
    """-9999 is a probability of 0, and a value above 0 is rounding: neither gives an endless number."""
    found = token_confidence([-9999.0, 1e-7])
    assert found is not None
    assert (found.mean, found.minimum, found.perplexity) == (0.5, 0.0, None)
    assert token_confidence([]) is None

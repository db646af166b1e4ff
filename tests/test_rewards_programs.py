"""The reward of programs."""

from __future__ import annotations

import pytest

from synth import rewards
from synth.sandbox import why_none

pytestmark = pytest.mark.skipif(why_none() is not None, reason="there is no sandbox here")


def test_a_share_of_the_tests_is_a_share_of_the_reward():
    """12 of 16 tests failed give 0.25, as in arXiv:2508.07629; with `hard` nothing."""
    tests = [{"call": f"f({n})", "expected": n} for n in range(16)]
    completion = "```python\ndef f(n):\n    return n if n < 4 else -n\n```"
    assert rewards.tests_passed([completion, "no program"], tests=[tests] * 2) == [0.25, 0.0]
    options = ['{"hard": true}']
    assert rewards.tests_passed([completion], tests=[tests], reward_args=options) == [0.0]
    whole = "```python\ndef f(n):\n    return n\n```"
    assert rewards.tests_passed([whole], tests=[tests], reward_args=options) == [1.0]
    assert rewards.tests_passed([whole], tests=["[]"]) == [None]


def test_a_program_that_never_ends_costs_three_tests():
    """The rest count as failed without being run."""
    tests = [{"call": f"f({n})", "expected": n} for n in range(100)]
    completion = "```python\ndef f(n):\n    while True: pass\n```"
    assert rewards.tests_passed([completion], tests=[tests], reward_args=['{"timeout": 0.3}']) == [0.0]

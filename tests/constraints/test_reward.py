"""The reward `constraints`: shares, the table of values, and what counts as the response."""

from __future__ import annotations

import json

import pytest

from synth.constraints import letters
from synth.errors import SetupError
from synth.rewards import constrained, constraints

FOUR = [
    {"id": "punctuation:no_comma"},
    {"id": "detectable_format:title"},
    {"id": "keywords:existence", "args": {"keywords": ["cat"]}},
    {"id": "punctuation:no_exclamation"},
]
SAID = {0: "a, b!", 1: "a, b", 2: "a b", 3: "a cat", 4: "<<a>> cat"}


@pytest.mark.parametrize(("met", "value"), [(0, -2), (1, 0.25), (2, 0.5), (3, 0.75), (4, 2)])
def test_the_table_of_values(met: int, value: float):
    """None of four is -2, one .25, three .75, all 2 (arXiv:2506.01413); by default it is the share, times a scale."""
    columns = {"constraints": [json.dumps(FOUR)]}
    assert constraints([SAID[met]], **columns, table=True) == [value]
    assert constraints([SAID[met]], **columns) == [met / 4]
    assert constraints([SAID[met]], **columns, scale=5) == [5 * met / 4]


@pytest.mark.parametrize(
    ("completion", "share"),
    [
        ("<think>a, b!</think><<a>> cat", 1),
        ("<think><<a>> cat</think>a, b!", 0),
        ("<think>a", 0),
        ("<think><<a>> cat", 0),
        ("<think><<a>> cat</think>", 0),
        ("a, b!</think><<a>> cat", 1),
        ("", 0),
    ],
)
def test_the_response_is_what_follows_the_thought(completion: str, share: float):
    """A thought that does not end earns 0, whatever it says."""
    assert constraints([completion], constraints=[FOUR]) == [share]


def test_a_thought_can_be_needed():
    """With `think` a reply without a thought, or with an empty one, complies with nothing."""
    for said, share in (("<<a>> cat", 0), ("<think> </think><<a>> cat", 0), ("<think>b</think><<a>> cat", 1)):
        assert constraints([said], constraints=[FOUR], think=True) == [share]
        assert constraints([said], constraints=[FOUR], think=True, table=True) == [2 if share else -2]


def test_constraints_on_the_reasoning_look_at_the_thought():
    given = [[{"id": "punctuation:no_comma", "on": "reasoning", "args": {"x": None}}]] * 3
    assert constraints(["<think>a</think>b, c", "<think>a, b</think>c", "a, b"], constraints=given) == [1, 0, 0]


def test_what_is_unknown_is_not_met_and_what_a_judge_decides_does_not_count():
    """A Chinese text of unknown length; a soft constraint beside another one, and alone."""
    words = {"id": "length_constraints:number_words", "args": {"num_words": 5}}
    soft = {"id": "soft:judged", "args": {"instruction": "a", "question": "b"}}
    said = ["我们知道这个总和是正确的"] * 3
    given = [[words, FOUR[0]], [soft, FOUR[0]], [soft]]
    assert constraints(said, constraints=given) == [0.5, 1.0, None]


def test_without_its_library_a_reward_stops(monkeypatch: pytest.MonkeyPatch):
    """Rewards of 0 for every completion would train on nothing, and say nothing."""
    for module in (letters, constrained):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="py3langid"):
        constraints(["a"], constraints=[[{"id": "language:response_language", "args": {"language": "fr"}}]])


def test_an_unknown_constraint_costs_its_completion_alone(caplog: pytest.LogCaptureFixture):
    assert constraints(["a", "a"], constraints=[[{"id": "a:b"}], FOUR[:1]]) == [None, 1.0]
    assert "no constraint 'a:b'" in caplog.text

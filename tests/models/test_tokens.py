"""Log-probabilities as they are kept: the tokens that were written, their bytes where needed, and no alternatives unasked."""

from __future__ import annotations

import json
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from synth.models import Completion
from synth.models.tokens import chosen_alone, logprobs_of, raw_bytes


def sent(token: str, logprob: float, alternatives: int = 0, **more):
    """A token as servers with the interface of OpenAI send it."""
    others = [{"token": "x", "logprob": -9.0, "bytes": [120]}] * alternatives
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": others, **more}


def test_alternatives_that_nobody_asked_for_are_not_kept():
    """20 alternatives for each token are a hundred times the reply; with none asked for a token takes some 40 bytes."""
    reply = {"content": [sent(f" word{i}", -1.2345678901234567, 20) for i in range(300)]}
    kept = chosen_alone(reply, {"logprobs": True, "top_logprobs": 1})
    assert kept["content"][1] == {"token": " word1", "logprob": -1.234568}
    assert len(json.dumps(kept, separators=(",", ":"))) < 300 * 50
    assert chosen_alone(reply, {"top_logprobs": 20}) is reply
    assert chosen_alone(reply, {"logprobs": True}) == kept


@pytest.mark.parametrize("value", [None, {}, {"tokens": ["a"], "token_logprobs": [-1.0]}, {"content": []}, []])
def test_other_forms_are_left_alone(value):
    """Those of completion endpoints, and none at all."""
    assert chosen_alone(value, {"logprobs": True}) == value


@pytest.mark.parametrize("listed", [[300], [-1], "abc", None, [1.5], [[]]])
def test_bytes_that_are_none_are_passed_over(listed):
    """The text of the token counts then."""
    assert raw_bytes({"token": "a", "bytes": listed}) is None
    assert Completion("a", logprobs={"content": [sent("a", -1.0, bytes=listed)]}).token_logprobs[0].spelled == b"a"


def test_a_part_of_a_character_keeps_its_bytes():
    """The text of such a token is a replacement character; the four bytes of the horse spell it."""
    horse = "🦄".encode()
    reply = {"content": [sent("\ufffd", -0.5, bytes=list(horse[:3])), sent("\ufffd", -0.25, bytes=list(horse[3:]))]}
    found = Completion("🦄", logprobs=chosen_alone(reply, {})).token_logprobs
    assert b"".join(t.spelled for t in found) == horse
    assert [t.logprob for t in found] == [-0.5, -0.25]


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_the_words_of_a_text_spell_it(text):
    """Each character is of one token, and its probability is asked for by its place."""
    made = logprobs_of(text, lambda start, end: 1 / (2 + start + end))
    assert "".join(t["token"] for t in made["content"]) == text
    place = 0
    for token in made["content"]:
        end = place + len(token["token"])
        assert token["logprob"] == pytest.approx(-math.log(2 + place + end), abs=1e-6)
        place = end

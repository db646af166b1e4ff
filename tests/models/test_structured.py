"""Replies held to a shape."""

from __future__ import annotations

import json
from typing import Literal

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given
from pydantic import ConfigDict

from synth.models.structured import Reply, Unreadable, read_structured, repair_turn, response_format


class Review(Reply):
    verdict: Literal["correct", "wrong"]
    why: str = "nothing said"
    steps: tuple[str, ...] = ()
    title: str | None = None


GOOD = {"verdict": "wrong", "why": "Step 2.", "steps": ["a"]}
PLAIN = json.dumps(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"  {PLAIN}\n\n",
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```",
        f"Here it is:\n```json\n{PLAIN}\n```\nI hope it helps {{really}}.",
        f"Let me think. {{not JSON}} {PLAIN} Done.",
        f"<answer>{PLAIN}</answer>",
        f'First {{"verdict": "correct", "why": "", "steps": []}}, no: {PLAIN}',
        json.dumps({**GOOD, "confidence": 3}),
    ],
)
def test_wrapping_is_read_through(text: str):
    assert read_structured(text, Review) == Review(**GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would rather talk about something else",
        PLAIN[:-1],  # cut off: half a reply is no reply
        PLAIN[:-8],
        '{"verdict": "wrong", "why": "it breaks off he',
        '{"verdict": "maybe", "why": "x", "steps": []}',
        '["wrong"]',
        '{"why": "x"}',
        "{" * 2000,
    ],
)
def test_what_lacks_the_shape_is_not_patched_up(text: str):
    with pytest.raises(Unreadable):
        read_structured(text, Review)


def test_what_is_wrong_is_said_in_words_a_model_can_act_on():
    with pytest.raises(Unreadable, match=r"verdict: Input should be 'correct' or 'wrong'"):
        read_structured('{"verdict": "maybe", "why": "", "steps": []}', Review)
    said, ask = repair_turn("maybe", "verdict: missing", Review)
    assert said == {"role": "assistant", "content": "maybe"}
    assert "verdict: missing" in ask["content"]
    assert '"verdict", "why", "steps", "title"' in ask["content"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        (r"2 \times 3", r"2 \times 3"),
        (r"\theta \neq \rho", r"\theta \neq \rho"),
        (r"\(x\) and \sqrt{2}", r"\(x\) and \sqrt{2}"),
        (r"\boxed{5}", r"\boxed{5}"),
        (r"\underline{x}", r"\underline{x}"),
        (r"\\frac{1}{2}", r"\frac{1}{2}"),
        (r"a\nb", "a\nb"),
        (r"a\tb", "a\tb"),
        (r"say \"yes\"", 'say "yes"'),
        (r"caf\u00e9", "café"),
    ],
)
def test_latex_whose_backslashes_were_not_doubled_is_read_as_it_was_meant(written: str, meant: str):
    assert read_structured('{"verdict": "wrong", "why": "' + written + '"}', Review).why == meant


@given(st.text(), st.lists(st.text()))
def test_whatever_is_written_properly_is_read_as_it_is(why: str, steps: list[str]):
    class Plain(Reply):
        model_config = ConfigDict(str_strip_whitespace=False)
        why: str
        steps: list[str]

    # Undoubled LaTeX is told apart from an escape by the word that follows; json.dumps doubles every backslash.
    if any(c in why + "".join(steps) for c in "\b\f\n\r\t"):
        why, steps = why.replace("\\", ""), [s.replace("\\", "") for s in steps]
        for c in "\b\f\n\r\t":
            why, steps = why.replace(c, ""), [s.replace(c, "") for s in steps]
    got = read_structured(json.dumps({"why": why, "steps": steps}), Plain)
    assert (got.why, got.steps) == (why, steps)


def test_the_schema_is_of_the_strict_form():
    class Outer(Reply):
        review: Review
        score: int = 3

    schema = response_format(Outer)["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert schema["schema"]["required"] == ["review", "score"]
    inner = schema["schema"]["$defs"]["Review"]
    assert inner["required"] == ["verdict", "why", "steps", "title"]
    assert "default" not in json.dumps(schema)
    jsonschema.validate({"review": {**GOOD, "title": None}, "score": 1}, schema["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"review": {**GOOD, "title": None}, "score": 1, "more": 1}, schema["schema"])

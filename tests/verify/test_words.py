"""Yes and no, and answers in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.verify import compare_answers, extract_answer, token_f1, verify_answer
from synth.verify.text import same_text


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("So the answer is yes.", "yes"),
        ("So the answer is generally no.", "no"),
        ("So the answer is no, they could not.", "no"),
        ("The answer is True", "yes"),
        ("The answer is: **False**", "no"),
        ("The answer is not true.", "no"),
        ("Yes, it is common to see frost. There is no doubt about hail.", "yes"),
        ("No, a pear floats.\nThat is true of all pears.", "no"),
        ("Yes, at first.\nNo.", "no"),
        ("The statement is true.\n\nIt holds for all n.", "yes"),
        ("Hence this claim is not correct.", "no"),
        ("\\boxed{\\text{Yes}}", "yes"),
        ('{"answer": "no"}', "no"),
        ('{"answer": false}', "no"),
        ("So the answer is uncertain.", None),
        ("So the answer is that there is no information.", None),
        ("There is no information about him. So the answer is unknown.", None),
        ("The answer is both yes and no.", None),
        ('It cannot be answered with a simple "true" or "false."', None),
        ("The answer is not a simple yes or no.", None),
        ("It is true that birds sing, but this is a question of taste.", None),
        ("Nothing noteworthy was known.", None),
        ("", None),
    ],
)
def test_yes_and_no(reply: str, said: str | None) -> None:
    assert extract_answer(reply, kind="boolean") == said


@pytest.mark.parametrize(("found", "gold"), [("yes", "True"), ("No.", "false"), ("TRUE", "Yes")])
def test_yes_is_true(found: str, gold: str) -> None:
    assert compare_answers(found, gold, kind="boolean").label == "right"
    flipped = "no" if gold.lower() in {"yes", "true"} else "yes"
    assert compare_answers(found, flipped, kind="boolean").label == "wrong"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("So the answer is 09/02/2020.", "09/02/2020"),
        ('The answer is "Paris".', "Paris"),
        ("The answer is **New York**.", "New York"),
        ("Final answer: the Nile\nIt is long.", "the Nile"),
        ('{"answer": "*a;*b"}', "*a;*b"),
        ('{"answer": {"w": 3, "x": [1]}}', '{"w":3,"x":[1]}'),
        ('```json\n{"answer": "old"}\n```\nCorrected:\n```json\n{"answer": "new"}\n```', "new"),
        ('{"reasoning": "cut off \\frac{1}{2}", "answer": "x"', "x"),
        ("Paris", "Paris"),
        ("It stands in the north of France, on the Seine.", None),
        ('{"answer": null}', None),
    ],
)
def test_words_are_read(reply: str, answer: str | None) -> None:
    assert extract_answer(reply, kind="text") == answer


@pytest.mark.parametrize(
    ("found", "gold", "same"),
    [
        ("the Nile", "Nile.", True),
        ("rock-and-roll", "Rock and Roll", True),
        ("the Nile", "the Rhine", False),
        ("", "Nile", False),
        ("09/02/2020", "09/02/2020", True),
        ("02/09/2020", "09/02/2020", False),
        ("[1,2]", "[1, 2]", True),
        ("[ 'a' ]", '["a"]', True),
        ("abc", "'abc'", True),
        ("0", "[0]", False),
        ("[]", "{}", False),
        ("[[1], 2]", "[1, 2]", False),
        ("-1", "{'a': 1}", False),
        ("'-123'", "'123'", False),
        ("permission", "'Permission'", False),
        ("a b", "'ab'", False),
        ("['a b']", "['ab']", False),
        ("aa__bb", "aa++bb", False),
        ("''", "''", True),
    ],
)
def test_the_same_words_or_the_same_code(found: str, gold: str, same: bool) -> None:
    assert same_text(found, gold) is same


def test_token_f1_from_a_threshold_on() -> None:
    assert token_f1("the big red dog", "big red dog") == 1
    assert token_f1("a b c d", "c d e f") == pytest.approx(4 / 7)  # the article goes
    assert token_f1("", "dog") == 0
    assert compare_answers("big dog", "big red dog", kind="text", f1_threshold=0.8).label == "right"
    assert compare_answers("big dog", "big red dog", kind="text", f1_threshold=0.81).label == "wrong"


@settings(deadline=None)
@given(st.text(min_size=1).filter(str.strip))
def test_every_text_is_the_same_as_itself(text: str) -> None:
    assert same_text(text, text)


@pytest.mark.parametrize("gold", ["Paris", "yes", "18", "x^2 + 1"])
def test_the_kind_is_inferred_where_it_is_not_given(gold: str) -> None:
    assert verify_answer(f"The answer is {gold}.", gold).label == "right"

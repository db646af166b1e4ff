"""Reading letters of choices."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.verify import compare_answers, extract_answer, verify_answer
from synth.verify.choices import last_named_choice, read_choice

CITIES = ("Paris", "York", "New York", "a small town", "none of these")
NUMBERS = ("10", "12", "$15", "20%", "None")


@pytest.mark.parametrize(
    ("statement", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("(b).", "B"),
        ("B) York", "B"),
        ("B. York", "B"),
        ("**B**", "B"),
        ("\\text{B}", "B"),
        ("option B", "B"),
        ("B because it is old", "B"),
        ("B is right", "B"),
        ("E", "E"),
        ("F", None),
        ("York", "B"),
        ("New York", "C"),
        ("the city of New York, I think", "C"),
        ("A", "A"),
        ("A small town", "D"),
        ("a small town", "D"),
        ("A nice place", None),
        ("a nice place", None),
        ("a (nice) place", None),
        ("Berlin", None),
        ("Delhi", None),
        ("(rounded to two decimals) (b) York", "B"),
        ("B and C", None),
        ("(B) and (C)", None),
        ("(B), (C), and (D)", None),
        ("B) York and C) New York", None),
        ("not listed", None),
        ("", None),
    ],
)
def test_a_statement_names_a_choice(statement: str, letter: str | None) -> None:
    assert read_choice(statement, CITIES) == letter


@pytest.mark.parametrize(
    ("statement", "letter"),
    [
        ("12", "B"),
        ("12.0", "B"),
        ("15 dollars", "C"),
        ("$\\boxed{12}$", "B"),
        ("20", "D"),
        ("12 or 10", None),
        ("5 * 2 = 10", "A"),
        ("11", None),
    ],
)
def test_a_statement_gives_the_number_of_a_choice(statement: str, letter: str | None) -> None:
    assert read_choice(statement, NUMBERS) == letter


def test_signs_tell_choices_apart() -> None:
    scores = ("LOD score < 3", "LOD score > 3", "-150 J", "150 J")
    assert [read_choice(c, scores) for c in scores] == ["A", "B", "C", "D"]


def test_a_small_letter_that_is_an_option_is_that_option() -> None:
    assert read_choice("c", ("c", "d", "bd", "ac")) == "A"
    assert read_choice("C", ("c", "d", "bd", "ac")) == "C"


def test_the_letters_inside_of_an_option_are_no_second_choice() -> None:
    choices = ("(A) yes, (B) no", "(A) no, (B) yes")
    assert read_choice("B. (A) no, (B) yes", choices) == "B"


def test_yes_and_no_name_options_that_say_so() -> None:
    for choices, yes in ((("True", "False"), "A"), (("No", "Yes"), "B")):
        assert read_choice("Yes, it is.", choices) == yes
        assert read_choice("not true", choices) != yes


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("It is old.\nAnswer B", "B"),
        ("It is old.\nANS:B", "B"),
        ("so 10 ways ANS: B", "B"),
        ("It is old.\nAnswer - B", "B"),
        ("It is old.\nOption B", "B"),
        ("It is old.\nAnswer B is correct option", "B"),
        ("ANSWER :(Option B)", "B"),
        ("Thus, B is the correct answer", "B"),
        ("B) York is the best answer choice as it is old.", "B"),
        ("The most likely place is:\n\nB) York\n\nYork is an old city in the north.", "B"),
        ("(B) York", "B"),
        ("B", "B"),
        ("The pair that does not fit is B) York.", "B"),
        ("Vitamin C", None),
        ("He took plan B", None),
        ("I saw A and B.", None),
        ("The answer A man gives", None),
        ("Let P(A) and P(B) be what they are.", None),
        ("York (B) would not be expected.", None),
        ("I cannot say.", None),
        ("the unit is 8314 J", None),
        ("", None),
    ],
)
def test_a_last_line_names_a_choice(text: str, letter: str | None) -> None:
    assert last_named_choice(text, CITIES) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is (B).", "B"),
        ("The answer is B.\n\nQuestion: Where?\nThe answer is C.", "B"),
        ("The answer is B. Wait. The answer is C.", "C"),
        ("The answer is ... B.", "B"),
        ("The closest answer choice is (b) York.", "B"),
        ("Hence, answer will be B.", "B"),
        ("\\boxed{\\text{(B)}}", "B"),
        ('{"answer": "B"}', "B"),
        ("P(A or B) = P(A) + P(B), so the answer is not listed.", None),
        ("So the answer is not listed. Yet the best answer is B.", "B"),
        ("A man took a plan. It was a good one in York and Paris.", None),
        ("E(X) is 12 with p(C).", None),
    ],
)
def test_reply(reply: str, letter: str | None) -> None:
    assert extract_answer(reply, kind="choice", choices=CITIES) == letter


def test_the_gold_answer_may_be_letter_or_text() -> None:
    for gold in ("C", "New York"):
        assert compare_answers("C", gold, kind="choice", choices=CITIES).label == "right"
        assert compare_answers("B", gold, kind="choice", choices=CITIES).label == "wrong"
        assert compare_answers("Rome", gold, kind="choice", choices=CITIES).label == "unparsed"


WORDS = st.lists(st.from_regex(r"[a-z]{5,9}", fullmatch=True), min_size=2, max_size=10, unique=True)
STATED = st.sampled_from(
    ["{l}", "({l})", "The answer is ({l}).", "The correct answer is {l}) {t}.", "So the answer is {t}.", "Answer: {l}",
     "**{l}. {t}**", "It is plain.\nANSWER:{l}", "\\boxed{{{l}}}"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(words=WORDS, stated=STATED, data=st.data())
def test_a_choice_is_read_back_and_no_other_is_right(words: list[str], stated: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words) - 1))
    letters = "ABCDEFGHIJ"[: len(words)]
    reply = "We look at a list in A minor.\n" + stated.format(l=letters[at], t=words[at])
    for letter in letters:
        verdict = verify_answer(reply, letter, kind="choice", choices=words)
        assert verdict.label == ("right" if letter == letters[at] else "wrong")


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("(A) is wrong, so (B).", "B"), ("A is incorrect. B is correct.", "B"), ("A is not correct; D is.", "D"),
        ("A isn't right, and B is out.", None), ("(A) is wrong.", None), ("It can't be A.", None),
        ("The answer can't be A.", None), ("(A)(B)", None), ("(A) (B)", None), ("I think B, but it could be C.", None),
        ("I'd guess B", "B"), ("I'm not sure, but B.", "B"), ("Hence, B", "B"), ("=> (B)", "B"), ("So B it is.", "B"),
        ("<u>B</u>", "B"), ("<b>B</b>", "B"), ("La respuesta correcta es la opción B.", "B"),
        ("A resposta correta é a letra B.", "B"), ("Die Antwort ist Option B.", "B"),
    ],
)  # fmt: skip
def test_options_that_are_ruled_out_and_ways_to_close(reply: str, letter: str | None):
    assert extract_answer(reply, kind="choice", choices=CITIES) == letter


def test_a_capital_alone_is_a_letter_and_a_sign_is_part_of_a_number():
    assert extract_answer("B", kind="choice", choices=("B", "A", "D")) == "B"
    assert extract_answer("The answer is B.", kind="choice", choices=("B", "A", "D")) == "B"
    assert extract_answer("The answer is -10.", kind="choice", choices=NUMBERS) is None
    assert extract_answer("The answer is - B", kind="choice", choices=NUMBERS) == "B"
    assert extract_answer("It’s red", kind="choice", choices=("It's red", "blue")) == "A"

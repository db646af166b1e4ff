"""Reading and comparing numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth.verify import compare_answers, extract_answer, infer_kind, verify_answer
from synth.verify.numbers import find_numbers, is_number, last_number, read_number

READ = [
    ("18", 18),
    ("18.0", 18),
    ("18.", 18),
    (".5", Fraction(1, 2)),
    ("-7", -7),
    ("−7", -7),
    ("- 7", -7),
    ("1,234,567", 1234567),
    ("1,234.50", Fraction(2469, 2)),
    ("1{,}234", 1234),
    ("1 234", 1234),
    ("1\u202f234", 1234),
    ("10\\,000", 10000),
    ("$18", 18),
    ("\\$18", 18),
    ("-$18", -18),
    ("$-18", -18),
    ("€1,000", 1000),
    ("Rs. 500", 500),
    ("18%", 18),
    ("0.5\\%", Fraction(1, 2)),
    ("3/4", Fraction(3, 4)),
    ("2 1/2", Fraction(5, 2)),
    ("\\frac{3}{4}", Fraction(3, 4)),
    ("\\dfrac34", Fraction(3, 4)),
    ("-\\frac{1}{2}", Fraction(-1, 2)),
    ("1.5e3", 1500),
    ("3 \\times 10^4", 30000),
    ("3 × 10^{-2}", Fraction(3, 100)),
    ("18 dollars", 18),
    ("18 cm^2", 18),
    ("18\\text{ cm}^2", 18),
    ("90^\\circ", 90),
    ("$10,000/day", 10000),
    ("x = 5", 5),
    ("5 * 3 = 15 apples", 15),
    ("4*15*12 = 60*12 = $720/year", 720),
    ("18 dollars (2 days)", 18),
    ("\\approx 5", 5),
    ("(18)", 18),
    ("n = **18**", 18),
    ("1½", Fraction(3, 2)),
]

NOT_ONE_NUMBER = [
    "5:30",
    "3 pm",
    "3 p.m.",
    "5 o'clock",
    "1/2/2020",
    "09/02/2020",
    "2020-01-02",
    "13th",
    "the 5th grade",
    "5 or 3",
    "x = 5 or x = 3",
    "x = 5, y = 3",
    "between 5 and 10",
    "5-10",
    "18 to 20",
    "(5, 10)",
    "1,2,3",
    "3\\sqrt{2}",
    "sqrt(16)",
    "\\log 2",
    "2\\pi",
    "2^5",
    "2**5",
    "x^2",
    "2x",
    "3x + 2",
    "x - 5",
    "5*3",
    "3 x 4",
    "10 - 7",
    "1 - sin(1)",
    "5/x",
    "f(2)",
    "-\\frac{1}{3L^3}",
    "±5",
    "\\pm 5",
    "|-5|",
    "4 minus 5",
    "5.0.1",
    "2²",
    "1e999999",
    "3/0",
    "",
    "five",
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_a_number_is_read_in_every_way_it_is_written(text: str, value: Fraction) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize("text", NOT_ONE_NUMBER)
def test_what_is_not_one_number_is_not_read_as_one(text: str) -> None:
    assert read_number(text) is None
    assert not is_number(text)


@pytest.mark.parametrize(
    ("found", "gold", "label"),
    [
        ("18%", "18", "right"),
        ("18", "18%", "right"),
        ("18%", "0.18", "wrong"),
        ("0.18", "18%", "wrong"),
        ("18.0", "18", "right"),
        ("18.01", "18", "wrong"),
        ("1800", "18", "wrong"),
        ("-18", "18", "wrong"),
        ("0.333", "1/3", "wrong"),
        ("2/6", "1/3", "right"),
        ("$1,000.00", "1000", "right"),
        ("1,000", "1", "wrong"),
        ("5:30", "5", "unparsed"),
        ("3\\sqrt{2}", "3", "unparsed"),
        ("5 or 3", "5", "unparsed"),
        (None, "5", "unparsed"),
        ("  ", "5", "unparsed"),
    ],
)
def test_comparison(found: str | None, gold: str, label: str) -> None:
    assert compare_answers(found, gold, kind="number").label == label


def test_tolerance_is_relative_to_the_gold_answer() -> None:
    assert compare_answers("103", "100", kind="number", tolerance=0.04).label == "right"
    assert compare_answers("105", "100", kind="number", tolerance=0.04).label == "wrong"
    assert compare_answers("-100", "100", kind="number", tolerance=0.04).label == "wrong"
    assert compare_answers("0.001", "0", kind="number", tolerance=0.04).label == "wrong"


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("He has 3 apples and buys 4.", "4"),
        ("In 5 days he jumps 10 * 40 = <<10*40=400>>400 times in 5 days.", "400"),
        ("3*2 = 6 dollars. After that he has 9.", "9"),
        ("The meeting at 5:30 cost $20 on the 13th day.", "$20"),
        ("2400 / 200 = <<2400/200=12>>12 200-kilobyte videos", "12"),
        ("pay 10-7", "7"),
        ("200\n300", "300"),
        ("20\n1/2", "1/2"),
        ("Nothing here.", None),
        ("<<3*3=9>>", None),
    ],
)
def test_the_number_a_text_ends_on(text: str, last: str | None) -> None:
    assert last_number(text) == last


def test_places_of_numbers_are_those_in_the_text() -> None:
    text = "a <<1+1=2>>2 b -3"
    assert find_numbers(text) == [(11, "2"), (15, "-3")]
    assert all(text[place:].startswith(number) for place, number in find_numbers(text))


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("18", "number"),
        ("$1,200", "number"),
        ("18 apples", "number"),
        ("5:30", "text"),
        ("12/01/2019", "text"),
        ("3rd", "text"),
        ("2x", "math"),
        ("3\\sqrt{2}", "math"),
        ("(0, 1)", "math"),
        ("x^2", "math"),
        ("yes", "boolean"),
        ("False.", "boolean"),
        ("Paris", "text"),
    ],
)
def test_kind_of_a_gold_answer(gold: str, kind: str) -> None:
    assert infer_kind(gold) == kind


INTEGERS = st.one_of(st.integers(-(10**12), 10**12), st.integers(-1000, 1000))
WRITTEN = st.sampled_from(["{n}", "{n:,}", "{n}.0", "{n:,}.00", "{n:.1f}"])
WRAPPED = st.sampled_from(
    ["{x}", "{x} apples", "{x} square meters", "{x}%", "{x}\\%", "{x}\\text{{ cm}}", "{x}^\\circ", "${x}$", "**{x}**"]
)
STATED = st.sampled_from(
    [
        "The answer is {x}.",
        "So the final answer is: {x}",
        "Answer: {x}",
        "**Final Answer:** {x}.",
        "Therefore, the correct answer is {x}. (2 days later it was 7.)",
        "The answer is {x}.\n\nQuestion: What is 2 + 2?\nThe answer is 4.",
        "\\[\\boxed{{{x}}}\\] in 3 days",
        "Hence $n = \\boxed{{n = {x}}}$.",
        "#### {x}",
        '```json\n{{"reasoning": "3 + 4", "answer": "{x}"}}\n```',
        "A: {x}",
    ]
)


@settings(max_examples=250, deadline=None)
@given(n=INTEGERS, written=WRITTEN, wrapped=WRAPPED, stated=STATED, off=st.integers(1, 10**6))
@example(n=-1000, written="{n:,}", wrapped="{x}\\text{{ cm}}", stated="A: {x}", off=2000)
def test_an_integer_is_read_back_and_no_other_is_right(
    n: int, written: str, wrapped: str, stated: str, off: int
) -> None:
    x = wrapped.format(x=written.format(n=n))
    if '"answer"' in stated:
        x = x.replace("\\", "\\\\")
    reply = "At 5:30 on 1/2/2020 he had 12 of the 13th.\n" + stated.format(x=x)
    assert verify_answer(reply, str(n), kind="number").label == "right"
    for other in (n + off, n - off, n * 10 or 1, n * 100 + 1):
        if other != n:
            assert verify_answer(reply, str(other), kind="number").label == "wrong"


@settings(max_examples=200, deadline=None)
@given(a=st.integers(-999, 999), b=st.integers(1, 999))
def test_a_fraction_is_read_back(a: int, b: int) -> None:
    value = Fraction(a, b)
    for written in (f"{a}/{b}", f"\\frac{{{a}}}{{{b}}}", f"({a})/({b})"):
        found = extract_answer(f"So \\boxed{{{written}}}.", kind="number")
        assert found is not None
        assert read_number(found) == value

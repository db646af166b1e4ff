"""Replies as models write them, each kind with its right verdict: what cannot be decided is never right."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth.records import AnswerKind
from synth.verify import FoundAnswer, compare_answers, extract_answer, find_answer, infer_kind, verify_answer
from synth.verify.numbers import read_number

CITIES = ("Paris", "Rome", "Berlin", "Madrid")
WEATHER = ("sun", "cloud", "rain", "snow")
MATH: dict[str, Any] = {"kind": "math", "timeout": 20}
CHOICE: dict[str, Any] = {"choices": CITIES}
NUMBER: dict[str, Any] = {"kind": "number"}


def is_right(reply: str, gold: str, **options: Any) -> bool:
    return verify_answer(reply, gold, **{"timeout": 20, **options}).label == "right"


# Reply, gold answer.
SIGNS_OF_WORDS_RIGHT = [
    ("The answer is New-York.", "New York"),
    ("The answer is rock & roll.", "rock and roll"),
    ("The answer is and/or.", "and or"),
    ("The answer is C#.", "C#"),
    ("The answer is **Paris**.", "Paris"),
    ("The answer is [Paris].", "Paris"),
    ("The answer is U.S.A.", "U.S.A."),
    ("The answer is the Nile.", "Nile"),
    ("The answer is COVID 19.", "COVID-19"),
    ("The answer is 09-02-2020.", "09/02/2020"),
    ("The answer is vitamin A.", "Vitamin A"),
]
SIGNS_OF_WORDS_NOT = [
    ("The answer is Na+.", "Na"),
    ("The answer is Na.", "Na+"),
    ("The answer is C#.", "C"),
    ("The answer is C++.", "C"),
    ("The answer is ¬p.", "p"),
    ("The answer is -x.", "x"),
    ("The answer is |x|.", "x"),
    ("The answer is x!.", "x"),
    ("The answer is x = y.", "x y"),
    ("The answer is p → q.", "p q"),
    ("The answer is vitamin.", "Vitamin A"),
    ("The answer is Co.", "CO"),
    ("The answer is x².", "x2"),
    ("The answer is 3.5 m.", "35 m"),
    ("The answer is not Paris.", "Paris"),
    ("The answer is A+.", "A-"),
    ("The answer is 5:30.", "530"),
]


@pytest.mark.parametrize(("reply", "gold"), SIGNS_OF_WORDS_RIGHT)
def test_words_without_the_signs_that_say_nothing(reply: str, gold: str) -> None:
    assert is_right(reply, gold, kind="text")


@pytest.mark.parametrize(("reply", "gold"), SIGNS_OF_WORDS_NOT)
def test_signs_that_say_something(reply: str, gold: str) -> None:
    assert not is_right(reply, gold, kind="text")
    assert not is_right(reply, gold)


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("n-1", "math"), ("5 - x", "math"), ("x/2", "math"), ("a/b", "math"), ("37_8", "math"), ("x > 10", "math"),
        ("0 < x < 12.5", "math"), ("-3, 3", "math"), ("2 and 3", "math"), ("30, 60, 90", "math"), ("\\{1, -1\\}", "math"),
        ("{1, 2}", "math"), ("5!", "math"), ("|x|", "math"), ("√2", "math"), ("2, 3 or 4", "math"),
        ("1,234", "number"), ("2 million", "number"), ("10³", "number"), ("2½", "number"), ("1208925819614629174706176", "number"),
        ("New-York", "text"), ("Ann > Bob", "text"), ("COVID-19", "text"), ("N/A", "text"), ("e-mail", "text"), ("5:30", "text"),
        ("{'a': 1}", "text"), ("['a']", "text"), ("12/01/2019", "text"), ("C#", "text"), ("he/she", "text"),
    ],
)  # fmt: skip
def test_the_kind_of_a_gold_answer(gold: str, kind: AnswerKind) -> None:
    assert infer_kind(gold) == kind


MATHEMATICS_RIGHT = [
    ("3, -3", "-3, 3"),
    ("2 \\text{ and } 3", "2, 3"),
    ("\\{-1, 1\\}", "\\{1, -1\\}"),
    ("(0, 12.5)", "0 < x < 12.5"),
    ("0 < x < 12.5", "(0, 12.5)"),
    ("x \\ge 2", "[2, \\infty)"),
    ("x < 1 \\text{ or } x > 3", "(-\\infty, 1) \\cup (3, \\infty)"),
    ("\\frac{x}{2}", "x/2"),
    ("37_{8}", "37_8"),
    ("-1+n", "n-1"),
    ("10 < x", "x > 10"),
    ("x=2 \\text{ or } x=3", "2,3"),
    ("30^\\circ, 60^\\circ, 90^\\circ", "30, 60, 90"),
    ("\\boldsymbol{13}", "13"),
    ("\\displaystyle 13", "13"),
    ("\\boxed{13}", "13"),
    ("\\cfrac{5}{2}", "2.5"),
    ("√2", "\\sqrt{2}"),
    ("2√3", "2\\sqrt{3}"),
    ("x²", "x^2"),
    ("x₁", "x_1"),
    ("∞", "\\infty"),
    ("\\varnothing", "\\emptyset"),
    ("45\\degree", "45^\\circ"),
    ("1-\\frac1e", "1 - \\frac{1}{\\mathrm{e}}"),
    ("2^{-99}", "\\frac{1}{2^{99}}"),
    ("2\\frac{1}{2}", "2.5"),
    ("x = 1, y = 2", "(1, 2)"),
    ("y = 2, x = 1", "x = 1, y = 2"),
    ("x \\in (0, 1)", "(0,1)"),
    ("\\\\frac{1}{2}", "\\frac{1}{2}"),
    ("\x0crac{1}{2}", "\\frac{1}{2}"),
]
MATHEMATICS_NOT = [
    ("4, -3", "-3, 3"),
    ("n+1", "n-1"),
    ("5 + x", "5 - x"),
    ("\\frac{1}{2006!}", "\\frac{1}{2004!}"),
    ("\\frac{1}{2^{98}}", "\\frac{1}{2^{99}}"),
    ("10^{-30}", "10^{-31}"),
    ("(10^{-30}, 1)", "(10^{-31}, 1)"),
    ("\\{2^{-98}, 1\\}", "\\{2^{-99}, 1\\}"),
    ("10^{-30} x", "10^{-31} x"),
    ("2^{-70}", "3^{-50}"),
    ("1, 3, 5, \\ldots, 2n-1", "1, 2, \\ldots, n"),
    ("1 + \\frac{1}{\\mathrm{e}}", "1 - \\frac{1}{\\mathrm{e}}"),
    ("4", "4\\sqrt(2)"),
    ("37_8", "37"),
    ("37_8", "37_9"),
    ("x'", "x"),
    ("f'(x)", "f(x)"),
    ("x \\to 3", "3"),
    ("3 \\mod 5", "3 \\mod 7"),
    ("2 \\text{ or more}", "2"),
    ("5 \\text{ hours } 30 \\text{ minutes}", "5"),
    ("(2, 1)", "(1, 2)"),
    ("(2, 1)", "1, 2"),
    ("x = 1, y = 2", "(2, 1)"),
    ("\\{1, 2\\}", "(1, 2)"),
    ("4t", "4"),
    ("9, 18, 27, 36", "36"),
    ("4:30", "4"),
    ("10..20", "10"),
    ("10\\text{--}20", "10"),
    ("2\\frac{1}{2}", "\\frac{21}{2}"),
    ("1 1/2", "11/2"),
    ("x > 10", "10"),
    ("10!", "10"),
    ("\\text{not }10", "10"),
]


@pytest.mark.parametrize(("said", "gold"), MATHEMATICS_RIGHT)
def test_the_same_mathematics(said: str, gold: str) -> None:
    assert is_right(f"So it is \\boxed{{{said}}}.", gold, **MATH)
    assert compare_answers(gold, said, kind="math", timeout=20).label == "right"


@pytest.mark.parametrize(("said", "gold"), MATHEMATICS_NOT)
def test_other_mathematics(said: str, gold: str) -> None:
    assert not is_right(f"So it is \\boxed{{{said}}}.", gold, **MATH)
    assert not is_right(f"So it is \\boxed{{{said}}}.", gold)
    assert compare_answers(gold, said, kind="math", timeout=20).label != "right"


NUMBERS = [
    ("2 million", 2_000_000), ("1.5 billion dollars", 1_500_000_000), ("3 thousand", 3000), ("$2.5 million", 2_500_000), ("5 lakh", 500_000),
    ("42万", 420_000), ("3億円", 300_000_000), ("5 千米", 5), ("8 dozen", 8),
    ("1.234.567", 1234567), ("1.234,56", Fraction(123456, 100)), ("8'000", 8000), ("8_000", 8000), ("1,00,000", 100_000),
    ("½", Fraction(1, 2)), ("2½", Fraction(5, 2)), ("10³", 1000), ("3×10⁸", 300_000_000), ("10^{-3}", Fraction(1, 1000)),
    ("42个", 42), ("3.5元", Fraction(7, 2)), ("４２", 42), ("\u221242", -42), ("–5", -5), ("10\\,\\Omega", 10), ("10\\,\\mu\\mathrm{m}", 10),
    ("10\\ \\mathrm{kg\\cdot m/s}", 10), ("<b>10</b>", 10), ("about 5", 5), ("~5", 5), ("≈ 5", 5), ("x = 10", 10), ("5 apples (of 7)", 5),
    ("1208925819614629174706176", 2**80), ("9" * 80, 10**80 - 1),
]  # fmt: skip
NO_NUMBERS = [
    "x > 10", "x >= 10", "x \\ge 10", "≥10", "10 < x", "x ≠ 10", "x != 10", "5!", "37_8", "37_{8}", "not 10", "\\text{not }10",
    "10\\mathrm{e}", "10\\text{--}20", "10..20", "10 … 20", "10-20", "10 – 20", "10 to 20", "10~20", "10+",
    "10 or more", "at least 10", "at most 10",
    "less than 10", "more than 10", "up to 10", "over 10", "no more than 10", "10 ± 2", "±10", "5 or 6", "5 and 6", "5, 6", "9, 18, 27, 36",
    "4:30", "4t", "4x", "10 mod 3", "5'6\"", "5 hours 30 minutes", "5 ft 6 in", "7 R 2", "0.333...", "0.(3)",
    "0.\\overline{3}", "10以上", "至少10", "不是10",
    "step 3", "question 4", "10:1", "1.2.3", "3,5", "第3", "log 10", "In 5 days Tom has 12 apples", "What is it after 30 years?",
    "isn't 10", "|10|", "10π", "10%-20%",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_number_in_the_ways_of_the_world(text: str, value: Fraction) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_number_with_something_beside_it(text: str) -> None:
    assert read_number(text) is None
    for number in {int(n) for n in re.findall(r"\d{1,9}", text)}:
        for reply in (f"\\boxed{{{text}}}", f"The answer is {text}.", text):
            assert not is_right(reply, str(number), **NUMBER), reply


def test_a_multiplier_may_be_the_unit_that_was_asked_for() -> None:
    for found, gold in (("2 million", "2"), ("2", "2 million"), ("3k", "3"), ("8 dozen", "96")):
        assert compare_answers(found, gold, kind="number").label == "unparsed"
    for found, gold in (
        ("2 million", "2000000"),
        ("3k", "3000"),
        ("3000", "3k"),
        ("$5M", "5,000,000"),
        ("8 dozen", "8"),
    ):
        assert compare_answers(found, gold, kind="number").label == "right"
    assert compare_answers("2 million", "3000000", kind="number").label == "wrong"


@pytest.mark.parametrize("gold", ["unknown", "N/A", "", "  ", "?"])
def test_without_a_gold_answer_nothing_is_right(gold: str) -> None:
    kinds: tuple[AnswerKind, ...] = ("number", "choice", "boolean")
    for kind in kinds:
        for found in ("5", "B", "yes", gold):
            verdict = compare_answers(found, gold, kind=kind, choices=CITIES if kind == "choice" else ())
            assert verdict.label in {"undecided", "unparsed"}
            assert verdict.detail


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B, cloud.", "B"), ("D. It will take a while.\n\nSnow falls slowly, and lies long.", "D"), ("B\n\nBecause it is grey.", "B"),
        ("(C) because it is wet", "C"), ("**B**\n\nIt is.", "B"), ("Option B", "B"), ("b)", "B"), ("(b)", "B"), ("Ｂ", "B"), ("（Ｂ）", "B"),
        ("Bです", "B"), ("答えはBです。", "B"), ("答案：B", "B"), ("故选D。", "D"), ("So I'd say B", "B"),
        ("I'd go with C.", "C"), ("It is not B but C.", "C"),
        ("The answer is C, not B.", "C"), ("The answer is cloud, not rain.", "B"), ("Answer: B: cloud", "B"),
        ("The answer is **B. cloud**.", "B"),
        ("La respuesta es B.", "B"), ("La réponse est : B", "B"), ("Die Antwort ist B.", "B"), ("Ответ: B", "B"), ("정답은 B입니다.", "B"),
        ("Step 1: \\boxed{\\langle H\\rangle \\ll \\Delta E}\n**Answer: B**", "B"), ("We get \\boxed{3.5}.\nAnswer: B", "B"),
        ("Answer: C.\nIn short \\boxed{B}", "B"), ("<answer>B</answer>", "B"), ("Work.\n\n**Answer**\n\nB", "B"),
        ("A, cloud.", None), ("A and C", None), ("A, B", None), ("both A and B", None), ("A/B", None), ("A & B", None), ("A B C", None),
        ("A, B, and D are right.", None), ("The answer is A, B, and D.", None), ("The answer is B or C.", None), ("答案是B和C", None),
        ("The answer is not A.", None), ("neither A nor B", None), ("The answer is anything but A.", None),
        ("The answer is not rain.", None),
        ("It isn't rain.", None), ("The answer is none of the above.", None), ("The answer is B) rain.", None), ("B. rain", None),
        ("A. sun: too dry\nB. cloud: too", None), ("The answer is B.\n\nFinal answer: C", None), ("不选D", None), ("The answer is E.", None),
        ("I, for one, cannot say.", None), ("unknown", None),
    ],
)  # fmt: skip
def test_choices_as_they_are_named(reply: str, letter: str | None) -> None:
    assert extract_answer(reply, kind="choice", choices=WEATHER) == letter


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("It is hot.\nmost likely no", "no"), (": Yes", "yes"), ("**Yes**, it is.", "yes"), ("Answer: No", "no"),
        ("<answer>yes</answer>", "yes"),
        ("答案是：是", "yes"), ("答案：否。", "no"), ("答えは「いいえ」です。", None), ("La respuesta es sí.", "yes"),
        ("Die Antwort ist nein.", "no"), ("Ответ: да", "yes"),
        ("\\boxed{\\text{No}}", "no"), ("Yes/No", None), ("The answer is yes or no.", None), ("The answer is not necessarily true.", None),
        ("The answer is partly true.", None), ("It cannot be determined.", None), ("maybe", None),
    ],
)  # fmt: skip
def test_yes_and_no_as_they_are_said(reply: str, said: str | None) -> None:
    assert extract_answer(reply, kind="boolean") == said


@pytest.mark.parametrize(
    ("reply", "gold", "options"),
    [
        ("所以小明一共有42个苹果。", "42", {}), ("答案是42", "42", {}), ("他付了3.5元", "3.5", {}), ("先有 10 个，后来一共有12个。", "12", {}),
        ("คำตอบคือ42", "42", {}), ("答えは42です。", "42", {}), ("정답은 42입니다.", "42", {}), ("Model A42 has 7 parts.", "7", {}),
        ("La respuesta es 42.", "42", {}), ("La réponse est 42.", "42", {}), ("Die Antwort lautet 42.", "42", {}), ("Ответ: 42.", "42", {}),
        ("答えは東京です。", "東京", {}), ("答案是北京。", "北京", {}),
        ("<answer>\nB\n</answer>", "B", CHOICE), ("<answer>Monday</answer>", "Monday", {}),
        ("<answer>18</answer>\nConfidence: 95", "18", {}),
        ("It takes 3 h, then 5. <answer>18</answer> (see step 4)", "18", {}), ("<Answer>18</Answer>", "18", {}),
        ("<answer>(2, 3)</answer>", "(2,3)", {}),
        ("<answer>\\boxed{18}</answer>", "18", {}), ("<answer>The answer is 18.</answer>", "18", {}),
        ("\\boxed{\\text{Monday}}", "Monday", {}), ("\\boxed{\\mathbf{\\text{New York}}}", "New York", {}),
        ("The answer is $\\text{Monday}$.", "Monday", {}),
        ("\\boxed{\\text{Ann} > \\text{Bob}}", "Ann > Bob", {}),
        ("2+2=4\n# Answer\n\n4", "4", MATH), ("Work.\n\n## Final Answer\n\n(2, 3)", "(2,3)", MATH),
        ("Work.\n\n### Answer\nMonday", "Monday", {}),
        ("Work in 3 days.\n# Answer\n\n4 apples (of 5)", "4", {}), ("Work.\n\n#### Step 3: add\n\nFinal answer:\n\n12", "12", {}),
        ("Hence the answer is:\n$$\n\\frac{1}{2}\n$$", "\\frac{1}{2}", MATH),
        ("Hence the answer is\n\\[\n\\frac{1}{2}\n\\]", "\\frac{1}{2}", MATH),
        ("So we get\n\\[x^2+1\\]", "x^2+1", MATH), ("So we get \\(x^2+1\\).", "x^2+1", MATH),
        ("The answer is 5!", "5", {}), ("The answer is **10.** Hope this helps!", "10", {}), ("The answer is 10.<|im_end|>", "10", {}),
        ("The answer is St. Louis. It lies on a river.", "St. Louis", {}), ("The answer is J. K. Rowling.", "J. K. Rowling", {}),
        ('{"answer": 1208925819614629174706176}', "1208925819614629174706176", {}), ('{"final_answer": 0.10}', "0.1", {}),
        ('{"answer": "\\frac{1}{2}"}', "\\frac{1}{2}", MATH), ('Here it is: {"answer": "5"} I hope it helps.', "5", {}),
        ("\\\\boxed{5}", "5", {}), ("\x08oxed{5}", "5", {}), ("The answer is “Paris”.", "Paris", {}),
    ],
)  # fmt: skip
def test_answers_where_replies_state_them(reply: str, gold: str, options: dict[str, Any]) -> None:
    assert is_right(reply, gold, **options)


@pytest.mark.parametrize(
    ("reply", "gold", "options"),
    [
        ("先有 10 个，后来一共有12个。", "10", {}), ("<answer>Tuesday</answer>", "Monday", {}), ("\\boxed{\\text{even}}", "odd", {}),
        ("9, 18, 27, 36", "36", {}), ("4t", "4", {}), ("4:30", "4", {}), ("The answer isn't 42.", "42", {}), ("答案不是42", "42", {}),
        ("It has 3, 4 and 5.", "5", {}), ("The answer is twelve. It took me 3 days.", "3", {}),
        ("If the answer is 5, it is odd. I cannot say.", "4", {}),
        ("The answer is 5. Final answer: 6", "6", {}), ("The answer is 5. Final answer: 6", "5", {}),
        ("The answer is 5. Actually, the answer is unknown.", "5", {}),
        ("#### Step 4: compute", "4", {}), ("<think>The answer is 5.", "5", {}), ("<think>The answer is 5.</think>\nIt is 6.", "5", {}),
        ('{"answer": null}', "5", {}), ("\\boxed{}", "5", {}),
    ],
)  # fmt: skip
def test_what_no_reply_states(reply: str, gold: str, options: dict[str, Any]) -> None:
    assert not is_right(reply, gold, **options)


THOUGHTS = [
    "<think>{t}</think>", "<thinking>{t}</thinking>", "<thought>{t}</thought>", "<reasoning>{t}</reasoning>", "[THINK]{t}[/THINK]",
    "<seed:think>{t}</seed:think>", "<mm:think>{t}</mm:think>", "◁think▷{t}◁/think▷", "<|START_THINKING|>{t}<|END_THINKING|>",
    "<|begin_of_thought|>{t}<|end_of_thought|>", "<|channel>thought\n{t}<channel|>",
    "<|channel|>analysis<|message|>{t}<|end|><|start|>assistant<|channel|>final<|message|>", "{t}</think>", "<THINK>{t}</THINK>\n\n",
]  # fmt: skip


@pytest.mark.parametrize("thought", THOUGHTS)
def test_no_answer_is_read_from_a_thought(thought: str) -> None:
    before = thought.format(t="Perhaps the answer is 5. So \\boxed{5}.")
    reply = before + "Two and two.\nThe answer is 4."
    assert find_answer(reply, kind="number") == FoundAnswer("4", (len(before) + 13, len(reply)))
    assert extract_answer(before + "I do not know.", kind="number") is None
    assert extract_answer(before, kind="number") is None
    assert not is_right(reply, "5")
    assert extract_answer(reply, kind="number", which="first") == "4"


SPANS: list[tuple[str, AnswerKind, str | None]] = [
    ("so 2+3 is 10.\n<The answer is 10.> Hope this helps!", "number", "10"),
    ("Work 3.\n\n<**Answer:** 10>", "number", "10"),
    ("Work.\n<**Answer: 10**>\n", "number", "10"),
    ("x\n<\\boxed{10}>", "number", "10"),
    ("x\n<$\\boxed{10}$.>", "number", "10"),
    ("x\n<\\[\n\\boxed{10}\n\\]>", "number", "10"),
    ("so $5+5=<\\boxed{10}>$.", "number", "10"),
    ("<So the final answer is $\\boxed{10}$.>", "number", "10"),
    ("<Therefore, $\\boxed{10}$.>", "number", "10"),
    ("We see that 3+7=10, so the answer is <$\\boxed{10}$>, as wished.", "number", "10"),
    ("2+3=5, so <the answer is 5.>", "number", "5"),
    ("It is old. <So the answer is (B).>", "choice", "B"),
    ("2 + 3 = 5\n<#### 5>", "number", "5"),
    ("2 + 3 = 5\n<A: 5>", "number", "5"),
    ("a\n<# Answer\n\n4>", "number", "4"),
    ("a\n<## Final Answer\n\n$\\frac{1}{2}$>", "math", "$\\frac{1}{2}$"),
    ("<**The answer is 10.**> Bye", "number", "10"),
    ("<- **Final answer**: 10 apples>\n\nBye", "number", "10 apples"),
    ("Hence\n<the answer is:\n$$\n\\frac{1}{2}\n$$>\nDone.", "math", "\\frac{1}{2}"),
    ("<Final Answer: The answer is 5.>", "number", "5"),
    ("<The answer is **B. Rome**.>", "choice", "B"),
    ("<10>", "number", "10"),
    ("  <**10**>\n", "number", "10"),
    ("<Yes.>", "boolean", "yes"),
    ("<B) Rome>", "choice", "B"),
    ("<所以答案是B。>", "choice", "B"),
    ("<答案是42。>谢谢", "number", "42"),
    ("He has 10", "number", "10"),
    ('{"answer": "10"}', "number", "10"),
    ("I do not know.", "number", None),
]


@pytest.mark.parametrize(("marked", "kind", "answer"), SPANS)
def test_the_place_of_a_statement(marked: str, kind: AnswerKind, answer: str | None) -> None:
    response = marked.replace("<", "").replace(">", "")
    found = find_answer(response, kind=kind, choices=CITIES if kind == "choice" else ())
    assert found.answer == answer
    if "<" not in marked:
        assert found.span is None
    else:
        assert found.span is not None
        assert response[slice(*found.span)] == marked[marked.index("<") + 1 : marked.index(">")]


def test_an_element_is_its_own_place() -> None:
    response = "So <answer>10</answer> it is."
    assert find_answer(response, kind="number") == FoundAnswer("10", (3, 22))


STYLES = [
    "The answer is {x}.", "So the final answer is {x}.", "**Answer:** {x}", "**Answer: {x}**", "Answer: {x}",
    "# Answer\n\n{x}", "## Final Answer\n{x}", "\\boxed{{{x}}}",
    "$\\boxed{{{x}}}$", "\\[\\boxed{{{x}}}\\]", "#### {x}", "<answer>{x}</answer>", "答案是{x}。",
    "La respuesta es {x}.", "La réponse est {x}.", "Die Antwort ist {x}.",
    "Ответ: {x}", "Therefore, the answer is **{x}**. Hope this helps!", "<think>\nThe answer is 7.\n</think>\nThe answer is {x}.", "A: {x}",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(-(10**6), 10**6),
    other=st.integers(1, 999),
    style=st.sampled_from(STYLES),
    after=st.sampled_from(["", "\n", "<|im_end|>"]),
)
def test_a_number_in_any_style_and_no_other(n: int, other: int, style: str, after: str) -> None:
    reply = "At 5:30 there were 12 of them.\n" + style.format(x=n) + after
    assert is_right(reply, str(n), **NUMBER)
    assert not is_right(reply, str(n + other), **NUMBER)
    assert not is_right(reply, str(-n or 1), **NUMBER)
    answer, span = find_answer(reply, kind="number")
    assert span is not None
    assert answer == str(n)
    assert answer in reply[slice(*span)]
    assert reply[slice(*span)].strip() == reply[slice(*span)]


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 3), style=st.sampled_from(STYLES), as_text=st.booleans())
def test_a_choice_in_any_style_and_no_other(at: int, style: str, as_text: bool) -> None:
    reply = "Let us look at a map.\n" + style.format(x=CITIES[at] if as_text else "ABCD"[at])
    for letter in "ABCD":
        assert is_right(reply, letter, **CHOICE) == (letter == "ABCD"[at])
    _, span = find_answer(reply, kind="choice", choices=CITIES)
    assert span is not None
    assert (CITIES[at] if as_text else "ABCD"[at]) in reply[slice(*span)]


ANSWERS = st.sampled_from(
    ["5", "-5", "5.0", "5%", "x > 5", "5!", "2 million", "2", "2000000", "3k", "3000", "8 dozen", "96", "1/2", "½", "0.5", "4:30", "4", "n-1",
     "n+1", "x", "-x", "|x|",
     "Paris", "New York", "New-York", "the Nile", "Nile", "C#", "C", "[0]", "0", "'a'", "a", "A", "B", "yes", "no",
     "true", "unknown", "", "1,2", "2,1", "(1,2)", "{1,2}"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(a=ANSWERS, b=ANSWERS, kind=st.sampled_from(["number", "choice", "boolean", "text"]))
def test_what_is_right_is_right_both_ways(a: str, b: str, kind: AnswerKind) -> None:
    choices = ("x", "Nile", "5") if kind == "choice" else ()
    there = compare_answers(a, b, kind=kind, choices=choices).label
    back = compare_answers(b, a, kind=kind, choices=choices).label
    assert (there == "right") == (back == "right")


@pytest.mark.parametrize(("a", "b"), [*MATHEMATICS_RIGHT[:16], *MATHEMATICS_NOT[:8]])
def test_mathematics_is_the_same_both_ways(a: str, b: str) -> None:
    labels = {compare_answers(x, y, kind="math", timeout=20).label == "right" for x, y in ((a, b), (b, a))}
    assert len(labels) == 1


PIECES = st.sampled_from(
    ["<think>", "</think>", "[THINK]", "<answer>", "</answer>", "\\boxed{", "}", "# Answer\n", "#### ", "**", "$$", "\\[", "\\]", "答案是",
     "The answer is ", "Answer:", "5", "B",
     ".", "\n", " ", "not ", "²", "½", "Ｂ", "：", "İ", "\ud800", "\x00", '{"answer": ', '"', "，", "万", "k", "…", ">", "≥", "'"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map("".join)),
    kind=st.sampled_from(["number", "choice", "math", "boolean", "text"]),
)
@example(text="**Answer:** **", kind="text")
@example(text="# Answer\n\n", kind="number")
@example(text="<answer></answer>", kind="text")
def test_any_reply_is_read_and_its_place_lies_in_it(text: str, kind: AnswerKind) -> None:
    answer, span = find_answer(text, kind=kind, choices=CITIES if kind == "choice" else ())
    assert answer != ""
    assert span is None or answer is not None
    if span is not None:
        start, end = span
        assert 0 <= start < end <= len(text)
        assert text[start:end].strip()


def _steps(text: str, kind: AnswerKind) -> int:
    """Calls of Python functions while a text is read: what grows with its length, unlike seconds."""
    count = 0

    def trace(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(trace)
    try:
        find_answer(text, kind=kind, choices=CITIES if kind == "choice" else ())
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "unit",
    [
        "The answer is 5. ",
        "<answer>",
        "</answer>5",
        "**",
        "# Answer\n",
        "答案是5。",
        "\\boxed{5} ",
        "<think>",
        "5, ",
        "A. x\n",
        "$$",
        '{"answer": "',
        "If the answer is ",
    ],
)
def test_a_reply_four_times_as_long_takes_four_times_the_steps(unit: str) -> None:
    kinds: tuple[AnswerKind, ...] = ("number", "choice")
    for kind in kinds:
        short, long = (_steps(unit * (size // len(unit)), kind) for size in (5_000, 20_000))
        assert long <= 6 * short + 2000


# An operation in words on a number, or a number that is taken back, is not that number.
WORDS_BESIDE_A_NUMBER = [
    "half of 12", "twice 12", "double 12", "a third of 12", "root 12", "12 squared", "12 cubed", "12 factorial", "12 pi",
    "12 to the power of 2", "12 raised to the power 2", "12 percent of 50", "12% of 50", "12 per cent of the 50",
    "12 less than 20", "12 more than 20", "12 over 3", "12 multiplied by 3", "12 plus or minus 3", "12 mil",
    "12... wait, 13", "12, no wait, 13", "12? No, 13", "12.4, which rounds to 12", "11.8, which rounds to 12", "minus 12",
]  # fmt: skip


@pytest.mark.parametrize("said", WORDS_BESIDE_A_NUMBER)
def test_words_that_operate_on_a_number_are_part_of_the_answer(said: str):
    assert not is_right(f"The answer is {said}.", "12", **NUMBER)


@pytest.mark.parametrize(
    ("reply", "gold"),
    [
        ("The answer is minus 7.", "-7"),
        ("The answer is negative 7.", "-7"),
        ("The answer is 3 * 4 = 12 because 3 + 3 = 6.", "12"),
        ("The answer is 12 times as many.", "12"),
        ("The answer is 12 more.", "12"),
        ("The answer is 12 percent.", "12"),
        ("The answer is 12.35, rounded to 2 decimal places.", "12.35"),
        ("The answer is 12. Wait, let me recheck: 3 * 4 = 12.", "12"),
        ("The answer is 11. Wait, that is wrong. The answer is 12.", "12"),
    ],
)
def test_words_that_leave_a_number_as_it_is(reply: str, gold: str):
    assert is_right(reply, gold, **NUMBER)


@pytest.mark.parametrize(
    ("reply", "gold", "options"),
    [
        ("The answer is 12. Hmm, let me recheck: 6 + 7 = 13.", "12", NUMBER),
        ("The answer is 12. Hmm, let me recheck: 6 + 7 = 13.", "13", NUMBER),
        ("The answer is A. No wait, B.", "A", CHOICE),
        ("The answer is A. Oops, B.", "A", CHOICE),
        ("So the answer is yes? No.", "yes", {"kind": "boolean"}),
        ("$\\boxed{12}$ and $\\boxed{13}$", "13", NUMBER),
        ("\\boxed{12}\\text{ or }\\boxed{13}", "13", NUMBER),
        ("\\boxed{A}, \\boxed{B}", "B", CHOICE),
        ("The answer is 3.5.", "3,5", MATH),
        ("The answer is $3,5$.", "3.5", MATH),
    ],
)
def test_answers_that_are_taken_back_or_said_twice_are_undecided(reply: str, gold: str, options: dict[str, Any]):
    assert verify_answer(reply, gold, **{"timeout": 20, **options}).label == "unparsed"


@pytest.mark.parametrize(
    ("reply", "gold"),
    [
        ("\\boxed{3}, \\boxed{4}", "3,4"),
        ("\\boxed{0.\\overline{3}}", "1/3"),
        ("\\boxed{0.1\\overline{6}}", "\\frac{1}{6}"),
        ("\\boxed{1.\\overline{09}}", "\\frac{12}{11}"),
        ("\\boxed{\\langle 1, 2 \\rangle}", "(1,2)"),
        ("\\boxed{⟨1,2⟩}", "\\langle 1,2\\rangle"),
    ],
)
def test_one_value_in_two_notations(reply: str, gold: str):
    assert is_right(reply, gold, **MATH)


@given(st.integers(0, 99), st.text("0123456789", max_size=4), st.text("0123456789", min_size=1, max_size=4))
def test_a_repeating_decimal_is_the_fraction(whole: int, fixed: str, period: str):
    from synth.verify.formulas import formula

    made = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", formula(f"{whole}.{fixed}\\overline{{{period}}}"))
    assert made is not None
    digits = 40
    exact = Fraction(int(made[1]), int(made[2]))
    written = Fraction(f"{whole}.{fixed}{(period * digits)[:digits]}")
    assert 0 <= exact - written <= Fraction(1, 10 ** (digits + len(fixed)))


@pytest.mark.parametrize("gold", ["\\langle 2,1\\rangle", "(2,1)", "0.3"])
def test_other_vectors_and_decimals_stay_others(gold: str):
    assert not is_right("\\boxed{\\langle 1,2\\rangle}", gold, **MATH)
    assert not is_right("\\boxed{0.\\overline{3}}", "0.3", **MATH)


@pytest.mark.parametrize(
    ("reply", "gold"),
    [
        ("**Answer:** *Paris*", "Paris"),
        ("The answer is:\n\n> Paris", "Paris"),
        ("The answer is:\n- Paris", "Paris"),
        ("I think the answer is probably Paris.", "Paris"),
        ("The answer is A*.", "A*"),
        ("The answer is - 5 V.", "- 5 V"),
    ],
)
def test_marks_and_hedges_around_words(reply: str, gold: str):
    assert is_right(reply, gold, kind="text")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Not really.", "no"), ("Absolutely not", "no"), ("Of course not.", "no"), ("Nope", "no"), ("Yep!", "yes"),
        ("Absolutely!", "yes"), ("It is false that birds swim in the sea.", "no"), ("It is not true that x.", "no"),
        ("It is true that birds swim in the sea.", "yes"), ("Is it true? No.", "no"), ("True or False: False", "no"),
        ("It is true that it flies, but it does not swim.", None), ("Yes — but only partly. So no.", None),
        ("No, not at first. Therefore yes.", None), ("hardly true", None), ("The answer is far from true.", None),
    ],
)  # fmt: skip
def test_what_replies_say_beside_yes_and_no(reply: str, said: str | None):
    assert extract_answer(reply, kind="boolean") == said


def test_a_json_field_whose_first_quotation_mark_was_lost_is_read():
    reply = '{"reasoning": "We get\\\\n P(18) = 20 * (1 + 0.2)^18 ≈ $134\\\\nanswer": "134.47"}'
    assert extract_answer(reply, kind="number") == "134.47"

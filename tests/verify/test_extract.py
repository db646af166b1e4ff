"""Where in a reply the answer is looked for."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth.records import AnswerKind, solution_of
from synth.verify import compare_answers, extract_answer, find_answer, infer_kind, statements
from synth.verify.latex import last_boxed

KINDS: tuple[AnswerKind, ...] = ("number", "choice", "math", "boolean", "text")


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("The answer is 5. (2 days later it was 7.)", "5"),
        ("The answer is 5. 2 days later it was 7.", "5"),
        ("The answer is 5.\nIt took 2 days.", "5"),
        ("The answer is 3. Wait, I forgot one. The answer is 4.", "4"),
        ("The answer is 5 because 2 + 3 = 5. He has 7 left.", "5 because 2 + 3 = 5"),
        ("\\boxed{5} took 2 days. The answer is 7.", "5"),
        ("\\boxed{4}, no, \\boxed{5}", "5"),
        ("#### 5\nin 2 days", "5"),
        ('{"reasoning": "The answer is 7.", "answer": "5"}', "5"),
        ('{"reasoning": "7", "answer": 5}', "5"),
        ('```json\n{"answer": "7"}\n```\nCorrected:\n```json\n{"answer": "5"}\n```', "5"),
        ('{"reasoning": "7 \\frac{1}{2}", "answer": "5', None),  # cut off: 7 is no answer
        ('{"answer": ""}', None),
        ("Final answer: 5", "5"),
        ("**Answer:** 5 dollars", "5 dollars"),
        ("He earns $7 a day.\nA: 5", "5"),
        ("He earns 7 and 2 * 2.5 = 5 in 2 days.", "5"),
        ("2020-01-02 at 5:30 it was the 3rd.", None),
        ("The answer is not known. But at last we find 5.", "5"),
        ("It was 5 once. The answer is not known.", None),
        ("It was 5 once. The answer is not known. Nobody has ever been able to find it.", None),
        ("The answer is $\\frac{\\pi}{2}$, or 1.57.", "$\\frac{\\pi}{2}$, or 1.57"),
        ("The answer is 5.\n\nProblem:\nWhat is 2 + 2?\nSolution: 4.\nThe answer is 4.", "5"),
        ("The answer is 5.\n\nQ: What is 2 + 2?\nA: 4", "5"),
        ("Q1. How many? The answer is 3.\nQ2. And in all? The answer is 5.", "5"),
        ("Question: What is 2 + 3?\nThe answer is 5.", "5"),
        ("", None),
        ("no digits", None),
    ],
)
def test_number(reply: str, answer: str | None) -> None:
    assert extract_answer(reply, kind="number") == answer


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("\\boxed{\\frac{1}{\\sqrt{2}}}", "\\frac{1}{\\sqrt{2}}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{\\left\\{ x \\right.}", "\\left\\{ x \\right."),
        ("\\boxed{1} and \\boxed{2", "1"),
        ("} \\boxed{3}", "3"),
        ("\\fbox{4}", "4"),
        ("\\boxed 5", "5"),
        ("\\boxed{}", ""),
        ("\\boxed{" + "{" * 3000 + "}" * 3000 + "}", "{" * 3000 + "}" * 3000),
        ("boxed{5}", None),
        ("", None),
    ],
)
def test_boxed(text: str, inside: str | None) -> None:
    assert last_boxed(text) == inside


@pytest.mark.parametrize(
    ("reply", "kind", "reasoning", "answer"),
    [
        ("2 + 3 = 5. The answer is 5.", "number", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5\n#### 5", "number", "2 + 3 = 5", "5"),
        ("2 + 3 = 5\nA: 5", "number", "2 + 3 = 5", "5"),
        ('{"reasoning": "2 + 3", "answer": "5"}', "number", '{"reasoning": "2 + 3", "answer": "5"}', "5"),
        ("2 + 3 = \\boxed{5}", "number", "2 + 3 = \\boxed{5}", "5"),
        ("It is old. So the answer is (B).", "choice", "It is old.", "B"),
        ("Not known.", "number", "Not known.", None),
    ],
)
def test_the_statement_is_cut_off_the_reasoning(reply: str, kind: AnswerKind, reasoning: str, answer: str) -> None:
    found = find_answer(reply, kind=kind)
    assert (solution_of(reply, found.span), found.answer) == (reasoning, answer)


def test_first_and_last_candidates() -> None:
    assert extract_answer("3 then 4.", kind="number", which="first") == "3"
    assert extract_answer("3 then 4.", kind="number", which="last") == "4"
    assert extract_answer("A or B", kind="choice", choices=("x", "y"), which="last") == "B"
    assert extract_answer("yes, then no", kind="boolean", which="first") == "yes"
    assert extract_answer("a\nb", kind="text", which="last") == "b"
    assert extract_answer("", kind="number", which="last") is None


MARKUP = st.sampled_from(
    ["\\boxed{", "}", "{", "\\frac{1}{2}", "####", "A:", "The answer is ", "answer:", '"answer": "', "```", '{"answer":',
     "$", "(B)", "B", "yes", "no", "5", "1,234", "-", "/", "=", "\\", "\n", " ", "<<", ">>", "%", "Question:", "or", "é", "\x00",
     "\ud800", "²", "٣", "½"]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(
    text=st.one_of(st.text(max_size=200), st.lists(MARKUP, max_size=30).map("".join)),
    kind=st.sampled_from(KINDS),
    choices=st.sampled_from([(), ("x", "5"), ("True", "False"), ("A", "B", "")]),
)
@example(text=".", kind="math", choices=())
@example(text="$ $", kind="math", choices=())
def test_any_text_is_read_without_an_error(text: str, kind: AnswerKind, choices: tuple[str, ...]) -> None:
    answer = extract_answer(text, kind=kind, choices=choices)
    assert answer is None or (isinstance(answer, str) and answer)
    found = find_answer(text, kind=kind, choices=choices)
    assert found.answer == answer
    assert found.span is None or 0 <= found.span[0] < found.span[1] <= len(text)
    for which in ("first", "last"):
        extract_answer(text, kind=kind, choices=choices, which=which)
    infer_kind(text, choices)
    if kind != "math":
        for gold in ("5", "B", text or "x"):
            label = compare_answers(answer, gold, kind=kind, choices=choices).label
            assert label in (
                {"unparsed", "undecided"} if answer is None else {"right", "wrong", "unparsed", "undecided"}
            )


HOSTILE = """
    import time
    from synth.verify import compare_answers, find_answer, infer_kind

    PAIRS = [  # what stands first, and what is repeated after it
        ("", "1 "), ("", "the answer is "), ("", "\\\\boxed{"), ("", "\\\\frac{1}{"), ("", "\\"answer\\": \\""), ("", "```{"),
        ("", "answer "), ("", "\\nQuestion:"), ("", "(A) and "), ("The answer is ", "$1$"), ("The answer", " "),
        ("The final answer **", "\\n"), ("A:", " "), ("A: 5", "\\t"), ("####", " "), ('{"answer": "', "\\\\\\\\"),
    ]

    def seconds(before, unit, size, kinds):
        text = before + (unit * (size // len(unit) + 1))[:size] + "\\nx"
        start = time.process_time()
        for kind in kinds:
            choices = ("x", "y 2", "1") if kind == "choice" else ()
            find_answer(text, kind=kind, choices=choices)
            if kind != "math":
                compare_answers(text, text[-3000:], kind=kind, choices=choices)
        infer_kind(text)
        return time.process_time() - start

    for before, unit in PAIRS:
        for kinds in (("number", "choice"), ("boolean", "math", "text")):
            small = seconds(before, unit, 12_500, kinds)
            large = seconds(before, unit, 200_000, kinds) if small < 1 and kinds[0] == "number" else 0
            if small > 1 or large > 16 * small * 4 + 0.5:
                print(repr(before), repr(unit), kinds, small, large)
    print("done")
"""


def test_time_grows_with_length_and_not_faster() -> None:
    # A process of its own: a regular expression that hangs cannot be stopped from within.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HOSTILE)], capture_output=True, text=True, timeout=90, check=True
    )
    assert done.stdout == "done\n"


_SHORT = ["answer", "Option", "choice", "final", "The", "my", "correct", "is", "are", "here", "so", "thus,", "42", "A)"]
_LONG = ["to this question", "would be", "best answer choice"]
_SIGNS = [":", "=", "**", "_", "#", "...", "…", "İ", "ſ", "\n", "\n\n", " "]
_WORDS = st.sampled_from([*_SHORT, *_LONG, *_SIGNS])


@given(st.lists(st.tuples(_WORDS, st.sampled_from(["", " ", "\n"])), max_size=60))
@example([("therefore,", "   "), ("a" * 20, "   "), ("answer", "   "), ("choice", "   "), ("is", " "), ("B", "")])
@example(
    [("option", " "), ("x" * 80, " "), ("the", " "), ("answer", " "), ("would be", ":"), ("\n\n", "   "), ("...", " ")]
)
def test_looking_near_the_words_finds_what_looking_everywhere_finds(parts: list[tuple[str, str]]):
    text = "".join(word + space for word, space in parts)
    assert list(statements.find_english(text)) == [m.span() for m in statements._STATEMENT.finditer(text)]

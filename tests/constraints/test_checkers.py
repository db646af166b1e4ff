"""Each constraint's checker, on texts that comply and texts that do not."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from constraint_cases import CASES, CHINESE, ENGLISH
from hypothesis import given
from hypothesis import strategies as st

from synth.constraints import BUILT_IN, check_constraints, check_rationale, kind_of, share_of
from synth.constraints import letters as letters_module
from synth.records import Constraint, Problem, Rationale
from synth.texts import Count, count_sentences, count_words

NEEDS_LIBRARY = {"language:response_language", "change_case:english_capital", "change_case:english_lowercase"}
no_library = pytest.mark.skipif(find_spec("py3langid") is None, reason="needs the extra curate")


def judged(id_: str, text: str, args: dict[str, Any] | None = None) -> str:
    return kind_of(Constraint(id=id_, args=CASES[id_][0] if args is None else args)).judge(text).label


def test_every_constraint_has_cases():
    """At least three texts that comply and three that do not, of each constraint that code decides."""
    assert set(CASES) == {kind.id for kind in BUILT_IN} - {"soft:judged"}
    assert all(len(right) >= 3 <= len(wrong) for _, right, wrong in CASES.values())


@pytest.mark.parametrize("id_", [pytest.param(i, marks=no_library if i in NEEDS_LIBRARY else ()) for i in CASES])
def test_a_checker_is_right_on_its_cases(id_: str):
    """Texts that comply are right, others wrong, and what is empty is wrong for every constraint."""
    _, right, wrong = CASES[id_]
    assert [t for t in right if judged(id_, t) != "right"] == []
    assert [t for t in (*wrong, "", " \n\t") if judged(id_, t) != "wrong"] == []


@pytest.mark.parametrize(
    ("id_", "args", "at", "below"),
    [
        ("length_constraints:number_words", {"num_words": 3}, "a b c", "a b"),
        ("length_constraints:number_sentences", {"num_sentences": 2}, "A b. C d.", "A b."),
        ("keywords:frequency", {"keyword": "a", "frequency": 2}, "a a", "a"),
    ],
)
def test_at_least_and_less_than_part_all_texts(id_: str, args: dict[str, Any], at: str, below: str):
    """At the limit `at least` is right and `less than` wrong; below it is the other way round."""
    for relation, first, second in (("at least", "right", "wrong"), ("less than", "wrong", "right")):
        given = {**args, "relation": relation}
        assert (judged(id_, at, given), judged(id_, below, given)) == (first, second)


@pytest.mark.parametrize(
    ("id_", "args", "text"),
    [
        ("length_constraints:number_words", {"num_words": 10}, CHINESE),
        ("length_constraints:number_words", {"num_words": 10, "relation": "less than"}, CHINESE),
        ("length_constraints:number_sentences", {"num_sentences": 3}, "Title\nOne. Two."),
        ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "less than"}, "ภาษาไทย"),
        ("language:response_language", {"language": "en"}, "1 + 1 = 2"),
        ("soft:judged", {"instruction": "Be warm.", "question": "Is it warm?"}, "Hello"),
    ],
)
def test_what_is_not_sure_is_unknown(id_: str, args: dict[str, Any], text: str):
    """A number that has only bounds, a language of too few letters and what a judge decides are neither right nor wrong."""
    assert kind_of(Constraint(id=id_, args=args)).judge(text).label == "unknown"


def test_bounds_decide_where_they_can():
    """25 Chinese letters are at least one word and fewer than 30, whatever the words are."""
    for number, relation, label in ((1, "at least", "right"), (30, "less than", "right"), (30, "at least", "wrong")):
        given = {"num_words": number, "relation": relation}
        assert judged("length_constraints:number_words", CHINESE, given) == label


@pytest.mark.parametrize(
    ("text", "words", "sentences"),
    [
        ("हम जानते हैं कि योग सही है।", Count(7, 7), Count(1, 1)),
        ("می‌دانیم که", Count(2, 2), Count(1, 1)),
        ("cafe\u0301 na\u00efve", Count(2, 2), Count(1, 1)),
        ('Yes... No!? "Well." 3.5', Count(5, 5), Count(3, 4)),
        ("1. First.\n2. Second.", Count(4, 4), Count(2, 2)),
        ("See e.g. Mr. Smith. He left.", Count(7, 7), Count(2, 4)),
        ("", Count(0, 0), Count(0, 0)),
        ("!!! ...", Count(0, 0), Count(0, 0)),
    ],
)  # fmt: skip
def test_words_and_sentences_are_counted(text: str, words: Count, sentences: Count):
    """Vowel signs and joiners are parts of words; numbers of items, abbreviations and dots within numbers end no sentence."""
    assert (count_words(text), count_sentences(text)) == (words, sentences)


@given(st.text(max_size=200))
def test_bounds_are_bounds(text: str):
    """The lower bound is never above the upper one, of any text."""
    for count in (count_words(text), count_sentences(text)):
        assert count.least >= 0
        assert count.most is None or count.least <= count.most


def test_without_the_library_a_language_is_unknown(monkeypatch: pytest.MonkeyPatch):
    """The reason names what to install; letters of the wrong case are wrong all the same."""
    monkeypatch.setattr(letters_module, "find_spec", lambda name: None)
    found = kind_of(Constraint(id="language:response_language", args={"language": "en"})).judge(ENGLISH)
    assert found.label == "unknown"
    assert "synth-rationales[curate]" in found.reason
    assert judged("change_case:english_capital", ENGLISH) == "wrong"
    assert judged("change_case:english_capital", ENGLISH.upper()) == "unknown"


def _rationale(response: str, **fields: Any) -> Rationale:
    return Rationale(id="r", unit="u", step="s", problem="p", author="teacher", response=response, **fields)


@pytest.mark.parametrize(
    ("on", "thought", "response", "label"),
    [
        ("response", "a, b", "c", "right"),
        ("response", "a", "b, c", "wrong"),
        ("reasoning", "a", "b, c", "right"),
        ("reasoning", "a, b", "c", "wrong"),
        ("reasoning", None, "a, b", "wrong"),
        ("reasoning", None, "a b", "right"),
        ("both", "a", "b", "right"),
        ("both", "a, b", "c", "wrong"),
        ("both", "a", "b, c", "wrong"),
    ],
)
def test_the_part_that_has_to_comply_is_looked_at(on: Any, thought: str | None, response: str, label: str):
    """The response, the thought (or the reasoning of a response without one), or each of them."""
    problem = Problem.root(question="q", constraints=(Constraint(id="punctuation:no_comma", on=on),))
    made = _rationale(response, thought=thought, thought_kind="raw" if thought else None)
    assert [f.label for f in check_rationale(problem, made)] == [label]


@pytest.mark.parametrize("kind", ["summary", "hidden"])
def test_a_thought_that_is_not_shown_is_unknown(kind: Any):
    """A summary by a provider is not the reasoning; a response that breaks a constraint on both is wrong all the same."""
    made = _rationale("a", thought="b" if kind == "summary" else None, thought_kind=kind)
    for on, response, label in (("reasoning", "a", "unknown"), ("both", "a", "unknown"), ("both", "a, b", "wrong")):
        problem = Problem.root(question="q", constraints=(Constraint(id="punctuation:no_comma", on=on),))
        found = check_rationale(problem, made.model_copy(update={"response": response}))
        assert [f.label for f in found] == [label]


def test_shares():
    """Unknown constraints are in no share; all are right only where none is unknown."""
    title, comma, judge = (
        Constraint(id="detectable_format:title"),
        Constraint(id="punctuation:no_comma"),
        Constraint(id="soft:judged", args={"instruction": "a", "question": "b"}),
    )
    for constraints, text, expected in (
        ((title, comma), "<<a>>", (1.0, True)),
        ((title, comma), "a", (0.5, False)),
        ((title, comma, judge), "<<a>>", (1.0, None)),
        ((title, comma, judge), "a", (0.5, False)),
        ((judge,), "a", (None, None)),
        ((), "a", (None, None)),
    ):
        assert tuple(share_of(check_constraints(constraints, text, None))) == expected


@pytest.mark.parametrize(
    ("found", "confidence", "label"),
    [
        ("en", 0.6, "right"),
        ("en", 0.4, "unknown"),
        ("de", 0.95, "wrong"),
        ("de", 0.8, "unknown"),
        (None, 0.0, "unknown"),
    ],
)
def test_a_language_that_is_not_sure_is_unknown(
    monkeypatch: pytest.MonkeyPatch, found: str, confidence: float, label: str
):
    """Another language has to be surer than the one that was asked for."""
    monkeypatch.setattr(letters_module, "find_spec", lambda name: True)
    monkeypatch.setattr(letters_module, "language_of", lambda text: (found, confidence))
    assert kind_of(Constraint(id="language:response_language", args={"language": "en"})).judge(ENGLISH).label == label

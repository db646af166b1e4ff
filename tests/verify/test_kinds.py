"""Kinds of answers that a problem names: how they are read, compared, graded and checked."""

from __future__ import annotations

import json
import math
import random
from fractions import Fraction
from itertools import permutations
from time import monotonic
from typing import get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from scipy.stats import kendalltau

from synth.models.another_answer import another_answer
from synth.records import FORMS, AnswerKind, Problem
from synth.verify import (
    KINDS,
    Verdict,
    answer_sentence,
    compare_answers,
    find_answer,
    infer_kind,
    state_answer,
    verify_answer,
)
from synth.verify.items import as_json, key, read_items
from synth.verify.kinds.number import smooth
from synth.verify.kinds.ranking import concordance
from synth.verify.rouge import rouge_l

KNIGHTS = '{"Ann": "knight", "Bob": "knave"}'
CLICK = '{"type": "click", "name": "Add to cart", "$compare": {"name": {"rouge_l": 0.75, "weight": 2}}}'
GOLD: dict[AnswerKind, str] = {
    "number": "100",
    "choice": "B",
    "math": "x + 1",
    "text": "green fish",
    "boolean": "yes",
    "set": "[1, 2]",
    "list": '["red", "blue", 3]',
    "interval": "[0, 1)",
    "assignment": KNIGHTS,
    "action": CLICK,
    "ranking": "[3, 1, 2]",
}
NEW = [name for name in GOLD if not KINDS[name].inferred]


def choices_of(kind: AnswerKind) -> tuple[str, ...]:
    return ("red", "green", "blue") if kind == "choice" else ()


def judged(kind: AnswerKind, reply: str, gold: str | None = None, **options) -> Verdict:
    return verify_answer(reply, gold or GOLD[kind], kind=kind, choices=choices_of(kind), **options)


def stated(kind: AnswerKind) -> str:
    said = Problem.root(question="?", answer=GOLD[kind], answer_kind=kind).answer_stated
    assert said is not None
    return said


def test_every_kind_has_a_module_a_form_and_a_name():
    assert set(KINDS) == set(FORMS) == {*GOLD, "code"} == set(get_args(AnswerKind))  # programs have tests of their own
    assert all(name == kind.name and kind.method == f"{name}/{kind.version}" for name, kind in KINDS.items())
    assert {name for name in GOLD if KINDS[name].inferred} == {"number", "choice", "math", "text", "boolean"}
    assert all(KINDS[n].method.endswith("/2") for n in GOLD if KINDS[n].inferred)


@pytest.mark.parametrize("kind", GOLD)
def test_the_gold_answer_is_right_in_every_place_where_answers_are_stated(kind: AnswerKind):
    """A sentence, a tag, a box, four hashes, a field of JSON: the same answer, and the last tag counts."""
    said = stated(kind)
    for reply in (
        f"I think.\n{answer_sentence(said)}",
        f"I think. <answer>{said}</answer>",
        f"I think. <answer>\n{said}\n</answer>\nThat is it.",
        rf"I think. So it is \boxed{{{said}}}.",
        rf"The answer is $\boxed{{{said}}}$.",
        f"I think.\n#### {said}",
        f"<think>The answer is 7, or no, or A.</think>{answer_sentence(said)}",
        f"<answer>nothing at all</answer> Wait. <answer>{said}</answer>",
        f"<answer><answer>{said}</answer></answer>",
        json.dumps({"steps": ["I think."], "answer": json.loads(said) if kind in {"set", "action"} else said}),
    ):
        verdict = judged(kind, reply)
        assert (verdict.label, verdict.grade) == ("right", 1.0), (reply, verdict)


@pytest.mark.parametrize("kind", GOLD)
def test_a_thought_states_nothing(kind: AnswerKind):
    for reply in (f"<think>{answer_sentence(stated(kind))}</think>", f"<think>{answer_sentence(stated(kind))} Hm", ""):
        assert judged(kind, reply).label != "right"
        assert judged(kind, reply).grade == 0.0


@pytest.mark.parametrize("kind", GOLD)
def test_an_echo_of_the_prompt_is_not_right(kind: AnswerKind):
    said = f'End with a line that says "The answer is X.", where X is {FORMS[kind]}.'
    for gold in {GOLD[kind], *(["[1, 2]", '["red", "blue"]'] if kind in {"set", "list", "ranking"} else [])}:
        assert judged(kind, said, gold).label != "right"


@pytest.mark.parametrize("kind", NEW)
def test_the_gold_answer_that_comes_first_is_not_right_if_another_follows(kind: AnswerKind):
    """Two answers one after the other: the later one counts, or nothing can be said."""
    problem = Problem.root(question="?", answer=GOLD[kind], answer_kind=kind)
    other = another_answer(problem, stated(kind), random.Random(1))
    for reply in (
        f"<answer>{stated(kind)}</answer> <answer>{other}</answer>",
        f"{answer_sentence(stated(kind))}\n{answer_sentence(other)}",
        f"The answer is {stated(kind)}. Wait, {other}",
        f"The answer is {stated(kind)} or {other}.",
        f"<answer>{stated(kind)} or {other}</answer>",
        f"<answer>{stated(kind)}, {other}</answer>",
        f"The answer is {stated(kind)}, {other}.",
    ):
        assert judged(kind, reply).label != "right", reply


@pytest.mark.parametrize("kind", NEW)
def test_the_scripted_model_states_right_and_wrong_answers(kind: AnswerKind):
    """What it calls wrong is wrong, not unreadable; and what it calls right is right."""
    problem = Problem.root(question="?", answer=GOLD[kind], answer_kind=kind)
    for seed in range(20):
        other = another_answer(problem, stated(kind), random.Random(seed))
        verdict = judged(kind, answer_sentence(other))
        assert verdict.label == "wrong", (other, verdict)
        assert verdict.grade is not None
        assert verdict.grade < 1


@pytest.mark.parametrize("kind", NEW)
def test_canonical_forms_are_read_as_they_are(kind: AnswerKind):
    """A canonical gold answer is its own canonical form, fits its kind, and stands unchanged in a record that states it."""
    gold = KINDS[kind].canonical(GOLD[kind])
    assert gold == GOLD[kind]
    assert KINDS[kind].unfit(gold, ()) is None
    text, span = state_answer("I think.", stated(kind), kind=kind)
    assert text[slice(*span)] == answer_sentence(stated(kind))
    assert find_answer(text, kind=kind).answer == stated(kind)
    assert state_answer(text, stated(kind), kind=kind).response == text


@pytest.mark.parametrize("kind", NEW)
def test_no_gold_answer_is_guessed_to_be_of_a_kind_that_is_named(kind: AnswerKind):
    assert infer_kind(GOLD[kind]) not in NEW


@pytest.mark.parametrize(
    ("kind", "gold"),
    [
        ("number", "many"), ("boolean", "perhaps"), ("interval", "5"), ("interval", "[2, 1]"), ("interval", "[1, 1)"),
        ("assignment", "Ann"), ("assignment", "Ann is a knight, Ann is a knave"), ("assignment", '{"a": 1, "a": 2}'), ("assignment", '{"a": [1]}'),
        ("action", "click"), ("action", "[1]"), ("action", "{}"), ("action", '{"a": 1, "a": 2}'), ("action", '{"a": ""}'),
        ("action", '{"a": "b", "$compare": {"c": {"weight": 2}}}'), ("action", '{"a": "b", "$compare": {"a": {"rouge": 0.5}}}'),
        ("action", '{"a": "b", "$compare": {"a": {"tolerance": 0.5}}}'), ("action", '{"a": 1, "$compare": {"a": {"rouge_l": 0.5}}}'),
        ("action", '{"a": 1, "$compare": {"a": {"tolerance": 0.1, "weight": 0}}}'), ("action", '{"a": 1, "$compare": 3}'),
        ("action", '{"a": "b", "$compare": {"a": {"rouge_l": 0.5, "tolerance": 0.5}}}'), ("action", '{"a": "b", "$compare": {"a": 3}}'),
        ("ranking", "[1]"), ("ranking", "[1, 2, 1]"), ("ranking", "1 > 2 = 3"), ("set", "1,234"), ("list", '{"a": 1, "a": 2}'),
    ],
)  # fmt: skip
def test_gold_answers_that_do_not_fit(kind: AnswerKind, gold: str):
    """It is said why; and where such a gold answer is compared with all the same, nothing is decided."""
    assert KINDS[kind].unfit(gold, ())
    if kind in NEW:
        verdict = compare_answers(stated(kind), gold, kind=kind)
        assert (verdict.label, verdict.grade) == ("undecided", None)


@pytest.mark.parametrize(
    ("reply", "label", "grade"),
    [
        ("[2, 1]", "right", 1), (r"\{1, 2\}", "right", 1), ("{2,1}", "right", 1), ("1 and 2", "right", 1), ("2, 1", "right", 1), ("1.0; 4/2", "right", 1),
        ("x = 1 or x = 2", "right", 1), ("[1, 1, 2]", "right", 1), ("[1]", "wrong", 2 / 3), ("[1, 1, 1, 1]", "wrong", 2 / 3), ("[1, 3]", "wrong", 0.5),
        ("[1, 2, 3]", "wrong", 0.8), ("[]", "wrong", 0), ("∅", "wrong", 0), ("[[1, 2]]", "wrong", 0), ("[1, 2] or [1, 3]", "wrong", 0),
        ("[1, 2] is not right", "unparsed", 0), ('[1, "2', "wrong", 0.0),
    ],
)  # fmt: skip
def test_sets(reply: str, label: str, grade: float):
    verdict = judged("set", f"<answer>{reply}</answer>")
    assert (verdict.label, verdict.grade) == (label, pytest.approx(grade)), verdict


def test_listing_every_candidate_is_no_way_to_a_good_grade():
    """F1 of n candidates for one member is 2 / (n + 1): below that of any good guess."""
    every = [str(i) for i in range(50)]
    assert judged("set", f"The answer is [{', '.join(every)}].", "[7]").grade == pytest.approx(2 / 51)


@given(st.lists(st.integers(-5, 5) | st.sampled_from(["a", "b c", "1/2"]), min_size=1, max_size=6), st.randoms())
def test_a_set_knows_neither_order_nor_repetition(items: list, rng: random.Random):
    gold = json.dumps(items)
    said = [*items, *rng.choices(items, k=3)]
    rng.shuffle(said)
    assert compare_answers(json.dumps(said), gold, kind="set").label == "right"
    assert compare_answers(json.dumps([*said, "another"]), gold, kind="set").label == "wrong"


@pytest.mark.parametrize(
    ("reply", "label", "grade"),
    [
        ('["red", "blue", 3]', "right", 1), ("red, blue, 3", "right", 1), ("['Red', 'the blue', 3.0]", "right", 1), ("1. red\n2. blue\n3. 3", "right", 1),
        ('["blue", "red", 3]', "wrong", 1 / 3), ('["red", "blue"]', "wrong", 2 / 3), ('["red", "red", "red", "blue", "blue", 3]', "wrong", 1 / 6),
        ("[]", "wrong", 0), ('["red", "blue", 3, 3]', "wrong", 0.75),
    ],
)  # fmt: skip
def test_lists(reply: str, label: str, grade: float):
    verdict = judged("list", f"<answer>{reply}</answer>")
    assert (verdict.label, verdict.grade) == (label, pytest.approx(grade)), verdict


def test_tolerance_holds_for_numbers_in_sets_and_lists():
    for kind in ("set", "list"):
        assert judged(kind, "The answer is [1/3, 1/4].", "[0.333, 0.25]", tolerance=0.04).label == "right"
        assert judged(kind, "The answer is [1/3, 1/4].", "[0.333, 0.25]").label == "wrong"
        assert judged(kind, "The answer is [0.4, 0.25].", "[0.333, 0.25]", tolerance=0.04).label == "wrong"
    assert judged("set", "The answer is [0.333, 0.334].", "[0.3335, 5]", tolerance=0.04).label == "wrong"


@pytest.mark.parametrize(
    ("reply", "gold", "label"),
    [
        ("0 <= x < 1", "[0, 1)", "right"), ("$0 \\le x < 1$", "[0, 1)", "right"), ("[0, 1[", "[0, 1)", "right"), ("x \\in [0, 1)", "[0, 1)", "right"),
        ("[0, 0.5) ∪ [1/2, 1)", "[0, 1)", "right"), ("(0, 1)", "[0, 1)", "wrong"), ("[0, 1]", "[0, 1)", "wrong"), ("[0, 2)", "[0, 1)", "wrong"),
        ("[0, 0.5) ∪ (1/2, 1)", "[0, 1)", "wrong"), ("[0, 1) or (0, 1)", "[0, 1)", "unparsed"), ("5", "[0, 1)", "unparsed"), ("[1, 0)", "[0, 1)", "unparsed"),
        ("(-\\infty, \\infty)", "(-∞, ∞)", "right"), ("all real numbers", "(-∞, ∞)", "right"), ("x > 3", "(3, ∞)", "right"),
        ("x < 1 or x > 3", "(3, inf) U (-inf, 1)", "right"), ("[-\\infty, 1)", "(-∞, 1)", "right"), ("\\{2\\}", "[2, 2]", "right"), ("∅", "∅", "right"),
        ("(-∞, ∞)", "(3, ∞)", "wrong"), ("(-\\infty, \\sqrt{2}]", "(-∞, √2]", "right"), ("(0, \\frac{\\sqrt{8}}{2}]", "(0, √2]", "right"),
        ("(0, \\sqrt{3}]", "(0, √2]", "wrong"), ("(0, 1.01)", "(0, 1)", "wrong"),
    ],
)  # fmt: skip
def test_intervals(reply: str, gold: str, label: str):
    verdict = judged("interval", f"<answer>{reply}</answer>", gold)
    assert verdict.label == label, verdict
    assert judged("interval", "The answer is (0, 1.01).", "(0, 1)", tolerance=0.05).label == "right"


@pytest.mark.parametrize(
    ("reply", "label", "grade"),
    [
        ("Ann is a knight and Bob is a knave", "right", 1), ("bob is the knave; ANN is a knight.", "right", 1),
        ("(1) Ann is a knight\n(2) Bob is a knave", "right", 1),
        ("- **Ann**: knight\n- **Bob**: knave", "right", 1), ('{"bob": "Knave", "ann": "a knight"}', "right", 1),
        ("So Ann is a knight because she is, Bob is a knave", "right", 1),
        (r"\text{Ann is a knight}, \text{Bob is a knave}", "right", 1), ('[{"Ann": "knight"}, {"Bob": "knave"}]', "right", 1),
        ("Ann and Bob are knights", "wrong", 0.5), ("Ann is a knight", "wrong", 0.5), ("Ann is a knave, Bob is a knight", "wrong", 0),
        ("Ann is a knight, Ann is a knave, Bob is a knave", "unparsed", 0), ("Thus Ann is a knight. Ann is a knave. Bob is a knave.", "unparsed", 0),
        ('{"Ann": "knight", "Ann": "knave", "Bob": "knave"}', "unparsed", 0), ("Ann is a knight or a knave, Bob is a knave", "wrong", 0.5),
        ("Ann is not a knave, Bob is not a knight", "wrong", 0), ("Joann is a knight, Bobby is a knave", "unparsed", 0), ("nobody knows", "unparsed", 0),
        ('{"Ann": ["knight", "knave"], "Bob": "knave"}', "unparsed", 0),
    ],
)  # fmt: skip
def test_assignments(reply: str, label: str, grade: float):
    verdict = judged("assignment", f"<answer>{reply}</answer>")
    assert (verdict.label, verdict.grade) == (label, pytest.approx(grade)), verdict
    if not reply.startswith(("{", "[")):
        unmarked = judged("assignment", f"I think.\nThe answer is: {reply}")
        assert (unmarked.label == "right") == (label == "right"), unmarked


def test_an_assignment_goes_on_over_sentences_and_lines():
    for end in ("", "\nThat follows.", "\nThat is all there is to say about it."):
        for said in ("Ann is a knight. Bob is a knave.", "\n(1) Ann is a knight\n(2) Bob is a knave"):
            assert judged("assignment", f"The answer is {said}{end}").label == "right", said + end
    assert judged("assignment", "The answer is Ann is a knight. Bob is a knave. That follows.").label == "right"
    assert judged("assignment", "I look at all cases.\n(1) Ann is a knight\n(2) Bob is a knave").label == "right"
    assert judged("assignment", "The answer is Ann is a knight. Bob is a knave. Ann is a knave.").label == "unparsed"


@pytest.mark.parametrize(
    ("reply", "label", "grade"),
    [
        ('{"type": "click", "name": "Add to cart"}', "right", 1), ('{"name": "add to the cart", "type": "click"}', "right", 1),
        ('{"rationale": "He said. So.", "action": {"type": "click", "name": "Add to cart"}}', "right", 1),
        ('```json\n{"type": "click", "name": "Add to cart", "text": null}\n```', "right", 1),
        ('{"type": "click", "name": "Checkout"}', "wrong", 1 / 3), ('{"type": "click"}', "wrong", 1 / 3),
        ('{"type": "type", "name": "Add to cart"}', "wrong", 2 / 3),
        ('{"type": "click", "name": "Add to cart", "text": "x"}', "wrong", 0.75), ('{"type": "Click", "name": "Add to cart"}', "wrong", 2 / 3),
        ('{"type": ["click", "type"], "name": "Add to cart"}', "wrong", 2 / 3), ("{}", "wrong", 0), ("click Add to cart", "unparsed", 0),
        ('{"type": "click", "type": "terminate", "name": "Add to cart"}', "unparsed", 0), ('{"type": "click", "name": "Add to cart"', "unparsed", 0),
    ],
)  # fmt: skip
def test_actions(reply: str, label: str, grade: float):
    verdict = judged("action", f"<answer>{reply}</answer>")
    assert (verdict.label, verdict.grade) == (label, pytest.approx(grade)), verdict
    alone = judged("action", f"I look at the page.\n{reply}")
    assert (alone.label, alone.grade) == (verdict.label, verdict.grade)


def test_fields_of_actions_are_typed():
    gold = '{"degrees": 20, "on": true, "rooms": ["a", 1], "$compare": {"degrees": {"tolerance": 0.05}}}'
    right = '{"degrees": 20.5, "on": true, "rooms": ["a", 1.0]}'
    assert judged("action", right, gold).label == "right"
    for old, new in (
        ("20.5", '"20.5"'),
        ("20.5", "22"),
        ("true", "1"),
        ("true", '"true"'),
        ('"a", 1.0', '1.0, "a"'),
        ("1.0", '"1"'),
    ):
        verdict = judged("action", right.replace(old, new), gold)
        assert (verdict.label, verdict.grade) == ("wrong", pytest.approx(2 / 3)), new


def test_an_action_with_a_field_answer_is_read_as_a_whole():
    gold = '{"type": "submit", "answer": "42"}'
    assert judged("action", gold, gold).label == "right"
    assert judged("action", f'{{"reason": "so", "answer": {gold}}}', gold).label == "right"


@pytest.mark.parametrize(
    ("reply", "label", "grade"),
    [
        ("[3, 1, 2]", "right", 1), ("[3] > [1] > [2]", "right", 1), ("3 > 1 > 2", "right", 1), ('["3", "1", "2"]', "right", 1), ("3, 1, 2", "right", 1),
        ("1. 3\n2. 1\n3. 2", "right", 1), ("[3, 2, 1]", "wrong", 2 / 3), ("[2, 1, 3]", "wrong", 0), ("[3, 1]", "unparsed", 0), ("[3, 1, 2, 2]", "unparsed", 0),
        ("[3, 1, 4]", "unparsed", 0), ("3 > 1 = 2", "unparsed", 0), ("[3] > [1] > [2] > [3]", "unparsed", 0),
        ("3, 1 or 2", "unparsed", 0), ("[3, 1, 2, 4]", "unparsed", 0),
    ],
)  # fmt: skip
def test_rankings(reply: str, label: str, grade: float):
    verdict = judged("ranking", f"<answer>{reply}</answer>")
    assert (verdict.label, verdict.grade) == (label, pytest.approx(grade)), verdict


@given(st.permutations(range(7)))
def test_the_grade_of_a_ranking_is_kendalls_tau_between_0_and_1(order: list[int]):
    assert concordance(order) == pytest.approx((kendalltau(order, range(7)).statistic + 1) / 2)


def test_one_ranking_of_all_is_right():
    grades = {order: judged("ranking", f"The answer is {list(order)}.").grade for order in permutations((1, 2, 3))}
    assert [order for order, grade in grades.items() if grade == 1] == [(3, 1, 2)]
    assert sum(grades.values()) / 6 == pytest.approx(0.5)  # a guess


@pytest.mark.parametrize(
    ("said", "grade"), [("100", 1), ("104", 1), ("105", 1), ("112.5", 0.5), ("120", 0), ("121", 0), ("95", 1), ("87.5", 0.5), ("80", 0), ("-100", 0)]
)  # fmt: skip
def test_numbers_are_graded_by_their_relative_error(said: str, grade: float):
    """The table of arXiv:2503.20752; only an equal number is right."""
    for sign in ("", "-"):
        flipped = said.removeprefix("-") if sign and said.startswith("-") else sign + said
        verdict = judged("number", f"The answer is {flipped}.", f"{sign}100")
        assert verdict.grade == pytest.approx(grade)
        assert verdict.label == ("right" if said == "100" else "wrong")


def test_numbers_near_zero_are_graded_by_their_absolute_error():
    for said, grade in (("0", 1), ("0.05", 1), ("0.125", 0.5), ("0.2", 0), ("-0.05", 1), ("3", 0)):
        assert judged("number", f"The answer is {said}.", "0").grade == pytest.approx(grade)


@given(
    st.fractions(min_value=-1000, max_value=1000),
    st.fractions(min_value=0, max_value=3),
    st.fractions(min_value=0, max_value=3),
    st.sampled_from((1, -1)),
)
def test_a_larger_error_never_has_a_better_grade(gold: Fraction, one: Fraction, other: Fraction, sign: int):
    scale = abs(gold) or 1
    near, far = sorted((one, other))
    a, b = (smooth(gold + sign * error * scale, gold) for error in (near, far))
    assert 0 <= b <= a <= 1


@settings(max_examples=200)
@given(st.sampled_from([n for n in GOLD if n != "math"]), st.text(max_size=60))
def test_grades_are_in_bounds_and_agree_with_labels(kind: AnswerKind, said: str):
    verdict = judged(kind, f"The answer is {said}")
    assert verdict.grade is None or 0 <= verdict.grade <= 1
    assert verdict.grade is not None or not verdict.decided
    assert verdict.grade == 1 or verdict.label != "right"
    assert verdict.grade == 0 or verdict.label != "unparsed"


def test_no_verdict_no_grade():
    assert compare_answers("5", "", kind="set").grade is None
    assert Verdict("timeout", "5", "6", "math/2", "").grade is None


@given(
    st.recursive(
        st.integers(-99, 99) | st.text("ab cé\"'\\,[]{}", min_size=1, max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_that_is_written_is_read_back(value):
    items = value if isinstance(value, list) else [value]
    read = read_items(json.dumps(items))
    assert read is not None
    assert json.loads(as_json(read)) == items
    assert read_items(as_json(read)) == read


def test_items_that_are_the_same_answer_have_one_key():
    for one, other in (
        ("0.5", "1/2"),
        ("\\frac{1}{2}", "0.50"),
        ("the Red  fish", "red fish"),
        ("1,000", "1000"),
        ("50%", "50"),
    ):
        assert key(one) == key(other)
    for one, other in (("Co", "CO"), ("-x", "x"), ("C#", "C"), ("1", "one two")):
        assert key(one) != key(other)


def _rouge_by_table(a: list[str], b: list[str]) -> float:
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for j, other in enumerate(b):
            before, row[j + 1] = row[j + 1], before + 1 if word == other else max(row[j], row[j + 1])
    return 2 * row[-1] / (len(a) + len(b)) if a and b else float(a == b)


@given(st.lists(st.sampled_from("bcdef"), max_size=12), st.lists(st.sampled_from("bcdef"), max_size=12))
def test_rouge_l_is_the_longest_common_subsequence(a: list[str], b: list[str]):
    assert rouge_l(" ".join(a), " ".join(b)) == pytest.approx(_rouge_by_table(a, b))
    assert math.isclose(rouge_l(" ".join(a), " ".join(b)), rouge_l(" ".join(b), " ".join(a)))


@pytest.mark.parametrize("kind", NEW)
def test_long_replies_take_no_time(kind: AnswerKind):
    """100 kB of what a kind looks for: an answer or none, at once."""
    for unit in (
        f"{stated(kind)}\n",
        f"The answer is {stated(kind)}. ",
        "[",
        "{",
        '{"a":',
        "Ann is a knight, ",
        "1, ",
        "<answer>[1",
        "1 > ",
        "- a\n",
        '"',
    ):
        text = unit * (100_000 // len(unit))
        begin = monotonic()
        for reply in (
            text,
            f"<answer>{text}</answer>",
            f"The answer is {text}",
            f"{text}\nThe answer is {stated(kind)}.",
        ):
            judged(kind, reply)
        assert monotonic() - begin < 10, unit

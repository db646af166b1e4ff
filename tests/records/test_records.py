from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from synth.documented import field_docs
from synth.records import RECORD_TYPES, Problem, Rationale, canonical_json, content_id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _shuffled(value):
    if isinstance(value, dict):
        return {k: _shuffled(value[k]) for k in reversed(list(value))}
    return [_shuffled(v) for v in value] if isinstance(value, list) else value


@given(json_values)
def test_equal_values_have_equal_ids_whatever_the_order_of_keys(value):
    assert content_id(value) == content_id(_shuffled(value))


@given(json_values, json_values)
def test_different_values_have_different_ids(a, b):
    assert (content_id(a) == content_id(b)) == (canonical_json(a) == canonical_json(b))


def test_ids_are_what_they_always_were():
    """Published corpora hold these ids: a change breaks every run folder and must raise the tag."""
    assert content_id(["problems", {"question": "1 + 1?"}]) == "b2:8bb7fca62874cbc035d899c8f62955cf"
    assert content_id({"b": 1, "a": [None, True, "ü"]}) == "b2:4407cfac0612644876ad3e7c7caf4735"


def test_a_problem_is_its_content_not_its_place():
    here = Problem.root(question="1 + 1?", answer="2", source="a.jsonl:1", meta={"x": 1})
    there = Problem.root(question="1 + 1?", answer="2", source="b.csv:9")
    assert here.id == there.id == here.unit
    assert here.id != Problem.root(question="1 + 1?", answer="3").id
    assert here.id != Problem.root(question="1 + 1?", context="", answer="2", choices=("2", "3")).id


def test_records_are_frozen_and_strict():
    problem = Problem.root(question="1 + 1?")
    with pytest.raises(ValidationError):
        problem.question = "2 + 2?"
    with pytest.raises(ValidationError):
        Problem(id="x", unit="x", step="input", question="?", colour="red")


def test_the_step_and_the_cause_make_the_id():
    def make(step="s", because=("p", 1)):
        return Rationale.make(unit="u", step=step, because=because, problem="p", author="teacher", response="t")

    assert make().id == make().id
    assert make().id != make(step="t").id
    assert make().id != make(because=("p", 2)).id


def test_choices_have_letters_and_answers_words():
    problem = Problem.root(question="?", choices=("red", "blue"), answer="B", answer_kind="choice")
    assert problem.lettered_choices == (("A", "red"), ("B", "blue"))
    assert problem.answer_text == "blue"
    assert Problem.root(question="?", answer="7", answer_kind="number").answer_text == "7"
    assert Problem.root(question="?", choices=("a", "b")).compared_as == "choice"
    assert Problem.root(question="?").compared_as == "text"


@pytest.mark.parametrize("kind", RECORD_TYPES)
def test_every_field_says_what_it_is(kind):
    assert set(field_docs(kind)) == set(kind.model_fields)


def _rationale(**fields):
    return Rationale(id="r", unit="p", step="s", problem="p", author="teacher", **fields)


STEPS_OF = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Zs", "Zl", "Zp", "Cc"]), min_size=1), max_size=6
)


@given(STEPS_OF, st.data())
def test_steps_know_where_they_stand(steps, data):
    """Each step is the slice of the response that its span names, in order, whatever white space lies between them."""
    gaps = [data.draw(st.text(" \n\t", min_size=1, max_size=3)) for _ in steps]
    response = "".join(g + s for g, s in zip(gaps, steps, strict=True))
    spans = _rationale(response=response, steps=tuple(steps)).step_spans
    assert spans is not None
    assert [response[a:b] for a, b in spans] == steps
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))


def test_the_statement_of_the_answer_may_stand_between_steps_and_nothing_else_may():
    response = "One. The answer is 7. Two."
    cut = {"response": response, "steps": ("One.", "Two."), "answer": "7"}
    assert _rationale(**cut, answer_span=(5, 21)).step_spans == ((0, 4), (22, 26))
    assert _rationale(**cut).step_spans is None
    assert _rationale(response="Two. One.", steps=("One.", "Two.")).step_spans is None
    inside = _rationale(response="The answer is 5.\ne.", steps=("e", "."), answer="5", answer_span=(0, 16))
    assert inside.step_spans == ((17, 18), (18, 19))
    thought = _rationale(response="7", thought="One.\nTwo.", steps=("One.", "Two."), segmenter="thought lines/1")
    assert thought.step_spans == ((0, 4), (5, 9))

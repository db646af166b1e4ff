"""`mask` and `derive`: problems that are computed from others."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from synth.records import Failure, Problem
from synth.steps import Unit
from synth.steps.derive import Derive
from synth.steps.mask import MASK, Mask, hidden, spans_to_hide

TEXT = (
    "In 1911 the mill burned down. The mill was rebuilt by Anna Lindqvist, who lived in Gothenburg until 1934. "
    "Her brother Karl said that the mill had cost 12 thousand crowns, and the bridge 50% more."
)


def masked(passage: str, **options) -> list[Problem]:
    problem = Problem.root(question=passage, meta={"page": 3})
    return list(asyncio.run(Mask(name="mask", **options).run([problem], Unit(problem, None, {}))))


def texts(of: str, passage: str = TEXT, words: int = 3) -> set[str]:
    return {passage[a:b] for a, b in spans_to_hide(passage, of, words, Random(1))}


def test_names_numbers_and_words():
    """A word that begins a sentence may have its capital from that; a share, a part of a number, or what occurs twice is not hidden."""
    assert texts("names") == {"Anna Lindqvist", "Gothenburg", "Karl"}
    assert texts("numbers") == {"1911", "1934", "12"}
    assert {"burned", "mill burned down", "crowns"} <= texts("words")
    assert not {"mill", "the mill", "The", "In", "own"} & texts("words")
    assert texts("numbers", "From 1,200 to 3.5 in 2:30, or 7 of 17; 7.") == {"3.5", "17"}
    assert texts("words", "Old mill, old dam, new mill.", 2) == {
        "dam",
        "old dam",
        "new",
        "new mill",
    }  # old and mill stand elsewhere
    assert texts("names", "karl saw Karl and Anna.") == {"Anna"}


PASSAGES = st.text(st.sampled_from("abAB .,1é\n'"), max_size=60)


@given(PASSAGES, st.sampled_from(["names", "numbers", "words"]), st.integers(1, 4), st.integers(0, 3))
def test_the_answer_in_the_place_of_the_mask_gives_the_passage_back(passage, of, words, seed):
    """Byte for byte, whichever way it is put there; and the answer stands nowhere else."""
    if not passage.strip():
        return
    problems = masked(passage, hide=of, words=words, seed=seed)
    assert len(problems) <= 4
    places = []
    for problem in problems:
        place = problem.meta["mask"]
        assert problem.context.replace(MASK, problem.answer) == passage
        assert problem.context == hidden(passage, (place["start"], place["end"]))
        assert problem.answer == passage[place["start"] : place["end"]]
        assert problem.answer.casefold() not in problem.context.casefold().replace(MASK, "\0")
        assert problem.meta["page"] == 3
        assert len(problem.answer.split()) <= words
        places.append((place["start"], place["end"]))
    assert all(a[1] <= b[0] for a, b in pairwise(places))


def test_other_seeds_hide_other_spans_and_the_same_seed_the_same():
    some = [[p.answer for p in masked(TEXT, hide="words", seed=seed)] for seed in (1, 1, 2)]
    assert some[0] == some[1] != some[2]
    assert [p.id for p in masked(TEXT)] == [p.id for p in masked(TEXT)]


def test_a_passage_with_the_mask_in_it_is_left_alone():
    assert masked(f"{TEXT} {MASK}") == []


def test_the_context_is_the_passage_where_there_is_one():
    problem = Problem.root(question="What burned?", context=TEXT, answer="the mill", answer_kind="text")
    made = asyncio.run(Mask(name="mask").run([problem], Unit(problem, None, {})))
    assert all(p.context.replace(MASK, p.answer) == TEXT and p.parent == problem.id for p in made)
    assert {p.question for p in made} == {Mask(name="mask").question}


CHOICE = Problem.root(
    question="Which is it?", choices=("red", "blue", "green"), answer="B", answer_kind="choice", meta={"k": 1}
)


def derived(problem: Problem, *make: dict) -> list:
    step = Derive.model_validate({"name": "mirror", "step": "derive", "each": "problem", "make": list(make)})
    return list(asyncio.run(step.run([problem], Unit(problem, None, {}))))


MIRROR = {"problem": "problem.question", "choices": "problem.choices | reverse | list", "answer": "problem.answer_text"}


def test_mirrored_choices_have_the_letter_of_the_same_text():
    (made,) = derived(CHOICE, MIRROR)
    assert (made.choices, made.answer, made.answer_text, made.parent) == (
        ("green", "blue", "red"),
        "B",
        "blue",
        CHOICE.id,
    )
    (first,) = derived(CHOICE.model_copy(update={"answer": "A"}), MIRROR)
    assert (first.answer, first.answer_text) == ("C", "red")


def test_every_rotation_of_the_choices():
    rotated = {
        "problem": "problem.question",
        "for": "range(1, problem.choices | length)",
        "choices": "problem.choices[item:] + problem.choices[:item]",
        "answer": "problem.answer_text",
    }
    made = derived(CHOICE, rotated)
    assert [(p.choices[0], p.answer, p.answer_text) for p in made] == [("blue", "A", "blue"), ("green", "C", "blue")]


def test_words_of_both_sides_are_swapped():
    """Response A is Response B in the mirrored comparison, and the gold answer goes with it."""
    pair = Problem.root(question="Response A: yes.\nResponse B: no.\nWhich is better?", answer="A", answer_kind="text")
    swap = 'problem.question | replace("Response A", "\\x00") | replace("Response B", "Response A") | replace("\\x00", "Response B")'
    (made,) = derived(pair, {"problem": swap, "answer": '"B" if problem.answer == "A" else "A"'})
    assert made.question == "Response B: yes.\nResponse A: no.\nWhich is better?"
    assert made.answer == "B"
    (back,) = derived(made, {"problem": swap, "answer": '"B" if problem.answer == "A" else "A"'})
    assert (back.question, back.answer) == (pair.question, pair.answer)


def test_a_beginning_and_a_stage():
    (made,) = derived(
        CHOICE, {"problem": "problem.question", "answer": "problem.answer", "begun": '"I see.\\n"', "stage": 2}
    )
    assert (made.begun, made.stage, made.answer) == ("I see.\n", 2, "B")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"answer": '"purple"'}, "the answer 'purple' is none of the options"),
        ({"stage": -1}, "stage of a problem"),
        ({"stage": "1.5"}, "stage of a problem"),
        ({"problem": '""'}, "problem is empty"),
    ],
)
def test_what_cannot_be_made_is_a_failure_that_says_why(change, why):
    (failure,) = derived(CHOICE, MIRROR | change)
    assert isinstance(failure, Failure)
    assert (failure.cause, failure.target, failure.retriable) == ("shape", CHOICE.id, False)
    assert why in failure.message


@pytest.mark.data
def test_passages_of_medical_abstracts(data: Path):
    """507 passages: names in 287 of them, numbers in 263, words in all."""
    rows = [json.loads(line) for line in (data / "pubmedqa.jsonl").read_text().splitlines()]
    passages = [passage for row in rows for passage in row["CONTEXTS"]]
    assert len(passages) == 507
    for of, n in (("names", 287), ("numbers", 263), ("words", 507)):
        found = [masked(passage, hide=of) for passage in passages]
        assert sum(map(bool, found)) == n
        for passage, problems in zip(passages, found, strict=True):
            assert all(p.context.replace(MASK, p.answer) == passage for p in problems)

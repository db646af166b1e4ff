"""What all generators share: options, seeds, ranges, duplicates and twins."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Annotated, ClassVar

import pytest

from synth.errors import InputError
from synth.generators import (
    At,
    Generator,
    Item,
    NotUnique,
    Range,
    Twin,
    Values,
    all_generators,
    made_rows,
    registry,
    within,
)
from synth.sources import open_source


class Sums(Generator):
    """Add two whole numbers.

    The difficulty is the number of digits.
    """

    name: ClassVar[str] = "sums"
    digits: Annotated[Range, within(1, 9)] = Values(1, 1)
    """Digits of each number."""
    most: Annotated[Range, within(0, 9)] = Values(9, 9)
    """The greatest digit."""

    def make(self, random: Random, at: At) -> Item:
        a, b = (int("".join(str(random.randint(0, at["most"])) for _ in range(at["digits"]))) for _ in range(2))
        return self._item(a, b, "What is {} + {}?", at)

    def _item(self, a: int, b: int, question: str, at: At) -> Item:
        return Item(
            question=question.format(a, b),
            answer=str(a + b),
            answer_kind="number",
            solution=[f"{a} + {b} = {a + b}"],
            difficulty=at["digits"],
            key=f"{a}+{b}",
            meta={"terms": [a, b]},
            world=(a, b),
        )

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        a, b = item.world
        if kind == "same":
            return self._item(b, a, "Add {} and {}.", at)
        if random.random() < 0.5:
            raise NotUnique
        return self._item(a, b + random.randint(0, 1), "What is {} + {}?", at)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch):
    """A generator of this file beside those of the package."""
    known = {**all_generators(), "sums": Sums}
    monkeypatch.setattr(registry, "all_generators", lambda: known)


def rows(**options) -> list[dict]:
    return list(made_rows(Sums.model_validate(options)))


def test_a_smaller_size_is_the_beginning_of_a_larger_one():
    """Problem i depends on the seed and the options, and not on how many there are."""
    longer = rows(digits="3-5", size=50)
    assert rows(digits="3-5", size=20) == longer[:20]
    assert rows(digits="3-5", size=50, seed=2) != longer
    assert [r["index"] for r in longer] == list(range(50))


def test_ranges_are_taken_in_turn():
    """Each combination is equally frequent, and `stage` is its position."""
    made = rows(digits="3-4", most="7-9", size=60)
    assert set(Counter(r["stage"] for r in made).values()) == {10}
    assert [r["difficulty"] for r in made[:6]] == [3, 3, 3, 4, 4, 4]
    assert "stage" not in rows(digits=3, size=1)[0]


def test_there_are_no_duplicates_and_a_small_world_ends():
    """All four sums of two binary digits are found; a fifth is refused with their number."""
    made = rows(most=1, size=4)
    assert sorted(tuple(r["terms"]) for r in made) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    with pytest.raises(InputError, match="4 distinct problems with digits=1, most=1 were found") as refused:
        rows(most=1, size=5)
    assert refused.value.fix == "ask for size=4, or for larger problems"


def test_twins_keep_or_change_the_answer():
    """Each problem is followed by its twins, which say whose twins they are."""
    made = rows(digits=4, size=30, twins="both")
    assert len({r["question"] for r in made}) == 90
    for problem, same, changed in zip(made[::3], made[1::3], made[2::3], strict=True):
        assert same["answer"] == problem["answer"] != changed["answer"]
        assert same["twin_of"] == changed["twin_of"] == problem["item"]
        assert (same["twin"], changed["twin"]) == ("same", "changed")
        assert problem["item"] == f"sums?digits=4&seed=1#{problem['index']}"
    only = rows(digits=4, size=30, twins="changed")
    assert [r["question"] for r in only] == [r["question"] for r in made if r.get("twin") != "same"]


def test_a_twin_that_cannot_be_is_refused():
    """A world in which every change gives the same answer, or a problem that is there, has no such twin."""

    class Constant(Sums):
        def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
            return item

    with pytest.raises(InputError, match=r"100 problems in a row had no twin \(changed\)"):
        list(made_rows(Constant(digits=3, twins="changed")))


def test_generated_problems_are_an_input():
    """`make:` gives problems with the structure in `meta`, and a run's scan finds nothing wrong."""
    source = open_source("make:sums?digits=2-3&size=40&twins=same")
    assert source.scan().good == 80
    problem, twin = (given.problem for given in list(source.problems())[:2])
    assert (problem.answer_kind, problem.source) == ("number", "make:sums?digits=2-3&size=40&twins=same:1")
    assert problem.reference_solution.endswith(f"\nThe answer is {problem.answer}.")
    assert problem.meta["terms"] == twin.meta["terms"][::-1]
    assert (twin.meta["twin_of"], twin.meta["twin"]) == (problem.meta["item"], "same")


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("make:summs", "there is no generator 'summs'", "did you mean sums?"),
        ("make:", "no generator is named", "sums: Add two whole numbers."),
        ("make:sums?digts=3", "unknown option 'digts'", "did you mean digits? options:\n    size=100: How many"),
        ("make:sums?digits=7-3", "digits=7-3: the range begins above its end: write 3-7", "digits: Digits of each"),
        ("make:sums?digits=3-99", "digits=3-99: values from 1 to 9 are possible", "Digits"),
        ("make:sums?digits=x", "digits=x: write a whole number, or a range such as 3-7", "Digits"),
        ("make:sums?size=0", "size=0: input should be greater than or equal to 1", "size: How many"),
        ("make:sums?twins=three", "twins=three: input should be 'none', 'same', 'changed' or 'both'", "twins: What"),
        ("make:sums?size", "'size' are no options", "write NAME?option=value"),
        ("make:sums?size=3&size=4", "the option size is given twice", "give it once"),
    ],
)
def test_a_wrong_name_or_option_is_explained(name: str, what: str, fix: str):
    """Before any call: what is wrong, where, and what was meant."""
    with pytest.raises(InputError) as refused:
        open_source(name)
    assert what in refused.value.what
    assert fix in refused.value.fix
    assert refused.value.where.startswith("make:")

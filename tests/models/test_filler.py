"""The filler writes valid replies for any response schema, equal for equal generators."""

from __future__ import annotations

import json
import random
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model, field_validator, model_validator

from synth.errors import ModelError
from synth.models import Reply, Request, ScriptedModel, Task, World, read_structured
from synth.models.filler import UnfillableError, fill
from synth.records import Problem

PROBLEM = Problem.root(question="How many?", answer="4")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 9


class Inner(Reply):
    says: Annotated[str, Field(min_length=1)]
    level: Level


class Tree(Reply):
    """A class that holds itself."""

    name: str
    children: list[Tree] = []  # noqa: RUF012  # Pydantic copies it
    parent: Tree | None = None


def _whole_numbers() -> st.SearchStrategy[Any]:
    bounds = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 1000))
    return st.one_of(
        st.just(int),
        st.integers(-(10**9), 10**9).map(lambda low: Annotated[int, Field(ge=low)]),
        st.integers(-(10**9), 10**9).map(lambda high: Annotated[int, Field(lt=high)]),
        bounds.map(lambda b: Annotated[int, Field(ge=b[0], le=b[0] + b[1])]),
        bounds.map(lambda b: Annotated[int, Field(gt=b[0], lt=b[0] + b[1] + 2)]),
        st.integers(1, 50).map(lambda step: Annotated[int, Field(multiple_of=step, ge=0)]),
    )


def _numbers() -> st.SearchStrategy[Any]:
    finite = st.floats(-1e12, 1e12, allow_nan=False)
    widths = st.floats(1e-3, 1e6)
    return st.one_of(
        st.just(float),
        finite.map(lambda low: Annotated[float, Field(gt=low)]),
        finite.map(lambda high: Annotated[float, Field(le=high)]),
        widths.map(lambda width: Annotated[float, Field(gt=0, lt=width)]),
        widths.map(lambda width: Annotated[float, Field(ge=-width, le=0)]),
    )


def _texts() -> st.SearchStrategy[Any]:
    lengths = st.tuples(st.integers(0, 300), st.integers(0, 40))
    return st.one_of(
        st.just(str), lengths.map(lambda n: Annotated[str, Field(min_length=n[0], max_length=n[0] + n[1])])
    )


LABELS = st.lists(st.sampled_from(["yes", "no", "A", 1, 2, True, None]), min_size=1, max_size=4, unique=True)
SCALARS = st.one_of(
    _whole_numbers(),
    _numbers(),
    _texts(),
    st.sampled_from([bool, Colour, Level, Inner, Tree]),
    LABELS.map(lambda labels: Literal[tuple(labels)]),
)
KINDS = st.recursive(
    SCALARS,
    lambda kind: st.one_of(
        kind.map(lambda k: k | None if k is not None else k),
        st.tuples(kind, kind).map(lambda two: two[0] | two[1]),
        kind.map(lambda k: tuple[k, int]),
        kind.map(lambda k: dict[str, k]),
        st.tuples(kind, st.integers(0, 4), st.integers(0, 3)).map(
            lambda of: Annotated[list[of[0]], Field(min_length=of[1], max_length=of[1] + of[2])]
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(KINDS, min_size=1, max_size=4), st.integers(0, 10))
def test_what_is_filled_in_is_valid(kinds: list[Any], seed: int):
    """For classes of literals, enumerations, numbers, texts, lists, unions and classes; at the first attempt."""
    shape = create_model("Made", __base__=Reply, **{f"field_{i}": (kind, ...) for i, kind in enumerate(kinds)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.models.filler._ATTEMPTS", 1)
        made = fill(shape, random.Random(seed))
    assert made == fill(shape, random.Random(seed))
    shape.model_validate(made)
    assert isinstance(read_structured(json.dumps(made), shape), shape)


def test_values_lie_anywhere_between_their_bounds():
    """Not the same value each time: every label and both ends of a range come up."""

    class Rated(Reply):
        score: Annotated[int, Field(ge=1, le=5)]
        verdict: Literal["sure", "likely", "impossible"]
        note: str | None

    made = [fill(Rated, random.Random(seed)) for seed in range(200)]
    assert {m["score"] for m in made} == {1, 2, 3, 4, 5}
    assert {m["verdict"] for m in made} == {"sure", "likely", "impossible"}


def test_a_text_of_one_length_is_that_long(monkeypatch: pytest.MonkeyPatch):
    """Also where it would be cut after a word, and the white space at its end stripped."""
    monkeypatch.setattr("synth.models.filler._ATTEMPTS", 1)
    for n in range(1, 80):
        shape = create_model("Made", __base__=Reply, text=(Annotated[str, Field(min_length=n, max_length=n)], ...))
        assert len(fill(shape, random.Random(n))["text"]) == n


def test_a_validator_is_given_several_values():
    class Even(Reply):
        number: int
        word: Annotated[str, Field(pattern=r"^[A-Z]$")]

        @field_validator("number")
        @classmethod
        def _even(cls, number: int) -> int:
            if number % 2:
                raise ValueError("odd")
            return number

    assert all(fill(Even, random.Random(seed))["number"] % 2 == 0 for seed in range(30))
    assert fill(Even, random.Random(0))["word"] == "A"


class Never(Reply):
    text: str

    @model_validator(mode="after")
    def _never(self) -> Never:
        raise ValueError("whatever it is")


def test_what_cannot_be_filled_in_is_an_error_with_the_reason():
    with pytest.raises(UnfillableError, match="whatever it is"):
        fill(Never, random.Random(0))

    class Letters(Reply):
        text: Annotated[str, Field(pattern=r"^q{40}$")]

    with pytest.raises(UnfillableError, match="text: String should match"):
        fill(Letters, random.Random(0))
    with pytest.raises(ValidationError):
        Letters.model_validate({"text": "q"})


async def test_a_world_fills_in_what_it_does_not_know():
    """A task of a step that this world has never heard of is answered all the same."""
    request = Request(({"role": "user", "content": "?"},), Task("other", PROBLEM), shape=Inner)
    first = await ScriptedModel(World()).complete(request)
    assert read_structured(first.text, Inner).says
    assert first.text == (await ScriptedModel(World()).complete(request)).text
    assert (await ScriptedModel(World()).complete(request._replace(shape=None))).text.endswith(".")
    with pytest.raises(ModelError, match="does not know the task 'other'"):
        await ScriptedModel(World()).complete(request._replace(shape=Never))

"""Mistakes that end a pipeline before any call: classes of replies that hold themselves, options that name nobody, names given twice."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import pytest
from pydantic import Field

from synth.errors import UserError
from synth.models.structured import Reply, holds_itself
from synth.pipeline import read_pipeline
from synth.pipeline.code import Code, load_code
from synth.prompts import Expression
from synth.reach import Reach

PIPELINE = {"pipeline": "my/p", "about": "x", "title": "x", "roles": {"teacher": "writes"}}


def findings(*steps: dict) -> list[tuple[str, str]]:
    return [
        (f.what, f.fix or "") for f in read_pipeline({**PIPELINE, "steps": [{"step": "generate"}, *steps]}).findings
    ]


class Leaf(Reply):
    """A reply without others."""

    text: str


class Twice(Reply):
    """A reply that has one class at two places, and does not hold itself."""

    first: Leaf
    second: list[Leaf] = Field(default_factory=list)


class Tree(Reply):
    """A reply that holds itself."""

    text: str
    below: list[Tree] = Field(default_factory=list)


class Ring(Reply):
    """A reply that holds itself by way of another."""

    link: Link | None = None


class Link(Reply):
    """The other."""

    ring: Ring


def test_classes_that_hold_themselves_are_known():
    assert [holds_itself(c) for c in (Leaf, Twice, Tree, Ring, Link)] == [False, False, True, True, True]


def test_a_class_of_replies_that_holds_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file is refused when it is loaded, before any call; one whose classes have a depth is taken."""
    monkeypatch.setattr("synth.pipeline.code.code_is_allowed", lambda _: True)
    head = "from __future__ import annotations\nimport synth\n\n"
    (tmp_path / "deep.py").write_text(head + "class Tree(synth.Reply):\n    text: str\n    below: list[Tree] = []\n")
    (tmp_path / "flat.py").write_text(head + "class Leaf(synth.Reply):\n    text: str\n")
    with pytest.raises(UserError, match="the class of replies Tree holds itself") as error:
        load_code("deep.py", Reach(tmp_path), Code())
    assert "a class for each level" in str(error.value)
    code = Code()
    load_code("flat.py", Reach(tmp_path), code)
    assert list(code.replies) == ["Leaf"]


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ({"step": "critique", "by": []}, "step critique: by asks nobody"),
        ({"step": "segment", "of": []}, "step segment: of names no step"),
        ({"step": "pair", "over": []}, "step pair: over names no step"),
    ],
)
def test_options_that_name_nobody_are_refused(step: dict, what: str):
    assert what in [w for w, _ in findings(step)]


def test_two_steps_of_one_kind_without_a_name_say_what_to_do():
    score = {"step": "score", "score": "one", "value": "1"}
    found = findings(score, score)
    assert [w for w, _ in found if "taken" in w] == ["step score: the name 'score' is taken"]
    assert all("give one a name: name: …" in r for w, r in found if "taken" in w)


@pytest.mark.parametrize(
    ("source", "text", "value"),
    [
        (r'"\[x]"', None, r"\[x]"),
        (r'"\\[x]"', None, r"\[x]"),
        (r'"a\tb\n"', None, "a\tb\n"),
        (r'"\d+\."', None, r"\d+\."),
        (r"'it\'s'", None, "it's"),
        (r'"\x41\u0042"', None, "AB"),
    ],
)
def test_a_backslash_that_begins_no_escape_is_itself_and_nothing_warns(source: str, text: None, value: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Expression(source)({}) == value


def test_many_expanded_steps_are_checked_in_a_few_seconds(tmp_path: Path):
    """A type of reply is made once for the copies of a step: 12 steps in 20 iterations make 12 types, and not 480."""
    from synth.steps import ask

    ask._parsed.cache_clear()
    (tmp_path / "p.j2").write_text("{# p 1 #}\n{% call user() %}Is {{ rationale.text }} good?{% endcall %}")
    asked = [
        {
            "step": "ask",
            "name": f"a{i}",
            "prompt": "p.j2",
            "reply": f"int(1, {i + 2})",
            "make": [{"score": f"s{i}", "value": "reply"}],
        }
        for i in range(12)
    ]
    steps = [{"step": "generate"}, {"repeat": {"until": "problem.question", "at_most": 20, "steps": asked}}]
    began = time.monotonic()
    read_pipeline({**PIPELINE, "steps": steps}, tmp_path)
    assert ask._parsed.cache_info().misses == 12
    assert time.monotonic() - began < 60

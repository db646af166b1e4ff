"""A constraint of another package is used like ours, and one that is not one is left out."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from synth import plugins
from synth.constraints import Claims, ConstraintKind, Finding, all_constraints, conflicts, misfit, satisfying_text
from synth.records import Constraint


class NoDigits(ConstraintKind):
    """No digits."""

    id: ClassVar[str] = "my_marks:no_digits"

    def check(self, text: str) -> Finding:
        return Finding.of(not any(c.isdigit() for c in text), "digits")

    def sentence(self) -> str:
        return "Use no digits."

    def build(self, draft: Any) -> None:
        pass

    @classmethod
    def draw(cls, seed: Any) -> NoDigits:
        return cls()

    def claims(self) -> Claims:
        return Claims(bars=tuple("0123456789"))


class Point:
    """An entry point."""

    dist = None

    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.value, self.thing = name, f"my:{name}", thing

    def load(self) -> Any:
        return self.thing


def test_what_a_package_registers_is_a_constraint(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Its checker, its claims and its text work with ours; the names of ours are taken."""
    points = [
        Point("my_marks:no_digits", NoDigits),
        Point("my_marks:other", NoDigits),
        Point("my_marks:none", 3),
        Point("punctuation:no_comma", NoDigits),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == "synth.constraints" else [])
    all_constraints.cache_clear()
    try:
        mine = Constraint(id="my_marks:no_digits")
        assert misfit(mine) is None
        assert satisfying_text([mine, Constraint(id="detectable_format:title")])
        assert conflicts([mine, Constraint(id="keywords:existence", args={"keywords": ["route 66"]})])
        assert [id_ for id_ in all_constraints() if id_.startswith("my_")] == ["my_marks:no_digits"]
    finally:
        all_constraints.cache_clear()
    for what in (
        'my_marks:other) is not used: its id is not "my_marks:other"',
        "my_marks:none) is not used: it is not a class derived from ConstraintKind",
        "punctuation:no_comma) is not used: the name is taken",
    ):
        assert what in caplog.text

"""What is looked through to make a variable of an expression counts as its work; critiques are gathered once."""

from __future__ import annotations

import pytest

from synth.errors import UserError
from synth.prompts import Expression
from synth.records import Critique, Problem, Rationale, Rejection
from synth.steps import Unit

PROBLEM = Problem.root(question="How many?", answer="1", answer_kind="number")


def unit_of(n: int) -> tuple[Unit, list[Rationale]]:
    made = [rationale(i) for i in range(n)]
    unit = Unit(PROBLEM, None, {})
    unit.add(made)
    return unit, made


def rationale(n: int) -> Rationale:
    return Rationale(
        id=f"r{n}", unit=PROBLEM.id, step="write", problem=PROBLEM.id, author="teacher", response=f"text {n}"
    )


@pytest.mark.parametrize("name", ["children", "siblings", "right", "wrong"])
def test_looking_through_a_unit_is_counted(name: str):
    """For each of n siblings all n records are looked through: 300 are fine, and 1,500 are more than an evaluation may take."""
    expression = Expression(f"siblings | map(attribute='{name}') | list | length")
    unit, made = unit_of(300)
    assert expression(unit.variables(made[0])) == 299
    unit, made = unit_of(1500)
    with pytest.raises(UserError, match="it takes more than 2,000,000 steps"):
        expression(unit.variables(made[0]))


def test_what_a_step_itself_asks_is_not_counted():
    unit, made = unit_of(3)
    assert len(unit.variables(made[0])["siblings"]) == 2


def test_critiques_of_a_record_are_those_kept_and_gathered_once(monkeypatch: pytest.MonkeyPatch):
    unit, made = unit_of(50)
    critiques = [
        Critique(id=f"c{i}", unit=PROBLEM.id, step="critique", target=made[i // 2].id, critic="m", explanation="good")
        for i in range(100)
    ]
    unit.add(critiques)
    looks: list[type] = []
    real = Unit.all
    monkeypatch.setattr(Unit, "all", lambda self, kind: (looks.append(kind), real(self, kind))[1])
    for i, record in enumerate(made):
        assert [c.id for c in unit.critiques_of(record)] == [f"c{2 * i}", f"c{2 * i + 1}"]
    assert looks == [Critique]
    unit.add([Rejection(id="j", unit=PROBLEM.id, step="f", target="r0", target_table="rationales", rule="x")])
    later = Critique(id="c100", unit=PROBLEM.id, step="critique", target="r1", critic="m", explanation="bad")
    unit.add([later])
    assert [c.id for c in unit.critiques_of(made[1])] == ["c2", "c3", "c100"]

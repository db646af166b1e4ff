"""All kinds by their names."""

from __future__ import annotations

from synth.records import AnswerKind
from synth.verify.kinds.action import ActionKind
from synth.verify.kinds.assignment import AssignmentKind
from synth.verify.kinds.boolean import BooleanKind
from synth.verify.kinds.choice import ChoiceKind
from synth.verify.kinds.code import CodeKind
from synth.verify.kinds.interval import IntervalKind
from synth.verify.kinds.kind import Kind
from synth.verify.kinds.list import ListKind
from synth.verify.kinds.math import MathKind
from synth.verify.kinds.number import NumberKind
from synth.verify.kinds.ranking import RankingKind
from synth.verify.kinds.set import SetKind
from synth.verify.kinds.text import TextKind

__all__ = ["KINDS", "kind_of"]

KINDS: dict[AnswerKind, Kind] = {
    kind.name: kind
    for kind in (
        NumberKind(),
        ChoiceKind(),
        MathKind(),
        TextKind(),
        BooleanKind(),
        SetKind(),
        ListKind(),
        IntervalKind(),
        AssignmentKind(),
        ActionKind(),
        RankingKind(),
        CodeKind(),
    )
}
"""A new kind is named here and in `synth.records.kinds`."""


def kind_of(name: AnswerKind) -> Kind:
    """The kind of that name."""
    return KINDS[name]

"""`twins`: the questions of counterfactual pairs, for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need
from synth.export.formats.contrast import COUNTERFACTUALS, DERIVED, ORIGINALS
from synth.export.options import ExportOptions
from synth.export.row import Message, Row
from synth.export.wording import prompt
from synth.store.database import Store

__all__ = ["TwinRow", "Twins"]


class TwinRow(Row):
    """A question of a counterfactual pair, for evaluation: a model that reads the passage gets both right."""

    prompt: list[Message]
    """Passage, question and options."""
    answer: str
    """The letter of the right option."""
    kind: Literal["original", "counterfactual"]
    """Which side of the pair this is."""
    problem_id: str
    """Id of the problem."""
    unit: str
    """Id of the root problem, which both sides share."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Twins(Format):
    """Questions of counterfactual pairs."""

    name = "twins"
    about = "questions of counterfactual pairs"
    options = frozenset({"system"})
    row = TwinRow

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return COUNTERFACTUALS

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:  # noqa: ARG002
        derived = store.rows(DERIVED)
        kept = {row["parent"] for row in derived}
        both = [
            *(("original", r) for r in store.rows(ORIGINALS) if r["id"] in kept),
            *(("counterfactual", r) for r in derived),
        ]
        for kind, row in both:
            yield TwinRow(
                prompt=prompt(row, options),
                answer=row["answer"],
                kind=kind,
                problem_id=row["id"],
                unit=row["unit"],
                source=row["source"],
            )

"""`contrast`: counterfactuals with their originals and the analyses of both, for contrastive losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need
from synth.export.options import ExportOptions
from synth.export.records import PROBLEM
from synth.export.row import Message, Row
from synth.export.wording import prompt
from synth.store.database import Store

__all__ = ["COUNTERFACTUALS", "DERIVED", "ORIGINALS", "Contrast", "ContrastRow", "ContrastSide", "Span"]

_COUNT = "SELECT count(*) FROM {} WHERE parent IS NOT NULL"
COUNTERFACTUALS = Need(
    "counterfactual problem",
    _COUNT.format("problems"),
    _COUNT.format("kept_problems"),
    "problems",
    "a step 'counterfactual' makes them (synth pipelines poda)",
)

DERIVED = f"""
SELECT p.id, p.unit, {PROBLEM}, p.answer, p.parent FROM kept_problems p
WHERE p.parent IS NOT NULL ORDER BY p.source, p.parent, p.answer
"""

ORIGINALS = f"""
SELECT p.id, p.unit, {PROBLEM}, p.answer FROM kept_problems p
WHERE p.id IN (SELECT parent FROM kept_problems) ORDER BY p.source, p.id
"""

_ANALYSES = """
SELECT id, problem, text, parts FROM kept_rationales WHERE json_type(parts, '$.options') = 'ARRAY' ORDER BY problem, id
"""


class Span(Row):
    """Where in a text the analysis of an option stands."""

    letter: str
    """The option."""
    begin: int
    """First character."""
    end: int
    """The one after the last."""


class ContrastSide(Row):
    """One of two problems that differ in their passage alone."""

    prompt: list[Message]
    """Passage, question and options."""
    text: str
    """The analysis of every option."""
    answer: str
    """The letter of the right option."""
    spans: list[Span]
    """Where in `text` the analysis of each option stands, in their order."""
    problem_id: str
    """Id of the problem."""
    rationale_id: str
    """Id of the rationale."""


class ContrastRow(Row):
    """A problem and its counterfactual with the analyses of both, for contrastive losses over option paths.

    In the original, `anchor` is right; in the counterfactual it is wrong, the negative. `positives` are wrong in both.
    Source: arXiv:2409.14495.
    """

    original: ContrastSide
    """The problem as it was given."""
    counterfactual: ContrastSide
    """The same question and options under another passage."""
    anchor: str
    """Letter of the option that is right in the original."""
    positives: list[str]
    """Letters of the options that are wrong in both."""
    unit: str
    """Id of the root problem."""
    source: str
    """Where the problem came from; empty where that is not known."""


class Contrast(Format):
    """Counterfactuals beside their originals."""

    name = "contrast"
    about = "counterfactuals with their originals"
    options = frozenset({"system"})
    row = ContrastRow

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return COUNTERFACTUALS

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        analyses: dict[str, dict[str, Any]] = {}
        for row in store.each(_ANALYSES):
            if (spans := _spans(row)) is not None:
                analyses.setdefault(row["problem"], {**row, "spans": spans})
        originals = {row["id"]: row for row in store.rows(ORIGINALS)}
        for derived in store.rows(DERIVED):
            original = originals.get(derived["parent"])
            if original is None or original["id"] not in analyses or derived["id"] not in analyses:
                left_out.add(
                    derived["id"], "it or its original has no kept analysis that says where each option stands"
                )
                continue
            letters = [chr(ord("A") + i) for i in range(len(original["choices"]))]
            yield ContrastRow(
                original=_side(original, analyses[original["id"]], options),
                counterfactual=_side(derived, analyses[derived["id"]], options),
                anchor=original["answer"],
                positives=[a for a in letters if a not in {original["answer"], derived["answer"]}],
                unit=derived["unit"],
                source=derived["source"],
            )


def _spans(rationale: Mapping[str, Any]) -> list[Span] | None:
    """Where a rationale speaks of each option, as its `parts` say: `options`, a list in which each has a `span` in the text."""
    spans = []
    for i, option in enumerate(orjson.loads(rationale["parts"])["options"]):
        match option:
            case {"span": [int(begin), int(end)]} if 0 <= begin <= end <= len(rationale["text"]):
                spans.append(Span(letter=chr(ord("A") + i), begin=begin, end=end))
            case _:
                return None
    return spans


def _side(problem: dict[str, Any], analysis: dict[str, Any], options: ExportOptions) -> ContrastSide:
    return ContrastSide(
        prompt=prompt(problem, options),
        text=analysis["text"],
        answer=problem["answer"],
        spans=analysis["spans"],
        problem_id=problem["id"],
        rationale_id=analysis["id"],
    )

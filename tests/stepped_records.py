"""Rationales with steps, scores on them and pairs of them, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synth.records import Pair, Part, Problem, Rationale, Score


def solved(problem: Problem, name: str, response: str, steps: tuple[str, ...], **more: Any) -> Rationale:
    """A rationale that states 5 in its last line."""
    said = "The answer is 5."
    span = (response.index(said), response.index(said) + len(said)) if said in response else None
    fields = {"answer": "5" if span else None, "answer_span": span, "author": "teacher", "segmenter": "lines/1"} | more
    return Rationale.make(
        unit=problem.id,
        step="s",
        because=[problem.id, name],
        problem=problem.id,
        response=response,
        steps=steps,
        **fields,
    )


def on_steps(
    rationale: Rationale,
    name: str,
    values: Sequence[float | None],
    *,
    judge: str = "j",
    reasons: Sequence[str | None] = (None,) * 99,
) -> list[Score]:
    """A score on each step."""
    return [
        Score.make(
            unit=rationale.unit,
            step="l",
            because=[rationale.id, name, i, judge],
            target=rationale.id,
            part=Part(kind="step", index=i),
            name=name,
            value=value,
            judge=judge,
            reason=reason,
        )
        for i, (value, reason) in enumerate(zip(values, reasons, strict=False))
    ]


def preferred(chosen: Rationale, rejected: Rationale, first: int | None = None) -> Pair:
    """A pair of two rationales."""
    return Pair.make(
        unit=chosen.unit,
        step="p",
        because=[chosen.id, rejected.id],
        problem=chosen.problem,
        chosen=chosen.id,
        rejected=rejected.id,
        reason="first_error",
        first_differing_step=first,
        length_difference=0,
    )


GOOD = "  I add 2 and 2.\n\nThat is 4. \nOne more is 5.\n\nThe answer is 5.\n"
GOOD_STEPS = ("I add 2 and 2.", "That is 4.", "One more is 5.")
BAD = "  I add 2 and 2.\n\nThat is 3.\nOne more is 4.\nSo 4"
BAD_STEPS = ("I add 2 and 2.", "That is 3.", "One more is 4.", "So 4")

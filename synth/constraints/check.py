"""What a reply makes of the constraints of its problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synth.constraints.catalogue import kind_of
from synth.constraints.kind import Finding
from synth.records import Constraint, Problem, Rationale

__all__ = ["Share", "check_constraints", "check_rationale", "judge_of", "share_of"]


class Share(NamedTuple):
    """What findings come to."""

    share: float | None
    """The share that is right of those that are right or wrong; None where none is."""
    all_right: bool | None
    """Whether all are right; None where none is wrong and one is unknown, or there are none."""


def check_constraints(constraints: Sequence[Constraint], response: str, reasoning: str | None) -> list[Finding]:
    """What each constraint says of a reply.

    Args:
        constraints: constraints of the catalogue.
        response: the visible reply.
        reasoning: the reasoning; None where its text is not known, such as a thought that its provider hides or summarises.
    """
    return [_finding(one, response, reasoning) for one in constraints]


def check_rationale(problem: Problem, rationale: Rationale) -> list[Finding]:
    """What each constraint of a problem says of a solution. The reasoning is the thought, or where there is none what the response says
    before it states its answer; a summary of a thought is none.
    """
    known = rationale.thought_kind in {None, "raw"}
    reasoning = rationale.thought or rationale.reasoning if known else None
    return check_constraints(problem.constraints, rationale.response, reasoning)


def share_of(findings: Sequence[Finding]) -> Share:
    """The share of the constraints that are complied with, and whether all are."""
    values = [finding.value for finding in findings if finding.value is not None]
    if not values:
        return Share(None, None)
    every = all(values) if len(values) == len(findings) or not all(values) else None
    return Share(sum(values) / len(values), every)


def judge_of(constraint: Constraint) -> str:
    """The name and version of a constraint's checker, as it stands in scores."""
    return f"{constraint.id}/{kind_of(constraint).version}"


def _finding(one: Constraint, response: str, reasoning: str | None) -> Finding:
    kind = kind_of(one)
    found = []
    if one.on in {"response", "both"}:
        found.append(kind.judge(response))
    if one.on in {"reasoning", "both"}:
        hidden = Finding("unknown", "the text of the reasoning is not known")
        found.append(hidden if reasoning is None else kind.judge(reasoning))
    for label in ("wrong", "unknown"):
        for finding in found:
            if finding.label == label:
                return finding
    return found[0]

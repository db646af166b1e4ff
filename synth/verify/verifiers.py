"""Verifiers: what says whether a solution is right. Two are built in; other packages and pipelines bring more."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

from synth.constraints import check_rationale, share_of
from synth.plugins import functions
from synth.records import Problem, Rationale
from synth.verify.compare import compare_answers
from synth.verify.gym import GYM, verify_by_gym
from synth.verify.verdict import Label, Verdict

__all__ = [
    "ANSWER",
    "CONSTRAINTS",
    "Verifier",
    "all_verifiers",
    "as_verdict",
    "verifies",
    "verify_by_answer",
    "verify_by_constraints",
]

ANSWER = "answer"
"""The name of the usual verifier: the final answer against the gold one."""


CONSTRAINTS = "constraints"
"""The name of the built-in verifier that looks at the constraints of the problem."""


class Verifier(Protocol):
    """A function of a solution and its problem."""

    def __call__(self, rationale: Rationale, problem: Problem, /) -> Verdict | bool | None:
        """Whether the solution is right; None where that cannot be said. It ends by itself, and calls no model."""


def verify_by_answer(
    rationale: Rationale,
    problem: Problem,
    *,
    tolerance: float | None = None,
    timeout: float = 5.0,
    f1_threshold: float | None = None,
) -> Verdict:
    """Whether the answer of a rationale is the gold answer of its problem; see `compare_answers`."""
    return compare_answers(
        rationale.answer,
        problem.answer or "",
        kind=problem.compared_as,
        choices=problem.choices,
        tolerance=tolerance,
        timeout=timeout,
        f1_threshold=f1_threshold,
    )


def verify_by_constraints(rationale: Rationale, problem: Problem) -> Verdict:
    """Whether a rationale complies with all constraints of its problem; undecided where one cannot be checked and none is broken."""
    findings = check_rationale(problem, rationale)
    share, every = share_of(findings)
    broken = [
        f"{one.id}: {found.reason}"
        for one, found in zip(problem.constraints, findings, strict=True)
        if found.label != "right"
    ]
    label: Label = "undecided" if every is None else "right" if every else "wrong"
    detail = "; ".join(broken)[:300] or ("all constraints" if findings else "the problem has no constraints")
    return Verdict(
        label, rationale.answer, problem.answer or "", f"{CONSTRAINTS}/1", detail, share if every is False else None
    )


def verifies(name: str) -> Callable[[Verifier], Verifier]:
    """Marks a function in the Python of a pipeline as a verifier, which its steps then name as `verifier: NAME`.

        @synth.verifies("even")
        def even(rationale, problem):
            return rationale.answer is not None and int(rationale.answer) % 2 == 0

    Args:
        name: what the pipeline calls it.
    """

    def mark(function: Verifier) -> Verifier:
        function.verifies = name  # type: ignore[attr-defined]
        return function

    return mark


@cache
def all_verifiers() -> dict[str, Verifier]:
    """Every verifier by its name: `answer`, `constraints`, `gym`, and those that other packages register under the entry point `synth.verifiers`."""
    found: dict[str, Verifier] = {ANSWER: verify_by_answer, CONSTRAINTS: verify_by_constraints, GYM: verify_by_gym}
    return {**functions("synth.verifiers", tuple(found)), **found}


def as_verdict(name: str, said: Verdict | bool | None, rationale: Rationale, problem: Problem) -> Verdict:
    """What a verifier said, as a verdict.

    Raises:
        TypeError: it is none.
    """
    if isinstance(said, Verdict):
        return said
    if said is not None and not isinstance(said, bool):
        raise TypeError(f"the verifier {name!r} gave a {type(said).__name__}, and is to give a Verdict, a bool or None")
    label = "undecided" if said is None else "right" if said else "wrong"
    return Verdict(label, rationale.answer, problem.answer or "", name, f"{name}: {label}")  # type: ignore[arg-type]

"""Comparing an answer with the gold one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from synth.records import AnswerKind
from synth.verify.extract import extract_answer
from synth.verify.kinds import Comparison, infer_kind, kind_of
from synth.verify.verdict import Verdict

__all__ = ["compare_answers", "verify_answer"]


def compare_answers(
    found: str | None,
    gold: str,
    *,
    kind: AnswerKind,
    choices: Sequence[str] = (),
    tolerance: float | None = None,
    timeout: float = 5.0,
    f1_threshold: float | None = None,
) -> Verdict:
    """Whether an answer that was read out of a reply is the gold one.

    Args:
        found: the answer, or None where none could be read.
        gold: the gold answer; for choices its letter or its text.
        kind: how they are compared.
        choices: the options, for `choice`.
        tolerance: relative error that still counts as right for numbers; exact if None.
        timeout: seconds a mathematical comparison may take.
        f1_threshold: token F1 from which on words count as right; equal after normalisation if None.
    """
    of = kind_of(kind)
    if not gold or not gold.strip():
        return Verdict("undecided", found, gold or "", of.method, "there is no gold answer")
    if found is None or not found.strip():
        return Verdict("unparsed", None, gold, of.method, "no answer found")
    return of.compare(found, gold, Comparison(choices, tolerance, timeout, f1_threshold))


def verify_answer(
    reply: str,
    gold: str,
    *,
    kind: AnswerKind | None = None,
    choices: Sequence[str] = (),
    which: Literal["stated", "last", "first"] = "stated",
    tolerance: float | None = None,
    timeout: float = 5.0,
) -> Verdict:
    """Read the final answer out of a reply and compare it with the gold one. Arguments as in the two parts of it."""
    kind = kind or infer_kind(gold, choices)
    found = extract_answer(reply, kind=kind, choices=choices, which=which)
    return compare_answers(found, gold, kind=kind, choices=choices, tolerance=tolerance, timeout=timeout)

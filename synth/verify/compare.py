"""Comparing an answer with the gold one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from synth.records import AnswerKind
from synth.verify.booleans import read_boolean
from synth.verify.choices import read_choice
from synth.verify.extract import extract_answer
from synth.verify.kinds import infer_kind
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number
from synth.verify.text import same_text, token_f1
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
    method = f"{kind}/1"
    if found is None or not found.strip():
        return Verdict("unparsed", None, gold, method, "no answer found")

    def verdict(right: bool, detail: str | None = None) -> Verdict:
        sign = "=" if right else "≠"
        return Verdict("right" if right else "wrong", found, gold, method, detail or f"{found[:80]} {sign} {gold[:80]}")

    if kind == "number":
        a, b = read_number(found), read_number(gold)
        if b is None:
            return verdict(same_text(found, gold))
        if a is None:
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} is not one number")
        if tolerance is not None:
            return verdict(abs(a - b) <= abs(b) * Fraction(str(tolerance)))
        return verdict(a == b)
    if kind == "choice":
        letter, right = read_choice(found, choices), read_choice(gold, choices)
        if letter is None:
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} names none of the choices")
        return verdict(letter == right, f"{letter} {'=' if letter == right else '≠'} {right}")
    if kind == "boolean":
        said, true = read_boolean(found), read_boolean(gold)
        if said is None:
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} is neither yes nor no")
        return verdict(said == true)
    if kind == "math":
        return _compare_math(found, gold, timeout)
    if f1_threshold is not None:
        f1 = token_f1(found, gold)
        return verdict(f1 >= f1_threshold, f"token F1 {f1:.2f}")
    return verdict(same_text(found, gold))


def _compare_math(found: str, gold: str, timeout: float) -> Verdict:
    method = "math/1"
    plain, expected = (" ".join(unwrap(t).split()).replace(" ", "").rstrip(".") for t in (found, gold))
    if plain == expected:
        return Verdict("right", found, gold, method, "the same text")
    if is_number(plain) and is_number(expected):
        right = read_number(plain) == read_number(expected)
        return Verdict(
            "right" if right else "wrong", found, gold, method, f"{plain[:80]} {'=' if right else '≠'} {expected[:80]}"
        )
    from synth.verify.mathematics import equivalent

    label = equivalent(found[:2000], gold[:2000], timeout)
    detail = {
        "right": "equivalent",
        "wrong": "not equivalent",
        "unparsed": "no mathematical expression found",
        "timeout": f"not decided within {timeout:g} s",
    }[label]
    return Verdict(label, found, gold, method, detail)


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

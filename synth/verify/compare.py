"""Comparing an answer with the gold one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from time import monotonic
from typing import Literal

from synth.records import AnswerKind
from synth.verify.booleans import read_boolean
from synth.verify.choices import read_choice
from synth.verify.extract import extract_answer
from synth.verify.formulas import as_interval, formula, is_interval, ordered_values, unlike
from synth.verify.kinds import infer_kind
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number, read_scaled
from synth.verify.text import same_text, token_f1
from synth.verify.verdict import Label, Verdict

__all__ = ["compare_answers", "verify_answer"]

_RELATION = re.compile(r"[<>=]|\\(?:le|ge|ne|in)(?![a-z])")
_COMMA = re.compile(r"(-?\d+),(\d+)")
_BETWEEN = re.compile(r"(?<!\d) | (?![\d(\\])")
"""Spaces that say nothing: not those between digits, as in `2 1/2`."""


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
    method = f"{kind}/2"
    if not gold or not gold.strip():
        return Verdict("undecided", found, gold or "", method, "there is no gold answer")
    if found is None or not found.strip():
        return Verdict("unparsed", None, gold, method, "no answer found")

    def verdict(right: bool, detail: str | None = None) -> Verdict:
        sign = "=" if right else "≠"
        return Verdict("right" if right else "wrong", found, gold, method, detail or f"{found[:80]} {sign} {gold[:80]}")

    if kind == "number":
        a, b = read_number(found), read_number(gold)
        if b is None:
            # `5:30` is no number, yet it is what it is.
            if (re.search(r"\d", gold) and same_text(found, gold)) or (a is not None and a == read_scaled(gold)[0]):
                return verdict(True)
            return Verdict("undecided", found, gold, method, f"the gold answer {gold[:80]!r} is not one number")
        if a is None:
            if b == read_scaled(found)[0]:
                return verdict(True)
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} is not one number")
        if a == b or (tolerance is not None and abs(a - b) <= abs(b) * Fraction(str(tolerance))):
            return verdict(True)
        if b == read_scaled(found)[1] or a == read_scaled(gold)[1]:
            return Verdict("unparsed", found, gold, method, f"{found[:60]} and {gold[:60]}: in which unit?")
        return verdict(False)
    if kind == "choice":
        letter, right = read_choice(found, choices), read_choice(gold, choices)
        if letter is None:
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} names none of the choices")
        if right is None:
            return Verdict("undecided", found, gold, method, f"the gold answer {gold[:80]!r} names none of the choices")
        return verdict(letter == right, f"{letter} {'=' if letter == right else '≠'} {right}")
    if kind == "boolean":
        said, true = read_boolean(found), read_boolean(gold)
        if said is None:
            return Verdict("unparsed", found, gold, method, f"{found[:80]!r} is neither yes nor no")
        if true is None:
            return Verdict("undecided", found, gold, method, f"the gold answer {gold[:80]!r} is neither yes nor no")
        return verdict(said == true)
    if kind == "math":
        return _compare_math(found, gold, timeout)
    if f1_threshold is not None:
        f1 = token_f1(found, gold)
        return verdict(f1 >= f1_threshold, f"token F1 {f1:.2f}")
    return verdict(same_text(found, gold))


def _compare_math(found: str, gold: str, timeout: float) -> Verdict:
    method = "math/2"

    def verdict(label: Label, detail: str) -> Verdict:
        return Verdict(label, found, gold, method, detail)

    a, b = formula(found), formula(gold)
    spoken, said = (" ".join(unwrap(t).split()).rstrip(".") for t in (a, b))
    plain, expected = _BETWEEN.sub("", spoken), _BETWEEN.sub("", said)
    if not plain:
        return verdict("unparsed", "no answer found")
    if plain == expected:
        return verdict("right", "the same text")
    if is_number(spoken) and is_number(said):
        right = read_number(spoken) == read_number(said)
        return verdict("right" if right else "wrong", f"{plain[:80]} {'=' if right else '≠'} {expected[:80]}")
    if (
        (one := _COMMA.fullmatch(spoken)) is not None
        and is_number(said)
        and read_number(f"{one[1]}.{one[2]}") == read_number(said)
    ):
        return verdict("unparsed", f"{spoken[:60]}: one number or two?")
    if (
        (one := _COMMA.fullmatch(said)) is not None
        and is_number(spoken)
        and read_number(f"{one[1]}.{one[2]}") == read_number(spoken)
    ):
        return verdict("unparsed", f"the gold answer {said[:60]}: one number or two?")
    if is_interval(a) and (interval := as_interval(b)) is not None:
        b = interval
    elif is_interval(b) and (interval := as_interval(a)) is not None:
        a = interval
    label = _equivalent(a, b, timeout)
    if label == "right" and (why := unlike(a, b)) is not None:
        return verdict("unparsed", why)
    detail = {
        "right": "equivalent",
        "wrong": "not equivalent",
        "unparsed": "no mathematical expression found",
        "timeout": f"not decided within {timeout:g} s",
    }[label]
    return verdict(label, detail)


def _equivalent(a: str, b: str, timeout: float) -> Label:
    from synth.verify.mathematics import equivalent

    label = equivalent(a, b, timeout)
    if label == "wrong" and _RELATION.search(a + b) is not None:
        label = equivalent(b, a, timeout)  # relations are not taken alike on both sides
    if label != "right":
        return label
    # As sets they are the same; where one of them is ordered, the order counts.
    first, second = ordered_values(a), ordered_values(b)
    if first is None and second is None:
        return label
    first, second = first or _listed(a), second or _listed(b)
    if len(first) != len(second) or len(first) < 2:
        return label
    labels: set[Label] = {"right"}
    end = monotonic() + timeout
    for x, y in zip(first, second, strict=True):
        if x != y:
            left = end - monotonic()
            labels.add(equivalent(x, y, left) if left > 0 else "timeout")
        if "timeout" in labels or "wrong" in labels:
            break
    return "right" if labels == {"right"} else "wrong" if "wrong" in labels else "unparsed"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",|;|\\text\s?\{\s?and\s?\}|\band\b", text)]


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

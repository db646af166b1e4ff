"""Answers that are mathematical expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic

from synth.verify.formulas import as_interval, formula, is_interval, ordered_values, unlike
from synth.verify.kinds.kind import Comparison, Kind, only_line
from synth.verify.latex import unwrap
from synth.verify.numbers import is_number, read_number
from synth.verify.verdict import Label, Verdict

__all__ = ["MathKind"]

_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,300})\$\$|\$(?P<b>[^$\n]{1,300})\$|\\\[(?P<c>.{1,300}?)\\\]|\\\((?P<d>.{1,300}?)\\\)", re.DOTALL
)
_RELATION = re.compile(r"[<>=]|\\(?:le|ge|ne|in)(?![a-z])")
_COMMA = re.compile(r"(-?\d+),(\d+)")
_BETWEEN = re.compile(r"(?<!\d) | (?![\d(\\])")
"""Spaces that say nothing: not those between digits, as in `2 1/2`."""


class MathKind(Kind):
    """An expression, a formula, an equation, a set or a tuple of such, compared by `math_verify`."""

    name = "math"
    version = 2
    slow = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return self.statement(said) or None

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        formulas = list(_FORMULA.finditer(text))
        if formulas:
            return next(v for v in formulas[-1].groups() if v is not None).strip() or None
        return only_line(text)

    def same(self, one: str, other: str) -> bool:
        a = read_number(one)
        return a is not None and a == read_number(other)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        return _compare_math(self.method, found, gold, by.timeout)


def _compare_math(method: str, found: str, gold: str, timeout: float) -> Verdict:

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

"""A marking scheme: yes/no elements, and the rule by which their answers make a mark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from synth.errors import UserError
from synth.prompts import Rule
from synth.records import Problem

__all__ = ["Element", "Rubric", "read_rubric"]

_FORM = (
    'write {"elements": ["Does the answer …?", …], "rule": "3 if count >= 3 else count", "marks": {"0": "…", …}}; an '
    'element may have a name for the rule: {"name": "conclusion", "question": "Is there a conclusion?"}'
)
_ENUMERATED = 12
"""Up to so many elements all cases of a rule are gone through beforehand."""


class Element(NamedTuple):
    """One question of the scheme, to be answered yes or no."""

    name: str
    question: str


class Rubric(NamedTuple):
    """A scheme that has been checked."""

    elements: tuple[Element, ...]
    rule: str
    marks: tuple[tuple[str, str], ...]
    """What each mark stands for, lowest first; may be empty."""

    def mark(self, decisions: Mapping[str, bool]) -> str:
        """The mark for these answers, by element name. Source: rule-scored leaves of arXiv:2406.19949."""
        return _mark(self.rule, tuple((e.name, decisions[e.name]) for e in self.elements))

    @property
    def best(self) -> str | None:
        """The full mark; None where there are too many elements to tell."""
        reach = _reach(self.rule, tuple(e.name for e in self.elements))
        return max(reach, key=float) if reach else None


class _Named(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    question: Annotated[str, Field(min_length=1)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    elements: list[Annotated[str, Field(min_length=1)] | _Named] = []
    rule: str | None = None
    marks: dict[str, str] = {}


def read_rubric(problem: Problem, rule: str | None = None) -> Rubric:
    """The scheme of a problem: its `rubric`, with its `evidence` for elements where the rubric has none.

    Args:
        problem: the problem.
        rule: a rule (`synth.prompts.Rule`) for the mark over `count` (how many are yes) and the elements by name, where the rubric has
            none of its own; without any the mark is `count`.

    Raises:
        UserError: there is no scheme, or it cannot be used; says why.
    """
    try:
        form = _Form.model_validate(problem.rubric if problem.rubric is not None else {})
    except ValidationError as error:
        e = error.errors(include_input=False)[0]
        raise UserError(
            f"the rubric is not of its form: {'.'.join(map(str, e['loc']))}: {e['msg']}", remedy=_FORM
        ) from error
    given = form.elements or list(problem.evidence)
    if not given:
        raise UserError("the rubric has no elements", remedy=_FORM)
    elements = tuple(
        Element(f"e{i}", e) if isinstance(e, str) else Element(e.name, e.question) for i, e in enumerate(given, 1)
    )
    names = tuple(e.name for e in elements)
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise UserError(f"the rubric has two elements {twice!r}", remedy="give each a name of its own")
    by_mark = tuple(sorted(form.marks.items(), key=lambda m: _number(m[0])))
    rubric = Rubric(elements, form.rule or rule or "count", by_mark)
    _check(rubric.rule, names)
    reach = _reach(rubric.rule, names)
    if reach is not None:
        if form.marks and (other := sorted(reach - set(form.marks))):
            raise UserError(
                f"the rule {rubric.rule!r} gives the mark {other[0]}, which the rubric does not describe", remedy=_FORM
            )
        if problem.answer is not None and _number(problem.answer) not in {float(m) for m in reach}:
            raise UserError(
                f"no answers to its elements give the gold mark {problem.answer!r} (rule {rubric.rule!r})", remedy=_FORM
            )
    return rubric


def _number(mark: str) -> float:
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*", mark)
    if found is None:
        raise UserError(f"the mark {mark!r} is not a number", remedy=_FORM)
    return float(found[1])


@lru_cache(maxsize=4096)
def _check(rule: str, names: tuple[str, ...]) -> None:
    try:
        unknown = Rule(rule).unknown_names(dict.fromkeys(("count", *names)))
    except UserError as error:
        raise UserError(f"the rule {rule[:200]!r} does not compile: {error.what}", remedy=_FORM) from error
    if unknown:
        raise UserError(
            f"the rule {rule!r} names an unknown element {unknown[0]!r}", remedy=f"it knows: count, {', '.join(names)}"
        )
    _mark(rule, tuple((name, False) for name in names))


@lru_cache(maxsize=65536)
def _mark(rule: str, decisions: tuple[tuple[str, bool], ...]) -> str:
    try:
        return f"{Rule(rule)({**dict(decisions), 'count': sum(yes for _, yes in decisions)}):g}"
    except UserError as error:
        raise UserError(f"the rule {rule!r} gives no mark: {error.what}", remedy=_FORM) from error


@lru_cache(maxsize=4096)
def _reach(rule: str, names: tuple[str, ...]) -> frozenset[str] | None:
    """All marks the rule can give; None where there are too many cases to go through."""
    if len(names) > _ENUMERATED:
        return None
    return frozenset(
        _mark(rule, tuple(zip(names, case, strict=True))) for case in product((False, True), repeat=len(names))
    )

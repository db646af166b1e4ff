"""Checkers of steps: what a step of a rationale claims, and whether it holds, without a model.

A checker is a function `(step, problem, before) -> claims`: the text of the step, its problem and the texts of the steps before it. It gives one
`Claim` for each claim it could check, with `holds` None where it does not know; a claim called wrong must be wrong. Other packages register
theirs under the entry point `synth.step_checkers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from synth.algorithms import algorithm_in
from synth.plugins import plugins
from synth.records import Problem
from synth.verify.arithmetic import Claim, arithmetic_claims
from synth.verify.quotes import find_quote, quotes_in

__all__ = ["BUILT_IN_CHECKERS", "StepChecker", "all_step_checkers", "quote_claims", "trace_claims"]

_WORDS_OF_A_QUOTATION = 3
"""Fewer words in quotation marks may be a term or a title: that they do not stand in the problem says nothing."""
_SHOWN = 80


class StepChecker(NamedTuple):
    """One checker of steps."""

    name: str
    version: int
    """Raised when the same step would get other claims; stands in what judged a score."""
    mistake: str
    """The kind of mistake that a wrong claim is."""
    check: Callable[[str, Problem, Sequence[str]], Iterable[Claim]]
    """The claims of a step, in any order."""


def quote_claims(text: str, sources: Sequence[str]) -> list[Claim]:
    """The quotations of a text, each a claim that it stands in one of the sources, as `find_quote` compares.

    One of three words or more that stands in none is wrong; a shorter one is unknown, for it may be a term. All are unknown where there is no
    source.
    """
    claims: list[Claim] = []
    place = 0
    for quote in quotes_in(text):
        start = text.index(quote, place)
        place = end = start + len(quote)
        shown = quote if len(quote) <= _SHOWN else f"{quote[: _SHOWN - 1]}…"
        if any(find_quote(quote, source) for source in sources):
            claims.append(Claim(start, end, quote, True, f"“{shown}” stands in the problem"))
        elif not sources or len(quote.split()) < _WORDS_OF_A_QUOTATION:
            why = "there is no text to quote" if not sources else "too short to be surely a quotation"
            claims.append(Claim(start, end, quote, None, f"“{shown}”: {why}"))
        else:
            claims.append(Claim(start, end, quote, False, f"“{shown}” does not stand in the problem"))
    return claims


def _arithmetic(step: str, problem: Problem, before: Sequence[str]) -> list[Claim]:  # noqa: ARG001
    return arithmetic_claims(step)


def _trace(step: str, problem: Problem, before: Sequence[str]) -> list[Claim]:
    return trace_claims(step, problem.meta, before)


def _quotes(step: str, problem: Problem, before: Sequence[str]) -> list[Claim]:  # noqa: ARG001
    sources = [problem.context, problem.question, *problem.choices, *problem.evidence]
    return quote_claims(step, [source for source in sources if source])


def trace_claims(step: str, meta: Mapping[str, Any], before: Sequence[str]) -> list[Claim]:
    """The step of an algorithm that a line states, as a claim that it comes next after the line before it; nothing of a line of another form.

    A step after a wrong one is right where it is what the wrong one leads to. What is not the next step is unknown where a line between the two
    cannot be read, and after the last step.

    Args:
        step: the line.
        meta: of the problem, with `algorithm` and `instance`, as `synth.generators` writes them.
        before: the lines before it.
    """
    found = algorithm_in(meta)
    if found is None:
        return []
    algorithm, instance = found
    state = algorithm.form.read(step)
    if state is None:
        return []
    unread = False
    last = None
    for line in reversed(before):
        if (last := algorithm.form.read(line)) is not None:
            break
        unread = unread or algorithm.form.begins(line)
    expected = algorithm.next(instance, algorithm.first(instance) if last is None else last)

    def claim(holds: bool | None, reason: str, correction: str | None = None) -> Claim:
        return Claim(0, len(step), step, holds, reason, correction)

    if state == expected:
        return [claim(True, "it is the next step")]
    if unread:
        return [claim(None, "a step before it cannot be read")]
    if expected is None:
        return [claim(None, "no step comes next")]
    line = algorithm.form.say(expected)
    shown = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
    return [claim(False, f"the next step is: {shown}", line)]


BUILT_IN_CHECKERS: tuple[StepChecker, ...] = (
    StepChecker("arithmetic", 1, "arithmetic", _arithmetic),
    StepChecker("quotes", 1, "quotation", _quotes),
    StepChecker("trace", 1, "step", _trace),
)


@cache
def all_step_checkers() -> dict[str, StepChecker]:
    """Every checker of steps by its name: ours, and those of other packages."""
    checkers = {checker.name: checker for checker in BUILT_IN_CHECKERS}
    wrong = "it is not a StepChecker of that name"
    others = plugins(
        "synth.step_checkers",
        checkers,
        lambda name, thing: None if isinstance(thing, StepChecker) and thing.name == name else wrong,
    )
    return {**checkers, **others}

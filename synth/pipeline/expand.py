"""From items to plain steps: `repeat` writes its steps out, iteration by iteration.

This is done when a file is loaded, so that the static check, the plan and the engine see plain steps only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from synth.pipeline.draft import Draft, Finding
from synth.pipeline.items import MOST_STEPS, Item, Until, kind_of, refer, walk
from synth.pipeline.spec import MOST_ITERATIONS
from synth.steps import ModelStep, Step

__all__ = ["expand"]


def expand(items: Sequence[Item], draft: Draft) -> list[Item]:
    """The plain steps: each `repeat` written out, iteration by iteration.

    The first iteration has the names that are written, the others `NAME_2`, `NAME_3` and so on. Within an iteration a name
    means the step of that iteration where it stands before, and else that of the iteration before. After the `repeat` it means
    the steps of all iterations, or, in an option that takes one name, that of the last.

    Args:
        items: as read, with steps of blocks in place.
        draft: takes the findings.
    """
    plain: list[Item] = []
    copies: dict[str, list[str]] = {}
    for number, item in enumerate(items):
        for step in walk([item]):
            refer(step, partial(_all_iterations, copies))
        if item.steps is None:
            plain.append(item)
            continue
        inner = _inner(item, draft)
        until, most = _condition(item, draft)
        if inner and len(plain) + most * len(inner) > MOST_STEPS:
            what = f"with {most} iterations the pipeline has more than {MOST_STEPS} steps"
            draft.findings.append(Finding(*item.at("at_most"), what, "lower at_most, or repeat fewer steps"))
            most = 1
        for iteration in range(1, most + 1):
            plain += [
                replace(_copy(step, i, inner, iteration, until, draft), repeat=number) for i, step in enumerate(inner)
            ]
            if iteration == 1 and inner and until is not None:
                plain[-1].until = until
        copies |= {step.name: [_numbered(step.name, k + 1) for k in range(most)] for step in inner}
    return plain


def _all_iterations(copies: Mapping[str, list[str]], name: str) -> list[str]:
    return copies.get(name, [name])


def _inner(item: Item, draft: Draft) -> list[Item]:
    """The steps of a `repeat`."""
    for inner in (i for i in item.steps or () if i.steps is not None):
        draft.findings.append(
            Finding(*inner.at(), "a repeat stands within a repeat", "write one repeat with the steps of both")
        )
    steps = list(walk(item.steps or ()))
    for step in (s for s in steps if "unless" in s.options):
        what = f"step {step.name}: unless stands within a repeat, which sets it"
        draft.findings.append(Finding(*step.at("unless"), what, "write when: with the opposite condition"))
    return steps


def _condition(item: Item, draft: Draft) -> tuple[Until | None, int]:
    """When a `repeat` ends, and after how many iterations at the latest; after one where it does not say so rightly."""
    until, most = item.options.get("until"), item.options.get("at_most")
    if not isinstance(until, str):
        what = "repeat: until is missing" if until is None else "repeat: until is not a text"
        draft.findings.append(
            Finding(*item.value_at("until"), what, "add the condition that ends it: until: EXPRESSION")
        )
    allowed = f"write at_most: with a number from 1 to {MOST_ITERATIONS}"
    if most is None:
        draft.findings.append(Finding(*item.at("at_most"), "repeat: at_most is missing", allowed))
    elif not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_ITERATIONS:
        what = f"repeat: at_most is {str(most)[:40]}, and not a number from 1 to {MOST_ITERATIONS}"
        draft.findings.append(Finding(*item.value_at("at_most"), what, allowed))
        most = None
    if not isinstance(until, str):
        return None, 1
    return Until(until, item.value_at("until")), most or 1


def _copy(step: Item, position: int, inner: Sequence[Item], iteration: int, until: Until | None, draft: Draft) -> Item:
    """A step of a `repeat` in one iteration."""
    positions = {other.name: i for i, other in reversed(list(enumerate(inner)))}

    def meant(name: str) -> list[str]:
        if name not in positions:
            return [name]
        which = iteration if positions[name] < position else iteration - 1
        return [_numbered(name, which)] if which else []

    copy = replace(step, options=dict(step.options), moved=dict(step.moved))
    for option in refer(copy, meant):
        what = f"step {step.name}: {option} names only steps that stand after it in the repeat, or the step itself"
        hint = f"in the first iteration they have made nothing: name a step before the repeat too, {option}: [BEFORE, NAME]"
        draft.findings.append(Finding(*step.value_at(option), what, hint))
    if iteration > 1 and until is not None:
        copy.original = step.name
        copy.options |= {"name": _numbered(step.name, iteration), "unless": until.source}
        copy.moved["unless"] = until.place
        if issubclass(kind_of(step) or Step, ModelStep):
            copy.options["iteration"] = iteration
    return copy


def _numbered(name: str, iteration: int) -> str:
    return name if iteration == 1 else f"{name}_{iteration}"

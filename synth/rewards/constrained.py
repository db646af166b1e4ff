"""Rewards of what a reply complies with beside its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Any

import orjson
from pydantic import Field

from synth.constraints import check_constraints, kind_of
from synth.errors import SetupError
from synth.records import Constraint
from synth.rewards.registry import reward
from synth.texts import split_thought

__all__ = ["constraints"]

_ALL, _NONE = 2.0, -2.0
"""The ends of the table of arXiv:2506.01413."""


@reward
def constraints(
    completion: str,
    constraints: str | Sequence[Mapping[str, Any]],
    *,
    scale: Annotated[float, Field(gt=0, le=100)] = 1.0,
    table: bool = False,
    think: bool = False,
) -> float | None:
    """The share of its constraints that a completion complies with, in [0, 1] times `scale` (arXiv:2508.02150, whose scale is 5).

    What is looked at is the response that follows the thought; a thought that does not end has none, and earns 0. Constraints on the reasoning look
    at the thought, or in a reply without one at the response. What a checker cannot say counts as broken; constraints that only a judge
    decides do not count, and where there are no others there is no reward (None).

    Args:
        completion: what the model wrote.
        constraints: the constraints of the problem as a list, or as a JSON list, of objects with `id`, `args` and `on`.
        scale: what complying with all is worth.
        table: the values of arXiv:2506.01413 instead: 2 for all, -2 for none, else the share; -2 for a thought that is missing with
            `think`, or does not end.
        think: whether a reply without a thought earns as little as one with none of its constraints.

    Raises:
        SetupError: a constraint needs a library that is not installed.
    """
    given = [one for one in _read(constraints) if one.id != "soft:judged"]
    if not given:
        return None
    for one in given:
        if lacking := [name for name in kind_of(one).libraries if find_spec(name) is None]:
            raise SetupError(f"{one.id} needs {' and '.join(lacking)}", fix="pip install 'synth-rationales[curate]'")
    split = split_thought(completion)
    unthinking = not (split.thought or "").strip()
    findings = check_constraints(given, split.response, split.response if unthinking else split.thought)
    share = sum(found.label == "right" for found in findings) / len(findings)
    if not split.response.strip() or (think and unthinking):
        share = 0.0
    if table:
        return _ALL if share == 1 else _NONE if share == 0 else share
    return scale * share


def _read(given: str | Sequence[Mapping[str, Any]]) -> list[Constraint]:
    """The constraints of a row."""
    value: Any = orjson.loads(given) if isinstance(given, str) else given
    found = []
    for one in value or ():
        args = {
            name: arg for name, arg in (one.get("args") or {}).items() if arg is not None
        }  # Arrow fills those of other rows
        found.append(Constraint(id=one["id"], args=args, on=one.get("on") or "response"))
    return found

"""All constraints by name: ours, and those that other packages register under the entry point `synth.constraints`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import orjson
from pydantic import ValidationError

from synth.bounded import nearest
from synth.constraints.composed import Chain, Judged, Selection
from synth.constraints.content import CONTENT
from synth.constraints.keywords import KEYWORDS
from synth.constraints.kind import ConstraintKind
from synth.constraints.lengths import LENGTHS
from synth.constraints.letters import LETTERS
from synth.constraints.whole import WHOLE
from synth.plugins import plugins
from synth.records import Constraint

__all__ = ["BUILT_IN", "all_constraints", "kind_of", "misfit", "named"]

BUILT_IN: tuple[type[ConstraintKind], ...] = (*KEYWORDS, *LENGTHS, *CONTENT, *WHOLE, *LETTERS, Chain, Selection, Judged)
_DEEPEST = 3
"""Constraints within constraints are nested no deeper."""


@cache
def all_constraints() -> dict[str, type[ConstraintKind]]:
    """Every kind of constraint by its id."""
    ours = {kind.id: kind for kind in BUILT_IN}
    return {**ours, **plugins("synth.constraints", ours, _wrong)}


def kind_of(constraint: Constraint) -> ConstraintKind:
    """A constraint with its checker.

    Raises:
        ValueError: there is no such constraint, or its arguments do not fit.
    """
    return _made(constraint.id, orjson.dumps(constraint.args, option=orjson.OPT_SORT_KEYS))


def named(names: Sequence[str]) -> list[type[ConstraintKind]]:
    """The kinds with these ids, or in these groups (`keywords`); all that are drawn by themselves where no names are given.

    Raises:
        ValueError: there is no such id or group.
    """
    known = all_constraints()
    if not names:
        return [kind for kind in known.values() if kind.drawn]
    found: dict[str, type[ConstraintKind]] = {}
    for name in names:
        here = {id_: kind for id_, kind in known.items() if name in {id_, id_.partition(":")[0]}}
        if not here:
            raise ValueError(_unknown(name))
        found |= here
    return list(found.values())


def misfit(constraint: Constraint, depth: int = 0) -> str | None:
    """Why a constraint is none of the catalogue, or its arguments do not fit; None where it is one."""
    try:
        kind = kind_of(constraint)
    except ValueError as error:
        return str(error)
    inner = [one for part in kind.parts for one in part] if isinstance(kind, Chain) else []
    inner += [*kind.then, *kind.otherwise] if isinstance(kind, Selection) else []
    if inner and depth >= _DEEPEST:
        return f"{constraint.id}: constraints are nested more than {_DEEPEST} deep"
    return next((f"{constraint.id}: {why}" for one in inner if (why := misfit(one, depth + 1))), None)


@lru_cache(maxsize=4096)
def _made(id_: str, args: bytes) -> ConstraintKind:
    kind = all_constraints().get(id_)
    if kind is None:
        raise ValueError(_unknown(id_))
    try:
        return kind.model_validate(orjson.loads(args))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        fields = ", ".join(kind.model_fields)
        if first["type"] == "missing":
            raise ValueError(f"{id_}: the argument {place} is missing") from None
        if first["type"] == "extra_forbidden":
            raise ValueError(
                f"{id_}: there is no argument {place}; {f'it has {fields}' if fields else 'it has none'}"
            ) from None
        raise ValueError(
            f"{id_}: {f'{place}: ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from None


def _unknown(name: str) -> str:
    meant = nearest(name, list(all_constraints()), cutoff=0.5)
    return f"there is no constraint {name!r}" + (f"; did you mean {meant[0]}?" if meant else "")


def _wrong(name: str, thing: Any) -> str | None:
    if not (isinstance(thing, type) and issubclass(thing, ConstraintKind)):
        return "it is not a class derived from ConstraintKind"
    if getattr(thing, "id", None) != name:
        return f'its id is not "{name}"'
    return None

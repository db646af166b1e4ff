"""Constraints as published data sets write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ifeval_constraints", "reasonif_constraints"]

_REASONIF = {
    "language:reasoning_language": ("language:response_language", {}),
    "length_constraint_checkers:number_words": ("length_constraints:number_words", {"relation": "less than"}),
}
"""Names of arXiv:2510.15211 that IFEval does not have, by ids and arguments of the catalogue."""


def ifeval_constraints(ids: Sequence[str], kwargs: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """The constraints of a row of IFEval (arXiv:2311.07911): `instruction_id_list` and `kwargs`, one for each. Arguments that are null are none.

    Raises:
        ValueError: there are not as many.
    """
    return [{"id": id_, "args": args} for id_, args in _together(ids, kwargs)]


def reasonif_constraints(ids: Sequence[str], args: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """The constraints on the reasoning of a row of ReasonIF (arXiv:2510.15211): `constraint_name` and `constraint_args`, one for each.

    Raises:
        ValueError: there are not as many.
    """
    found = []
    for name, given in _together(ids, args):
        id_, more = _REASONIF.get(name, (name, {}))
        found.append({"id": id_, "args": {**given, **more}, "on": "reasoning"})
    return found


def _together(ids: Any, args: Any) -> list[tuple[str, dict[str, Any]]]:
    names = list(ids or ())
    given = list(args) if args is not None else [None] * len(names)
    if len(names) != len(given):
        raise ValueError(f"{len(names)} constraints, and arguments for {len(given)}")
    return [
        (name, {k: v for k, v in (one or {}).items() if v is not None}) for name, one in zip(names, given, strict=True)
    ]

"""The ids of all that steps make, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from synth.records.identity import content_id
from synth.records.record import UnitRecord

__all__ = ["InUnit", "derive"]

R = TypeVar("R", bound=UnitRecord)


class InUnit(Protocol):
    """A record, or what a corpus step sees of one."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def unit(self) -> str:
        """Id of its root problem."""


def derive(
    kind: type[R],
    *,
    step: str,
    version: int,
    parents: Sequence[InUnit | str],
    replies: Sequence[str] = (),
    key: Any = None,
    unit: str | None = None,
    **fields: Any,
) -> R:
    """A record that a step makes.

    What replies made is known by their replay keys: other options of the step leave the same reply the same record, with what
    people said of it. What was computed is known by its content: two results never share an id, whatever went into them.

    Args:
        kind: the type of record.
        step: name of the step.
        version: version of the step.
        parents: the records it was made from, or their ids.
        replies: replay keys of the replies it was read from; none where it was computed.
        key: distinguishes what the same step reads more than once from the same replies; any JSON.
        unit: id of the root problem; that of the first parent if not given.
        fields: its other fields.
    """
    ids = [p if isinstance(p, str) else p.id for p in parents]
    unit = unit if unit is not None else next(p.unit for p in parents if not isinstance(p, str))
    because: list[Any] = [kind.table, step, version, ids, list(replies), key]
    if replies:
        return kind(id=content_id(because), unit=unit, step=step, **fields)
    computed = kind(id="", unit=unit, step=step, **fields)
    return computed.model_copy(update={"id": content_id([*because, computed.to_json().decode()])})

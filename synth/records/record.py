"""What all records share: frozen, known by the hash of what determines them."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from synth.records.identity import content_id

__all__ = ["Record", "UnitRecord", "record_fields"]


class Record(BaseModel):
    """What all records share."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    table: ClassVar[str]
    """The name of this record's table in SQL."""

    id: str
    """Content hash (`b2:` + 32 hexadecimal digits) of what determines this record."""

    def to_json(self) -> bytes:
        """It as a JSON object, less what is None."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


class UnitRecord(Record):
    """A record that belongs to a unit: a root problem with everything derived from it."""

    alias: ClassVar[str]
    """What expressions and prompts call a record of this type."""

    unit: str
    """Id of the root problem."""

    step: str
    """Name of the pipeline step that made it; `input` for what came from a source."""

    @classmethod
    def make(cls, *, unit: str, step: str, because: Any, **fields: Any) -> Self:
        """A record whose id is the hash of its type, its step and `because` (parents, call, sample index, version…)."""
        return cls(id=content_id([cls.table, step, because]), unit=unit, step=step, **fields)


def record_fields(kind: type[UnitRecord]) -> frozenset[str]:
    """What templates and expressions may read of a record of this type."""
    properties = {
        n for n in dir(kind) if not n.startswith(("_", "model_")) and isinstance(getattr(kind, n, None), property)
    }
    return frozenset(kind.model_fields) | properties

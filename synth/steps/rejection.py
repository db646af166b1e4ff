"""How a step puts a record out."""

from __future__ import annotations

from pydantic import JsonValue

from synth.records import Rejection, UnitRecord

__all__ = ["reject"]


def reject(record: UnitRecord, step: str, rule: str, observed: JsonValue) -> Rejection:
    """The rejection of a record by a step: the record stays, this says why it is out."""
    return Rejection.make(
        unit=record.unit,
        step=step,
        because=[record.id, rule],
        target=record.id,
        target_table=record.table,
        rule=rule,
        observed=observed,
    )

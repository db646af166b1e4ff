"""`derive`: records made of records by expressions, without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Failure, UnitRecord
from synth.steps.make import Makes, Source, Unmakeable, part_key
from synth.steps.subject import PartStep
from synth.steps.unit import Unit

__all__ = ["Derive"]


class Derive(PartStep):
    """Make problems, or other records, of each record by expressions, with the entries that `make` of `ask` has, and without a model.

    For problems whose new text and gold answer can be computed: options in another order, the two sides of a comparison swapped, a question with
    another instruction. Where an entry cannot be made, such as an answer that is none of the new options, there is a row in `failures`, and nothing
    is made of that record.
    """

    gives: ClassVar[tuple[type[UnitRecord], ...]] = ()

    step: Literal["derive"] = "derive"
    make: Annotated[tuple[Makes, ...], Field(min_length=1)]
    """What is made of each record."""

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return tuple(dict.fromkeys(entry.makes for entry in self.make))

    def gives_scores(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for entry in self.make for name in entry.scores()))

    def expressions(self) -> Mapping[str, str]:
        return {
            f"make[{i}].{name}": source
            for i, entry in enumerate(self.make)
            for name, source in entry.expressions().items()
        }

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        return {**super().sees(), "item": None, "index": None, "value": None}

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        made: list[UnitRecord] = []
        for subject in self.subjects(records, unit):
            source = Source(step=self, subject=subject, unit=unit, judge=f"{self.name}/{self.version}")
            try:
                made += [record for i, entry in enumerate(self.make) for record in entry.of(source, {}, i)]
            except Unmakeable as why:
                made.append(self._failure(source, str(why)))
        return made

    def _failure(self, source: Source, why: str) -> Failure:
        record = source.subject.record
        return self.derive(
            Failure,
            [record],
            key=["make", part_key(source.subject.part)],
            target=record.id,
            cause="shape",
            message=f"nothing can be made of it: {why}",
        )

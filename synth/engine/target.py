"""A yield to stop at, such as "2000 kept"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from synth.errors import UserError
from synth.records import Pair, Rationale, Rejection, UnitRecord

__all__ = ["Target", "Yield"]

Yield = Literal["kept", "pairs"]
"""What can be counted: rationales kept, or preference pairs; both before the corpus steps, which may put some out."""
_WORDS = re.compile(r"\s*([\d_,]+)\s+(\w+)\s*")


class Target(NamedTuple):
    """So many of something; the run ends when the units done have as many."""

    n: int
    of: Yield

    @classmethod
    def parse(cls, text: str) -> Target:
        """The target in words: a number and what is counted.

        Raises:
            UserError: it is none.
        """
        found = _WORDS.fullmatch(text)
        if found is None or found[2] not in get_args(Yield):
            kinds = " or ".join(f"'2000 {kind}'" for kind in get_args(Yield))
            raise UserError(f"{text!r} is no yield to stop at", remedy=f"write {kinds}")
        return cls(int(re.sub(r"[_,]", "", found[1])), found[2])  # type: ignore[arg-type]

    def count(self, records: Iterable[UnitRecord]) -> int:
        """How many of it the records of a unit hold."""
        some = list(records)
        if self.of == "pairs":
            return sum(isinstance(r, Pair) for r in some)
        out = {r.target for r in some if isinstance(r, Rejection)}
        return sum(isinstance(r, Rationale) and r.id not in out for r in some)

    def count_rows(self, tables: dict[str, list[dict[str, str]]]) -> int:
        """The same for a unit as the journal has it."""
        if self.of == "pairs":
            return len(tables.get("pairs", ()))
        out = {r["target"] for r in tables.get("rejections", ())}
        return sum(r["id"] not in out for r in tables.get("rationales", ()))

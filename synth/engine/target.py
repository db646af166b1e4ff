"""A yield to stop at, such as "2000 kept"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from synth.errors import UserError
from synth.records import Pair, Problem, Rationale, Rejection, UnitRecord, is_kept

__all__ = ["Target", "Yield", "count_kept"]

Yield = Literal["kept", "pairs"]
"""What can be counted: rationales kept, or preference pairs kept; both in the end, after the corpus steps."""
_WORDS = re.compile(r"\s*([\d_,]+)\s+(\w+)\s*")
_COUNTED: dict[Yield, type[Rationale | Pair]] = {"kept": Rationale, "pairs": Pair}


class Target(NamedTuple):
    """So many of something; the run ends when so many are kept, corpus steps included.

    `count` and `count_rows` are for one unit, before the corpus steps; `query` is for the run.
    """

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
            raise UserError(f"{text!r} is no yield to stop at", fix=f"write {kinds}")
        return cls(int(re.sub(r"[_,]", "", found[1])), found[2])  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """What is counted, in words."""
        return "rationales" if self.of == "kept" else "pairs"

    @property
    def query(self) -> str:
        """How many of it a run has kept, as a question in SQL."""
        return "SELECT count(*) FROM kept_rationales" if self.of == "kept" else "SELECT count(*) FROM kept_pairs"

    def count(self, records: Iterable[UnitRecord]) -> int:
        """How many of it a unit has kept."""
        return count_kept(records, _COUNTED[self.of])

    def count_rows(self, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
        """The same for a unit as the journal has it."""
        rejected = {r["target"] for r in tables.get("rejections", ())}
        parents = {r["id"]: r.get("parent") for r in tables.get("problems", ())}
        rows = tables.get(_COUNTED[self.of].table, ())
        return sum(is_kept((r["id"], r["problem"], r["unit"]), rejected, parents) for r in rows)


def count_kept(records: Iterable[UnitRecord], kind: type[Rationale | Pair] = Rationale) -> int:
    """How many rationales (or pairs) a unit has kept; see `synth.records.is_kept`."""
    unit = list(records)
    rejected = {r.target for r in unit if isinstance(r, Rejection)}
    parents = {r.id: r.parent for r in unit if isinstance(r, Problem)}
    return sum(isinstance(r, kind) and is_kept((r.id, r.problem, r.unit), rejected, parents) for r in unit)

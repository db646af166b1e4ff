"""Answers that are a list of items in order."""

from __future__ import annotations

from synth.verify.items import Value, read_items
from synth.verify.kinds.kind import Comparison
from synth.verify.kinds.listed import ListedKind
from synth.verify.kinds.near import near
from synth.verify.verdict import Verdict

__all__ = ["ListKind"]


class ListKind(ListedKind):
    """Items in one order; a wrong list is graded by the share of places that hold the right item."""

    name = "list"

    def items(self, said: str) -> list[Value] | None:
        return read_items(said, ordered=True)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        said, meant = self.items(found), self.items(gold)
        if meant is None:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is not a list")
        if said is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is not a list")
        same = sum(near(a, b, by.tolerance) for a, b in zip(said, meant, strict=False))
        places = max(len(said), len(meant))
        return self.decide(same == places, found, gold, f"{same} of {places} places", same / places if places else None)

"""Answers that are a set of items."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from synth.verify.items import Value, as_json, key, read_items
from synth.verify.kinds.kind import Comparison
from synth.verify.kinds.listed import ListedKind
from synth.verify.kinds.near import near
from synth.verify.verdict import Verdict

__all__ = ["SetKind", "f1"]

_MOST_NEAR = 100
"""Members that are looked for within a tolerance, at most."""


class SetKind(ListedKind):
    """Items in any order, each once or more; a wrong set is graded by F1 over its distinct members."""

    name = "set"

    def canonical(self, gold: str) -> str:
        items = read_items(gold)
        return gold if items is None else as_json(list(_distinct(items).values()))

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        said, meant = read_items(found), read_items(gold)
        if meant is None:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is not a set")
        if said is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is not a set")
        ours, theirs = _distinct(said), _distinct(meant)
        shared = len(ours.keys() & theirs.keys())
        if by.tolerance is not None:
            shared += _matched(_without(ours, theirs), _without(theirs, ours), by.tolerance)
        right = shared == len(ours) == len(theirs)
        share = f1(shared, len(ours), len(theirs))
        return self.decide(right, found, gold, f"{shared} of {len(theirs)} members, {len(ours)} given", share)


def f1(shared: int, found: int, gold: int) -> float:
    """The harmonic mean of the share of the members found that are gold ones, and of the gold ones that were found; 1 for two empty sets."""
    return 2 * shared / (found + gold) if found + gold else 1.0


def _distinct(items: Iterable[Value]) -> dict[Hashable, Value]:
    first: dict[Hashable, Value] = {}
    for item in items:
        first.setdefault(key(item), item)
    return first


def _without(these: dict[Hashable, Value], others: dict[Hashable, Value]) -> list[Value]:
    return [value for name, value in these.items() if name not in others]


def _matched(said: Sequence[Value], meant: Sequence[Value], tolerance: float) -> int:
    """How many numbers can be paired with a gold one each that they are near to."""
    left = list(said[:_MOST_NEAR])
    matched = 0
    for one in meant[:_MOST_NEAR]:
        at = next((i for i, other in enumerate(left) if near(other, one, tolerance)), None)
        if at is not None:
            del left[at]
            matched += 1
    return matched
